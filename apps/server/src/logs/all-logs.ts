import { ownGroup } from '../apply/own-group.js';
import type { SystemGroup } from '../raft/system-group.js';
import { invalidRequest } from '../requests/request-checks.js';
import type { RequestContext } from '../requests/request-context.js';
import { linearizable } from './known-logs.js';
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
} from './log-requests.js';

/** What it stands on. */
export interface AllLogParts {
  readonly system: SystemGroup;
  /** Logs that one group orders. */
  readonly quorum: LogRequests;
  /** Logs that every node writes. */
  readonly multiMaster: LogRequests;
}

/** Both kinds of logs, each request to the one that it concerns. */
export class AllLogs implements LogRequests {
  readonly #parts: AllLogParts;

  constructor(parts: AllLogParts) {
    this.#parts = parts;
  }

  create(name: string, settings: LogSettings, context: RequestContext): Promise<LogDescription> {
    const { quorum, multiMaster } = this.#parts;
    // Such as were made before cluster version 3 are logs of a group, and can be asked for again.
    const isQuorum = settings.mode !== 'multi-master' || this.#groupOf(name) === 'quorum';
    return (isQuorum ? quorum : multiMaster).create(name, settings, context);
  }

  async list(prefix: string, context: RequestContext): Promise<readonly LogDescription[]> {
    const quorum = await this.#parts.quorum.list(prefix, context);
    const all = [...quorum, ...(await this.#parts.multiMaster.list(prefix, context))];
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async describe(name: string, context: RequestContext): Promise<LogDescription> {
    return (await this.#kindOf(name)).describe(name, context);
  }

  async delete(name: string, context: RequestContext): Promise<void> {
    return (await this.#kindOf(name)).delete(name, context);
  }

  append(request: LogAppend, context: RequestContext): Promise<LogAppended> {
    const { quorum, multiMaster } = this.#parts;
    const group = this.#groupOf(request.log);
    if (group === undefined) return this.#kindOf(request.log).then((logs) => logs.append(request, context));
    return (group === 'quorum' ? quorum : multiMaster).append(request, context);
  }

  async appendPack(pack: LogPack, context: RequestContext): Promise<LogPacked> {
    const { quorum, multiMaster } = this.#parts;
    const group = this.#groupOf(pack.log);
    if (group === undefined) return (await this.#kindOf(pack.log)).appendPack(pack, context);
    return (group === 'quorum' ? quorum : multiMaster).appendPack(pack, context);
  }

  async read(request: LogRead, context: RequestContext): Promise<LogPage> {
    const logs = await this.#kindOf(request.log);
    this.#checkScope(logs, request);
    return logs.read(request, context);
  }

  async *tail(request: LogTail, context: RequestContext): AsyncGenerator<LogPage> {
    const logs = await this.#kindOf(request.log);
    this.#checkScope(logs, request);
    yield* logs.tail(request, context);
  }

  #checkScope(logs: LogRequests, { log, scope }: LogRead | LogTail): void {
    if (scope === undefined || logs === this.#parts.multiMaster) return;
    const { allOrigins, epoch, positions, order } = scope;
    if (!allOrigins && epoch === 0 && positions === undefined && order === 'arrival') return;
    throw invalidRequest(
      `log '${log}' has one origin; all origins, epochs, positions and the order of time are for mode multi-master`,
    );
  }

  #groupOf(name: string): 'quorum' | 'multi-master' | undefined {
    const entry = this.#parts.system.catalogue.log(name);
    if (entry === undefined) return undefined;
    return entry.groupId === ownGroup ? 'multi-master' : 'quorum';
  }

  /** What this node does not know may be known to others; what nobody knows is the quorum logs' to refuse. */
  async #kindOf(name: string): Promise<LogRequests> {
    if (this.#groupOf(name) === undefined) await this.#parts.system.replica.readBarrier(linearizable);
    return this.#groupOf(name) === 'multi-master' ? this.#parts.multiMaster : this.#parts.quorum;
  }
}
