import type {
  KeyValueRequests,
  OperationOutcome,
  RangePage,
  RangeRequest,
  StoredPair,
  WatchPage,
  WatchRequest,
  WriteDone,
  WriteRequest,
} from '../requests/key-value-requests.js';
import type { Answered, ReadContext, RequestContext, WriteContext } from '../requests/request-context.js';
import { hereOrAtLeader } from './here-or-at-leader.js';
import type { LeaderCalls } from './leader-calls.js';
import type { LeaderPatience } from './leader-patience.js';

/** The key-value plane of a node that may not lead: writes and sessions go to the leader, reads and watches are served here. */
export class ForwardingKeyValue implements KeyValueRequests {
  readonly #here: KeyValueRequests;
  readonly #calls: LeaderCalls;
  readonly #patience: LeaderPatience | undefined;

  /** Without `patience` a request for which there is no leader is refused at once. */
  constructor(here: KeyValueRequests, calls: LeaderCalls, patience?: LeaderPatience) {
    this.#here = here;
    this.#calls = calls;
    this.#patience = patience;
  }

  openSession(ttlMs: number, context: RequestContext): ReturnType<KeyValueRequests['openSession']> {
    return hereOrAtLeader(
      context,
      () => this.#here.openSession(ttlMs, context),
      (leader) => this.#calls.openSession(leader, ttlMs, context),
      this.#patience,
    );
  }

  write(
    request: WriteRequest,
    write: WriteContext,
    context: RequestContext,
  ): Promise<Answered<readonly OperationOutcome[]>> {
    return hereOrAtLeader(
      context,
      () => this.#here.write(request, write, context),
      (leader) => this.#calls.write(leader, request, write, context),
      this.#patience,
    );
  }

  submit(request: WriteRequest, write: WriteContext, context: RequestContext, done: WriteDone): void {
    const here = this.#here;
    const later = (refusal: unknown) => {
      let isFirst = true;
      const again = () => {
        if (!isFirst) return here.write(request, write, context);
        isFirst = false;
        return Promise.reject(refusal);
      };
      const there = (leader: string) => this.#calls.write(leader, request, write, context);
      hereOrAtLeader(context, again, there, this.#patience).then(done.answered, done.failed);
    };
    if (here.submit === undefined) this.write(request, write, context).then(done.answered, done.failed);
    else here.submit(request, write, context, { answered: (answer) => done.answered(answer), failed: later });
  }

  get(key: Uint8Array, read: ReadContext, context: RequestContext): Promise<Answered<StoredPair | undefined>> {
    const here = () => this.#here.get(key, read, context);
    return this.#patience === undefined ? here() : this.#patience.run(context, here);
  }

  range(request: RangeRequest, read: ReadContext, context: RequestContext): AsyncIterable<Answered<RangePage>> {
    const here = () => this.#here.range(request, read, context);
    return this.#patience === undefined ? here() : this.#patience.pages(context, here);
  }

  watch(request: WatchRequest, context: RequestContext): AsyncIterable<WatchPage> {
    return this.#here.watch(request, context);
  }
}
