import type {
  KeyValueRequests,
  OperationOutcome,
  RangePage,
  RangeRequest,
  StoredPair,
  WatchPage,
  WatchRequest,
  WriteRequest,
} from '../requests/key-value-requests.js';
import type { Answered, ReadContext, RequestContext, WriteContext } from '../requests/request-context.js';
import { hereOrAtLeader } from './here-or-at-leader.js';
import type { LeaderCalls } from './leader-calls.js';

/** The key-value plane of a node that may not lead: writes and sessions go to the leader, reads and watches are served here. */
export class ForwardingKeyValue implements KeyValueRequests {
  readonly #here: KeyValueRequests;
  readonly #calls: LeaderCalls;

  constructor(here: KeyValueRequests, calls: LeaderCalls) {
    this.#here = here;
    this.#calls = calls;
  }

  openSession(ttlMs: number, context: RequestContext): ReturnType<KeyValueRequests['openSession']> {
    return hereOrAtLeader(
      context,
      () => this.#here.openSession(ttlMs, context),
      (leader) => this.#calls.openSession(leader, ttlMs, context),
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
    );
  }

  get(key: Uint8Array, read: ReadContext, context: RequestContext): Promise<Answered<StoredPair | undefined>> {
    return this.#here.get(key, read, context);
  }

  range(request: RangeRequest, read: ReadContext, context: RequestContext): AsyncIterable<Answered<RangePage>> {
    return this.#here.range(request, read, context);
  }

  watch(request: WatchRequest, context: RequestContext): AsyncIterable<WatchPage> {
    return this.#here.watch(request, context);
  }
}
