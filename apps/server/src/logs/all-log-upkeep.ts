import { ownGroup } from '../apply/own-group.js';
import type { SystemGroup } from '../raft/system-group.js';
import type { RequestContext } from '../requests/request-context.js';
import { linearizable } from './known-logs.js';
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
export interface AllLogUpkeepParts {
  readonly system: SystemGroup;
  /** Of logs that one group orders. */
  readonly quorum: LogUpkeepRequests;
  /** Of logs that every node writes. */
  readonly multiMaster: LogUpkeepRequests;
}

/** Upkeep of both kinds of logs, each request to the one that it concerns. */
export class AllLogUpkeep implements LogUpkeepRequests {
  readonly #parts: AllLogUpkeepParts;

  constructor(parts: AllLogUpkeepParts) {
    this.#parts = parts;
  }

  async trim(request: LogTrim, context: RequestContext): Promise<KeptRange> {
    return (await this.#of(request.log)).trim(request, context);
  }

  async producer(request: ProducerQuestion, context: RequestContext): Promise<ProducerState | undefined> {
    return (await this.#of(request.log)).producer(request, context);
  }

  async commit(request: PositionCommit, context: RequestContext): Promise<ConsumerPlace> {
    return (await this.#of(request.log)).commit(request, context);
  }

  async consumer(log: string, consumer: string, context: RequestContext): Promise<ConsumerView> {
    return (await this.#of(log)).consumer(log, consumer, context);
  }

  async consumers(log: string, prefix: string, context: RequestContext): Promise<readonly ConsumerView[]> {
    return (await this.#of(log)).consumers(log, prefix, context);
  }

  async seek(request: ConsumerSeek, context: RequestContext): Promise<ConsumerPlace> {
    return (await this.#of(request.log)).seek(request, context);
  }

  async deleteConsumer(log: string, consumer: string, context: RequestContext): Promise<void> {
    await (await this.#of(log)).deleteConsumer(log, consumer, context);
  }

  /** A log that is not known here is looked for in what the cluster has; one that is not there at all is refused by the first kind. */
  async #of(name: string): Promise<LogUpkeepRequests> {
    const { system, quorum, multiMaster } = this.#parts;
    if (system.catalogue.log(name) === undefined) await system.replica.readBarrier(linearizable);
    return system.catalogue.log(name)?.groupId === ownGroup ? multiMaster : quorum;
  }
}
