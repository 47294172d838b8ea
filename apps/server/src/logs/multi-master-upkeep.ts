/**
 * Producers, consumers and trims of logs that every node writes.
 *
 * What a producer sent last is known by the node it sends to. Positions of consumers, and what was trimmed, are entries of a
 * hidden log of the same mode, which every node folds (apply/upkeep-fold.ts): so each node takes commits and answers from what
 * it has, also while it hears nobody, and all agree when they have heard of everything. How far a consumer is behind is judged by
 * what this node has.
 */
import { type LogPosition, maxConsumers, maxPositions, mergedPositions } from '../apply/consumer-table.js';
import { isSameGeneration, type SharedConsumers } from '../apply/shared-consumers.js';
import { firstBegin, type SharedConsumer } from '../apply/upkeep-entry.js';
import type { Replica } from '../raft/replica.js';
import type { SystemGroup } from '../raft/system-group.js';
import type { MultiMaster } from '../replication/multi-master.js';
import { appendUpkeep } from '../replication/upkeep-log.js';
import { checkCount, invalidRequest } from '../requests/request-checks.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import { logUpkeepVersion } from '../version/cluster-version.js';
import { requireVersion } from '../version/version-gate.js';
import type { LogFiles } from './log-files.js';
import type { LogDescription, LogRequests } from './log-requests.js';
import type {
  ConsumerPlace,
  ConsumerSeek,
  ConsumerView,
  KeptRange,
  LogTrim,
  LogUpkeepRequests,
  PositionCommit,
  ProducerQuestion,
  ProducerState,
} from './log-upkeep-requests.js';
import { checkConsumerName, unknownConsumer } from './log-upkeep-service.js';
import { streamLags } from './stream-lags.js';
import { resolvedPositions } from './stream-positions.js';
import { trimmedPositions } from './stream-trims.js';

/** What it stands on. */
export interface MultiMasterUpkeepParts {
  readonly system: SystemGroup;
  readonly logs: LogRequests;
  readonly files: LogFiles;
  readonly multiMaster: MultiMaster;
}

/** Upkeep of logs over the streams of this node. */
export class MultiMasterUpkeep implements LogUpkeepRequests {
  readonly #parts: MultiMasterUpkeepParts;
  /** Of what begins generations: each begins behind the one before. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: MultiMasterUpkeepParts) {
    this.#parts = parts;
  }

  async trim(request: LogTrim, context: RequestContext): Promise<KeptRange> {
    const { logs, multiMaster, files } = this.#parts;
    const log = await logs.describe(request.log, context);
    this.#requireVersion();
    const positions = await trimmedPositions(request, log, { multiMaster, files });
    await appendUpkeep(await multiMaster.ready(), [{ type: 'trim', logId: log.logId, positions }]);
    const { origins } = await logs.describe(request.log, context);
    return { firstSequence: 0, lastSequence: 0, origins };
  }

  async producer(
    { log: name, producerId }: ProducerQuestion,
    context: RequestContext,
  ): Promise<ProducerState | undefined> {
    checkCount('producer id', producerId, 1);
    const { logId } = await this.#parts.logs.describe(name, context);
    const found = this.#parts.multiMaster.begun?.replica.machine.logs.producers.lastOf(logId, producerId);
    if (found === undefined) return undefined;
    const { first, count, logFirst, timeMs } = found.last;
    return { epoch: found.epoch, lastSequence: first + count - 1, logSequence: logFirst + count - 1, timeMs };
  }

  async commit(request: PositionCommit, context: RequestContext): Promise<ConsumerPlace> {
    const { consumer: name, generation } = request;
    checkConsumerName(name);
    checkCount('generation', generation, 0);
    if (request.positions.length === 0) throw invalidRequest('the commit names no position');
    const log = await this.#parts.logs.describe(request.log, context);
    const positions = mergedPositions([], resolvedPositions(log, request.positions));
    this.#requireVersion();
    const origin = await this.#parts.multiMaster.ready();
    const { consumers } = origin.replica.machine.upkeep;
    const { logId } = log;
    const known = consumers.known(logId, name);
    const live = consumers.get(logId, name);
    const present = nextCommitGeneration(known);
    if (generation !== 0 && generation !== present) throw elsewhere(name, present);
    if (live === undefined) checkRoom(consumers, name);
    checkLength(name, mergedPositions(live?.positions ?? [], positions));
    const consumer = {
      ...{ logId, name, positions, generation: present, committedAtMs: origin.replica.nowMs(), isDeleted: false },
      begin: live?.begin ?? firstBegin,
    };
    await appendUpkeep(origin, [{ type: 'consumer', consumer, beginsHere: false }]);
    const now = consumers.known(logId, name);
    // A seek, or a deletion, that came meanwhile is later than this.
    if (now === undefined || !isSameGeneration(now, consumer)) throw elsewhere(name, nextCommitGeneration(now));
    return placeOf(now, live?.positions ?? []);
  }

  async consumer(name: string, consumer: string, context: RequestContext): Promise<ConsumerView> {
    const { log, consumers, replica } = await this.#here(name, context);
    const state = consumers.get(log.logId, consumer);
    if (state === undefined) throw unknownConsumer(name, consumer);
    return this.#view(log, state, replica);
  }

  async consumers(name: string, prefix: string, context: RequestContext): Promise<readonly ConsumerView[]> {
    const { log, consumers, replica } = await this.#here(name, context);
    const views: ConsumerView[] = [];
    for (const state of consumers.list(log.logId)) {
      if (state.name.startsWith(prefix)) views.push(await this.#view(log, state, replica));
    }
    return views;
  }

  async seek({ log: name, consumer, to, dryRun }: ConsumerSeek, context: RequestContext): Promise<ConsumerPlace> {
    checkConsumerName(consumer);
    const { log, consumers } = await this.#here(name, context);
    const positions = mergedPositions([], await this.#destination(log, to, context));
    if (positions.length === 0) throw invalidRequest(`log '${name}' has no entries yet: there is nowhere to go`);
    checkLength(consumer, positions);
    const known = consumers.get(log.logId, consumer);
    if (dryRun) return { generation: known?.generation ?? 0, positions, earlierPositions: known?.positions ?? [] };
    if (known === undefined) checkRoom(consumers, consumer);
    return this.#begin(log.logId, consumer, { positions, isDeleted: false });
  }

  async deleteConsumer(name: string, consumer: string, context: RequestContext): Promise<void> {
    checkConsumerName(consumer);
    const { log, consumers } = await this.#here(name, context);
    if (consumers.get(log.logId, consumer) === undefined) return;
    await this.#begin(log.logId, consumer, { positions: [], isDeleted: true });
  }

  /** Begins a consumer's next generation. */
  #begin(
    logId: number,
    name: string,
    { positions, isDeleted }: Pick<SharedConsumer, 'positions' | 'isDeleted'>,
  ): Promise<ConsumerPlace> {
    this.#requireVersion();
    const begun = this.#turn.then(async () => {
      const origin = await this.#parts.multiMaster.ready();
      const { consumers } = origin.replica.machine.upkeep;
      const generation = (consumers.known(logId, name)?.generation ?? 0) + 1;
      const earlier = consumers.get(logId, name)?.positions ?? [];
      const committedAtMs = origin.replica.nowMs();
      const consumer = { logId, name, generation, committedAtMs, begin: firstBegin, isDeleted, positions };
      await appendUpkeep(origin, [{ type: 'consumer', consumer, beginsHere: true }]);
      const now = consumers.known(logId, name);
      if (now?.generation !== generation) throw elsewhere(name, nextCommitGeneration(now));
      return placeOf(now, earlier);
    });
    this.#turn = begun.catch(() => undefined);
    return begun;
  }

  async #destination(
    { name, origins }: LogDescription,
    to: ConsumerSeek['to'],
    context: RequestContext,
  ): Promise<readonly LogPosition[]> {
    switch (to.at) {
      case 'start':
        return origins.map(({ origin, epoch, firstSequence }) => ({ origin, epoch, sequence: firstSequence - 1 }));
      case 'end':
        return origins.map(({ origin, epoch, lastSequence }) => ({ origin, epoch, sequence: lastSequence }));
      case 'time': {
        checkCount('time', to.timeMs, 0);
        const places = origins.map(async ({ origin, epoch, lastSequence }) => {
          const start = { from: 'time', timeMs: to.timeMs } as const;
          const scope = { allOrigins: false, epoch, order: 'arrival' } as const;
          const read = { log: name, origin, start, limit: 1, maxBytes: 1, scope };
          const [next] = (await this.#parts.logs.read(read, context)).entries;
          const sequence = next?.epoch === epoch ? next.sequence - 1 : lastSequence;
          return { origin, epoch, sequence };
        });
        return Promise.all(places);
      }
      case 'positions':
        return resolvedPositions({ name, origins }, to.positions);
    }
  }

  /** The log, and its consumers as far as this node has heard of them. */
  async #here(
    name: string,
    context: RequestContext,
  ): Promise<{ readonly log: LogDescription; readonly consumers: SharedConsumers; readonly replica: Replica }> {
    const log = await this.#parts.logs.describe(name, context);
    const { replica } = await this.#parts.multiMaster.open();
    return { log, consumers: replica.machine.upkeep.consumers, replica };
  }

  async #view(log: LogDescription, state: SharedConsumer, replica: Replica): Promise<ConsumerView> {
    const { name, generation, positions, committedAtMs } = state;
    const lags = await streamLags(log, positions, this.#parts.files, replica.nowMs());
    return { name, generation, positions, committedAtMs, lags };
  }

  #requireVersion(): void {
    requireVersion('positions of consumers', logUpkeepVersion, this.#parts.system.catalogue);
  }
}

/** The generation in which a commit counts now. */
function nextCommitGeneration(known: SharedConsumer | undefined): number {
  if (known === undefined) return 1;
  return known.isDeleted ? known.generation + 1 : known.generation;
}

function placeOf({ generation, positions }: SharedConsumer, earlierPositions: readonly LogPosition[]): ConsumerPlace {
  return { generation, positions, earlierPositions };
}

function checkRoom(consumers: SharedConsumers, name: string): void {
  if (consumers.count < maxConsumers) return;
  throw new ServerError(
    'RESOURCE_EXHAUSTED',
    `consumer '${name}' would be one more than the ${maxConsumers} allowed; delete some`,
  );
}

function checkLength(name: string, positions: readonly LogPosition[]): void {
  if (positions.length <= maxPositions) return;
  throw invalidRequest(`consumer '${name}' would have ${positions.length} positions, at most ${maxPositions} are kept`);
}

function elsewhere(name: string, generation: number): ServerError {
  return new ServerError(
    'CONFLICT',
    `consumer '${name}' is in generation ${generation}: it was put elsewhere meanwhile`,
    {
      details: { generation },
    },
  );
}
