/**
 * Trims, producers and consumers of logs that have one sequence. What changes something is a command of the log's group;
 * what is asked is answered from this node's copy once it has everything that was acknowledged before.
 */
import { type Clock, invariant } from '@shanghai/env';
import type { LogPosition } from '../apply/consumer-table.js';
import type { SystemGroup } from '../raft/system-group.js';
import type { Gate } from '../requests/gate.js';
import { checkCount, invalidRequest } from '../requests/request-checks.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import { logUpkeepVersion } from '../version/cluster-version.js';
import { requireVersion } from '../version/version-gate.js';
import { consumerLag } from './consumer-lag.js';
import { type KnownLog, type KnownLogs, linearizable, placeOf } from './known-logs.js';
import type { LogFiles } from './log-files.js';
import { startSequence } from './log-pages.js';
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

/** What it stands on. */
export interface LogUpkeepParts {
  readonly system: SystemGroup;
  readonly logs: KnownLogs;
  readonly files: LogFiles;
  readonly gate: Gate;
  readonly clock: Clock;
}

/** Upkeep of logs over this node's replicas. */
export class LogUpkeepService implements LogUpkeepRequests {
  readonly #parts: LogUpkeepParts;

  constructor(parts: LogUpkeepParts) {
    this.#parts = parts;
  }

  async trim(request: LogTrim, context: RequestContext): Promise<KeptRange> {
    const { log: name, origin, positions = [], beforeMs } = request;
    if (positions.length > 0) throw invalidRequest(`log '${name}' has one origin; name the first sequence to keep`);
    if (beforeMs === undefined) checkCount('first sequence', request.firstSequence, 1);
    else checkCount('time', beforeMs, 0);
    const log = await this.#enter(name, context);
    checkOrigin(log, origin);
    const firstSequence = beforeMs === undefined ? request.firstSequence : await this.#firstAt(log, beforeMs);
    await log.replica.propose({ kind: 'logTrim', logId: log.entry.logId, firstSequence });
    const { counters } = this.#parts.logs.known(name);
    return { firstSequence: counters.firstSequence, lastSequence: counters.lastSequence };
  }

  async producer(
    { log: name, origin, producerId }: ProducerQuestion,
    context: RequestContext,
  ): Promise<ProducerState | undefined> {
    checkCount('producer id', producerId, 1);
    const log = await this.#enterReading(name, context);
    checkOrigin(log, origin);
    const found = log.replica.machine.logs.producers.lastOf(log.entry.logId, producerId);
    if (found === undefined) return undefined;
    const { first, count, logFirst, timeMs } = found.last;
    return { epoch: found.epoch, lastSequence: first + count - 1, logSequence: logFirst + count - 1, timeMs };
  }

  async commit(request: PositionCommit, context: RequestContext): Promise<ConsumerPlace> {
    checkConsumerName(request.consumer);
    checkCount('generation', request.generation, 0);
    if (request.positions.length === 0) throw invalidRequest('the commit names no position');
    const log = await this.#enter(request.log, context);
    this.#requireVersion();
    const { consumer, generation } = request;
    const positions = resolved(log, request.positions);
    return this.#changed(log, { kind: 'consumerCommit', logId: log.entry.logId, consumer, generation, positions });
  }

  async consumer(name: string, consumer: string, context: RequestContext): Promise<ConsumerView> {
    const log = await this.#enterReading(name, context);
    const state = log.replica.machine.logs.consumers.get(log.entry.logId, consumer);
    if (state !== undefined) return this.#view(log, state);
    throw unknownConsumer(name, consumer);
  }

  async consumers(name: string, prefix: string, context: RequestContext): Promise<readonly ConsumerView[]> {
    const log = await this.#enterReading(name, context);
    const views: ConsumerView[] = [];
    for (const state of log.replica.machine.logs.consumers.list(log.entry.logId)) {
      if (state.name.startsWith(prefix)) views.push(await this.#view(log, state));
    }
    return views;
  }

  async seek(request: ConsumerSeek, context: RequestContext): Promise<ConsumerPlace> {
    const { consumer, to } = request;
    checkConsumerName(consumer);
    if (to.at === 'time') checkCount('time', to.timeMs, 0);
    const log = request.dryRun
      ? await this.#enterReading(request.log, context)
      : await this.#enter(request.log, context);
    const positions = await this.#destination(log, to);
    if (request.dryRun) {
      const known = log.replica.machine.logs.consumers.get(log.entry.logId, consumer);
      return { generation: known?.generation ?? 0, positions, earlierPositions: known?.positions ?? [] };
    }
    this.#requireVersion();
    return this.#changed(log, { kind: 'consumerSeek', logId: log.entry.logId, consumer, positions });
  }

  async deleteConsumer(name: string, consumer: string, context: RequestContext): Promise<void> {
    checkConsumerName(consumer);
    const log = await this.#enter(name, context);
    this.#requireVersion();
    await log.replica.propose({ kind: 'consumerDelete', logId: log.entry.logId, consumer });
  }

  async #changed(log: KnownLog, command: Parameters<KnownLog['replica']['propose']>[0]): Promise<ConsumerPlace> {
    const result = await log.replica.propose(command);
    invariant(result.type === 'consumer', `a change of a consumer gave '${result.type}'`);
    return result;
  }

  async #destination(log: KnownLog, to: ConsumerSeek['to']): Promise<readonly LogPosition[]> {
    const { origin, epoch, firstSequence, lastSequence } = log.counters;
    const at = (sequence: number) => [{ origin, epoch, sequence }];
    switch (to.at) {
      case 'start':
        return at(firstSequence - 1);
      case 'end':
        return at(lastSequence);
      case 'time':
        return at((await this.#firstAt(log, to.timeMs)) - 1);
      case 'positions':
        if (to.positions.length === 0) throw invalidRequest('the seek names no position');
        return resolved(log, to.positions);
    }
  }

  /** The first entry of this time or later. */
  #firstAt(log: KnownLog, timeMs: number): Promise<number> {
    return this.#parts.files.use(placeOf(log), (wal) => startSequence({ from: 'time', timeMs }, log, wal));
  }

  async #view(log: KnownLog, state: Omit<ConsumerView, 'lags'>): Promise<ConsumerView> {
    const { name, generation, positions, committedAtMs } = state;
    const { files, clock } = this.#parts;
    const lag = await consumerLag(log, positions, files, clock.nowMs());
    return { name, generation, positions, committedAtMs, lags: [lag] };
  }

  async #enter(name: string, context: RequestContext): Promise<KnownLog> {
    this.#parts.gate.enter(context);
    return this.#parts.logs.find(name) ?? (await this.#parts.logs.now(name));
  }

  async #enterReading(name: string, context: RequestContext): Promise<KnownLog> {
    const log = await this.#enter(name, context);
    await log.replica.readBarrier(linearizable);
    return this.#parts.logs.known(name);
  }

  #requireVersion(): void {
    requireVersion('positions of consumers', logUpkeepVersion, this.#parts.system.replica.machine.catalogue);
  }
}

/** `NOT_FOUND`. */
export function unknownConsumer(log: string, consumer: string): ServerError {
  return new ServerError('NOT_FOUND', `log '${log}' knows no consumer '${consumer}'`, { details: { log, consumer } });
}

/** Refuses names that tables could not carry. */
export function checkConsumerName(name: string): void {
  if (/^[A-Za-z0-9._-]{1,255}$/.test(name)) return;
  throw invalidRequest(`'${name.slice(0, 300)}' is no name for a consumer: 1 to 255 of A-Z a-z 0-9 . _ -`);
}

function checkOrigin(log: KnownLog, origin: number): void {
  if (origin === 0 || origin === log.entry.origin) return;
  throw invalidRequest(`log '${log.entry.name}' has no origin ${origin} here; its origin is ${log.entry.origin}`);
}

/** Positions with the present epoch in the place of 0. */
function resolved(log: KnownLog, positions: readonly LogPosition[]): LogPosition[] {
  return positions.map(({ origin, epoch, sequence }) => {
    checkCount('sequence', sequence, 0);
    return {
      origin: origin === 0 ? log.entry.origin : origin,
      epoch: epoch === 0 ? log.counters.epoch : epoch,
      sequence,
    };
  });
}
