import type {
  LogAppend,
  LogAppended,
  LogDescription,
  LogPage,
  LogRead,
  LogRequests,
  LogSettings,
  LogTail,
} from '../logs/log-requests.js';
import type { RequestContext } from '../requests/request-context.js';
import { hereOrAtLeader } from './here-or-at-leader.js';
import type { LeaderCalls } from './leader-calls.js';

/** The log plane of a node that may not lead: what changes logs goes to the leader, what reads them is served here. */
export class ForwardingLogs implements LogRequests {
  readonly #here: LogRequests;
  readonly #calls: LeaderCalls;

  constructor(here: LogRequests, calls: LeaderCalls) {
    this.#here = here;
    this.#calls = calls;
  }

  create(name: string, settings: LogSettings, context: RequestContext): Promise<LogDescription> {
    return hereOrAtLeader(
      context,
      () => this.#here.create(name, settings, context),
      (leader) => this.#calls.createLog(leader, name, settings, context),
    );
  }

  delete(name: string, context: RequestContext): Promise<void> {
    return hereOrAtLeader(
      context,
      () => this.#here.delete(name, context),
      (leader) => this.#calls.deleteLog(leader, name, context),
    );
  }

  append(request: LogAppend, context: RequestContext): Promise<LogAppended> {
    return hereOrAtLeader(
      context,
      () => this.#here.append(request, context),
      (leader) => this.#calls.appendLog(leader, request, context),
    );
  }

  list(prefix: string, context: RequestContext): Promise<readonly LogDescription[]> {
    return this.#here.list(prefix, context);
  }

  describe(name: string, context: RequestContext): Promise<LogDescription> {
    return this.#here.describe(name, context);
  }

  read(request: LogRead, context: RequestContext): Promise<LogPage> {
    return this.#here.read(request, context);
  }

  tail(request: LogTail, context: RequestContext): AsyncIterable<LogPage> {
    return this.#here.tail(request, context);
  }
}
