/**
 * Producers and consumers of logs that every node writes.
 *
 * What a producer sent last is known by the node it sends to. Positions are kept in the state of the data group, so that
 * they are the same at every node and merged there; a node that hears no majority can read on, but not commit. How far a consumer is behind
 * is judged by what this node has.
 */
import { invariant } from '@shanghai/env';
import type { LogPosition } from '../apply/consumer-table.js';
import type { LogUpkeepCommand } from '../apply/log-upkeep-command.js';
import type { Replica } from '../raft/replica.js';
import type { SystemGroup } from '../raft/system-group.js';
import { checkCount, invalidRequest } from '../requests/request-checks.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import { logUpkeepVersion } from '../version/cluster-version.js';
import { requireVersion } from '../version/version-gate.js';
import { linearizable } from './known-logs.js';
import type { LogDescription, LogRequests } from './log-requests.js';
import type {
  ConsumerLag,
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

/** What it stands on. */
export interface MultiMasterUpkeepParts {
  readonly system: SystemGroup;
  readonly logs: LogRequests;
  /** The copy of the data group. */
  readonly data: () => Replica;
  /** This node's own group, once it has one. */
  readonly own: () => Replica | undefined;
}

/** Upkeep of logs over the streams of this node. */
export class MultiMasterUpkeep implements LogUpkeepRequests {
  readonly #parts: MultiMasterUpkeepParts;

  constructor(parts: MultiMasterUpkeepParts) {
    this.#parts = parts;
  }

  async trim({ log }: LogTrim): Promise<KeptRange> {
    throw new ServerError('UNSUPPORTED', `log '${log}' has many origins; it is trimmed by its retention alone`);
  }

  async producer(
    { log: name, producerId }: ProducerQuestion,
    context: RequestContext,
  ): Promise<ProducerState | undefined> {
    checkCount('producer id', producerId, 1);
    const { logId } = await this.#parts.logs.describe(name, context);
    const found = this.#parts.own()?.machine.logs.producers.lastOf(logId, producerId);
    if (found === undefined) return undefined;
    const { first, count, logFirst, timeMs } = found.last;
    return { epoch: found.epoch, lastSequence: first + count - 1, logSequence: logFirst + count - 1, timeMs };
  }

  async commit(request: PositionCommit, context: RequestContext): Promise<ConsumerPlace> {
    const { consumer, generation } = request;
    checkConsumerName(consumer);
    checkCount('generation', generation, 0);
    if (request.positions.length === 0) throw invalidRequest('the commit names no position');
    const log = await this.#parts.logs.describe(request.log, context);
    const positions = resolved(log, request.positions);
    return this.#changed({ kind: 'consumerCommit', logId: log.logId, consumer, generation, positions });
  }

  async consumer(name: string, consumer: string, context: RequestContext): Promise<ConsumerView> {
    const log = await this.#describeNow(name, context);
    const state = this.#parts.data().machine.logs.consumers.get(log.logId, consumer);
    if (state === undefined) throw unknownConsumer(name, consumer);
    return viewOf(log, state);
  }

  async consumers(name: string, prefix: string, context: RequestContext): Promise<readonly ConsumerView[]> {
    const log = await this.#describeNow(name, context);
    const all = this.#parts.data().machine.logs.consumers.list(log.logId);
    return all.filter((state) => state.name.startsWith(prefix)).map((state) => viewOf(log, state));
  }

  async seek({ log: name, consumer, to, dryRun }: ConsumerSeek, context: RequestContext): Promise<ConsumerPlace> {
    checkConsumerName(consumer);
    const log = await this.#describeNow(name, context);
    const positions = await this.#destination(log, to, context);
    if (positions.length === 0) throw invalidRequest(`log '${name}' has no entries yet: there is nowhere to go`);
    if (!dryRun) return this.#changed({ kind: 'consumerSeek', logId: log.logId, consumer, positions });
    const known = this.#parts.data().machine.logs.consumers.get(log.logId, consumer);
    return { generation: known?.generation ?? 0, positions, earlierPositions: known?.positions ?? [] };
  }

  async deleteConsumer(name: string, consumer: string, context: RequestContext): Promise<void> {
    checkConsumerName(consumer);
    const { logId } = await this.#parts.logs.describe(name, context);
    this.#requireVersion();
    await this.#parts.data().propose({ kind: 'consumerDelete', logId, consumer });
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
        return resolved({ name, origins }, to.positions);
    }
  }

  async #changed(command: LogUpkeepCommand): Promise<ConsumerPlace> {
    this.#requireVersion();
    const result = await this.#parts.data().propose(command);
    invariant(result.type === 'consumer', `a change of a consumer gave '${result.type}'`);
    return result;
  }

  /** The log, with everything about its consumers that was acknowledged before. */
  async #describeNow(name: string, context: RequestContext): Promise<LogDescription> {
    await this.#parts.data().readBarrier(linearizable);
    return this.#parts.logs.describe(name, context);
  }

  #requireVersion(): void {
    requireVersion('positions of consumers', logUpkeepVersion, this.#parts.system.catalogue);
  }
}

/** Positions with the last epoch of their origin in the place of 0. */
function resolved(
  { name, origins }: Pick<LogDescription, 'name' | 'origins'>,
  positions: readonly LogPosition[],
): LogPosition[] {
  return positions.map(({ origin, epoch, sequence }) => {
    checkCount('origin', origin, 1);
    checkCount('sequence', sequence, 0);
    if (epoch !== 0) return { origin, epoch, sequence };
    const epochs = origins.filter((each) => each.origin === origin).map((each) => each.epoch);
    if (epochs.length === 0) throw invalidRequest(`log '${name}' has nothing of origin ${origin} here; name its epoch`);
    return { origin, epoch: Math.max(...epochs), sequence };
  });
}

function viewOf({ origins }: LogDescription, state: Omit<ConsumerView, 'lags'>): ConsumerView {
  const { name, generation, positions, committedAtMs } = state;
  const lags = origins.map(({ origin, epoch, firstSequence, lastSequence }): ConsumerLag => {
    const sequence = positions.find((each) => each.origin === origin && each.epoch === epoch)?.sequence ?? 0;
    const entries = Math.max(0, lastSequence - Math.max(sequence, firstSequence - 1));
    const lostEntries = Math.max(0, firstSequence - 1 - sequence);
    return { origin, epoch, entries, lostEntries, ...(entries === 0 ? { milliseconds: 0 } : {}) };
  });
  return { name, generation, positions, committedAtMs, lags };
}
