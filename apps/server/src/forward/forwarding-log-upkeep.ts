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
} from '../logs/log-upkeep-requests.js';
import type { RequestContext } from '../requests/request-context.js';
import { hereOrAtLeader } from './here-or-at-leader.js';
import type { LeaderCalls } from './leader-calls.js';
import type { LeaderPatience } from './leader-patience.js';

/** Upkeep of logs at a node that may not lead: what changes something goes to the leader, what is asked is answered here. */
export class ForwardingLogUpkeep implements LogUpkeepRequests {
  readonly #here: LogUpkeepRequests;
  readonly #calls: LeaderCalls;
  readonly #patience: LeaderPatience | undefined;

  /** Without `patience` a request for which there is no leader is refused at once. */
  constructor(here: LogUpkeepRequests, calls: LeaderCalls, patience?: LeaderPatience) {
    this.#here = here;
    this.#calls = calls;
    this.#patience = patience;
  }

  trim(request: LogTrim, context: RequestContext): Promise<KeptRange> {
    return this.#forwarded(context, (upkeep) => upkeep.trim(request, context));
  }

  commit(request: PositionCommit, context: RequestContext): Promise<ConsumerPlace> {
    return this.#forwarded(context, (upkeep) => upkeep.commit(request, context));
  }

  seek(request: ConsumerSeek, context: RequestContext): Promise<ConsumerPlace> {
    if (request.dryRun) return this.#patiently(context, () => this.#here.seek(request, context));
    return this.#forwarded(context, (upkeep) => upkeep.seek(request, context));
  }

  deleteConsumer(log: string, consumer: string, context: RequestContext): Promise<void> {
    return this.#forwarded(context, (upkeep) => upkeep.deleteConsumer(log, consumer, context));
  }

  producer(request: ProducerQuestion, context: RequestContext): Promise<ProducerState | undefined> {
    return this.#patiently(context, () => this.#here.producer(request, context));
  }

  consumer(log: string, consumer: string, context: RequestContext): Promise<ConsumerView> {
    return this.#patiently(context, () => this.#here.consumer(log, consumer, context));
  }

  consumers(log: string, prefix: string, context: RequestContext): Promise<readonly ConsumerView[]> {
    return this.#patiently(context, () => this.#here.consumers(log, prefix, context));
  }

  #forwarded<T>(context: RequestContext, work: (upkeep: ForwardedLogUpkeep) => Promise<T>): Promise<T> {
    return hereOrAtLeader(
      context,
      () => work(this.#here),
      (leader) => work(this.#calls.logUpkeep(leader)),
      this.#patience,
    );
  }

  #patiently<T>(context: RequestContext, work: () => Promise<T>): Promise<T> {
    return this.#patience === undefined ? work() : this.#patience.run(context, work);
  }
}

/** What only a leader does. */
export type ForwardedLogUpkeep = Pick<LogUpkeepRequests, 'trim' | 'commit' | 'seek' | 'deleteConsumer'>;
