import type {
  LogAppend,
  LogAppended,
  LogDescription,
  LogPack,
  LogPacked,
  LogPage,
  LogRead,
  LogRequests,
  LogSettings,
  LogTail,
} from '../logs/log-requests.js';
import type { RequestContext } from '../requests/request-context.js';
import { hereOrAtLeader } from './here-or-at-leader.js';
import type { LeaderCalls } from './leader-calls.js';
import type { LeaderPatience } from './leader-patience.js';

/** The log plane of a node that may not lead: what changes logs goes to the leader, what reads them is served here. */
export class ForwardingLogs implements LogRequests {
  readonly #here: LogRequests;
  readonly #calls: LeaderCalls;
  readonly #patience: LeaderPatience | undefined;

  /** Without `patience` a request for which there is no leader is refused at once. */
  constructor(here: LogRequests, calls: LeaderCalls, patience?: LeaderPatience) {
    this.#here = here;
    this.#calls = calls;
    this.#patience = patience;
  }

  create(name: string, settings: LogSettings, context: RequestContext): Promise<LogDescription> {
    return hereOrAtLeader(
      context,
      () => this.#here.create(name, settings, context),
      (leader) => this.#calls.createLog(leader, name, settings, context),
      this.#patience,
    );
  }

  delete(name: string, context: RequestContext): Promise<void> {
    return hereOrAtLeader(
      context,
      () => this.#here.delete(name, context),
      (leader) => this.#calls.deleteLog(leader, name, context),
      this.#patience,
    );
  }

  append(request: LogAppend, context: RequestContext): Promise<LogAppended> {
    return hereOrAtLeader(
      context,
      () => this.#here.append(request, context),
      (leader) => this.#calls.appendLog(leader, request, context),
      this.#patience,
    );
  }

  /** Only comes on streams, which stay where they are. */
  appendPack(pack: LogPack, context: RequestContext): Promise<LogPacked> {
    return this.#here.appendPack(pack, context);
  }

  list(prefix: string, context: RequestContext): Promise<readonly LogDescription[]> {
    return this.#patiently(context, () => this.#here.list(prefix, context));
  }

  describe(name: string, context: RequestContext): Promise<LogDescription> {
    return this.#patiently(context, () => this.#here.describe(name, context));
  }

  read(request: LogRead, context: RequestContext): Promise<LogPage> {
    return this.#patiently(context, () => this.#here.read(request, context));
  }

  tail(request: LogTail, context: RequestContext): AsyncIterable<LogPage> {
    return this.#here.tail(request, context);
  }

  #patiently<T>(context: RequestContext, work: () => Promise<T>): Promise<T> {
    return this.#patience === undefined ? work() : this.#patience.run(context, work);
  }
}
