import { type Clock, invariant } from '@shanghai/env';
import { firstDataGroup } from '../apply/catalogue.js';
import type { NodeLimits } from '../limits.js';
import type { Replica } from '../raft/replica.js';
import type { SystemGroup } from '../raft/system-group.js';
import type { Gate } from '../requests/gate.js';
import { invalidRequest } from '../requests/request-checks.js';
import type { RequestContext } from '../requests/request-context.js';
import { requireLeader } from '../routing/require-leader.js';
import type { SlotRouter } from '../routing/slot-router.js';
import {
  AppendBatches,
  type AppendPlace,
  type AppendWork,
  appendCommand,
  type BatchedLog,
  workOf,
} from './append-batches.js';
import { EveryReplica } from './every-replica.js';
import { type KnownLog, KnownLogs, linearizable, placeOf, unknownLog } from './known-logs.js';
import { checkAppend, checkKeys, checkLogName, checkLogRead, checkSettings } from './log-checks.js';
import type { LogFiles } from './log-files.js';
import { checkPack, packRanges } from './log-pack.js';
import { packedFrom, pageFrom, startSequence } from './log-pages.js';
import type {
  Acknowledgement,
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
import { PageScratch } from './page-scratch.js';
import { packedTailBytes, packedTailEntries, tailPageEntries } from './tail-page-sizes.js';

/** What the log plane stands on. */
export interface LogServiceParts {
  readonly system: SystemGroup;
  readonly router: SlotRouter;
  readonly files: LogFiles;
  readonly limits: NodeLimits;
  readonly gate: Gate;
  readonly nodeId: number;
  readonly clock: Clock;
}

/** The log plane over this node's replicas and log files. */
export class LogService implements LogRequests {
  readonly #parts: LogServiceParts;
  readonly #batches = new AppendBatches();
  readonly #logs: KnownLogs;
  readonly #all = new Map<Replica, EveryReplica>();

  constructor(parts: LogServiceParts) {
    this.#parts = parts;
    this.#logs = new KnownLogs(parts.system, parts.router);
  }

  async create(name: string, settings: LogSettings, context: RequestContext): Promise<LogDescription> {
    const { gate, system, router, nodeId } = this.#parts;
    gate.enter(context);
    checkLogName(name);
    const checked = checkSettings(settings);
    requireLeader(router.replica(firstDataGroup), system.replica.machine.catalogue.nodes);
    await system.change({ type: 'createLog', name, settings: checked, origin: nodeId });
    const entry = this.#logs.catalogued(name);
    await router.replica(entry.groupId).propose({ kind: 'logStart', logId: entry.logId, origin: entry.origin });
    return this.#describe(this.#logs.known(name));
  }

  async list(prefix: string, context: RequestContext): Promise<readonly LogDescription[]> {
    this.#parts.gate.enter(context);
    await this.#logs.catchUp();
    const descriptions: LogDescription[] = [];
    for (const { name } of this.#parts.system.replica.machine.catalogue.logs()) {
      if (!name.startsWith(prefix)) continue;
      const log = this.#logs.find(name);
      if (log !== undefined) descriptions.push(await this.#describe(log));
    }
    return descriptions;
  }

  async describe(name: string, context: RequestContext): Promise<LogDescription> {
    this.#parts.gate.enter(context);
    return this.#describe(await this.#logs.now(name));
  }

  async delete(name: string, context: RequestContext): Promise<void> {
    const { gate, system, router } = this.#parts;
    gate.enter(context);
    const { groupId, logId } = (await this.#logs.now(name)).entry;
    requireLeader(router.replica(groupId), system.replica.machine.catalogue.nodes);
    await system.change({ type: 'deleteLog', name });
    const replica = router.replica(groupId);
    await replica.propose({ kind: 'logDrop', logId });
    // Whoever tails it wakes up and finds it gone.
    replica.state.changes.published.notify();
  }

  async append(request: LogAppend, context: RequestContext): Promise<LogAppended> {
    const { gate, limits } = this.#parts;
    gate.enter(context);
    checkAppend(request, limits);
    const log = this.#logs.find(request.log) ?? (await this.#logs.now(request.log));
    const { entry, counters } = log;
    if (entry.settings.cleanupPolicy === 'compact') checkKeys(entry.name, request.records);
    const place = await this.#append(log, workOf(request), request.acknowledgement);
    const { firstSequence, lastSequence, timeMs, duplicate } = place;
    return { origin: entry.origin, epoch: counters.epoch, firstSequence, lastSequence, timeMs, duplicate };
  }

  async appendPack(pack: LogPack, context: RequestContext): Promise<LogPacked> {
    this.#parts.gate.enter(context);
    const log = this.#logs.find(pack.log) ?? (await this.#logs.now(pack.log));
    const { entry, counters } = log;
    const checked = checkPack(pack, this.#parts.limits, entry.settings.cleanupPolicy === 'compact');
    const { work } = checked;
    const place = work === undefined ? undefined : await this.#append(log, work, pack.acknowledgement);
    return { origin: entry.origin, epoch: counters.epoch, ranges: packRanges(checked, place) };
  }

  async #append(log: KnownLog, work: AppendWork, acknowledgement: Acknowledgement | undefined): Promise<AppendPlace> {
    const { files, system } = this.#parts;
    const { entry, replica } = log;
    const batched: BatchedLog = {
      logId: entry.logId,
      // What is committed must be stored: a damaged log is refused before anything is.
      ready: () =>
        files.check(placeOf(log)).catch((error: unknown) => {
          // A copy that is damaged here is no reason to refuse what another node leads.
          requireLeader(replica, system.replica.machine.catalogue.nodes);
          throw error;
        }),
      propose: async (together) => {
        const result = await replica.propose(appendCommand(entry.logId, together));
        invariant(result.type === 'logAppended', `an append gave '${result.type}'`);
        return result;
      },
    };
    const place = await this.#batches.append(batched, work);
    files.refuseDamaged(placeOf(log));
    if ((acknowledgement ?? entry.settings.acknowledgement) === 'all') await this.#everyReplica(replica).has();
    return place;
  }

  #everyReplica(replica: Replica): EveryReplica {
    let all = this.#all.get(replica);
    if (all === undefined) {
      all = new EveryReplica(replica, this.#parts.clock, this.#parts.limits.proposalTimeoutMs);
      this.#all.set(replica, all);
    }
    return all;
  }

  async read(request: LogRead, context: RequestContext): Promise<LogPage> {
    this.#parts.gate.enter(context);
    checkLogRead(request);
    const log = this.#logs.find(request.log) ?? (await this.#logs.now(request.log));
    checkOrigin(log, request.origin);
    await log.replica.readBarrier(linearizable);
    const now = this.#logs.known(request.log);
    return this.#parts.files.use(placeOf(now), async (wal) => {
      const from = await startSequence(request.start, now, wal);
      const { limit, maxBytes, takesPacked } = request;
      const packed = takesPacked ? await packedFrom(now, wal, from, limit, maxBytes) : undefined;
      return packed ?? pageFrom(now, wal, from, limit, maxBytes);
    });
  }

  async *tail(request: LogTail, context: RequestContext): AsyncGenerator<LogPage> {
    this.#parts.gate.enter(context);
    const log = this.#logs.find(request.log) ?? (await this.#logs.now(request.log));
    checkOrigin(log, request.origin);
    await log.replica.readBarrier(linearizable);
    yield* this.#parts.gate.untilClosed(context.signal, (signal) => this.#tailPages(log, request, signal));
  }

  async *#tailPages(log: KnownLog, request: LogTail, signal: AbortSignal): AsyncGenerator<LogPage> {
    const { start, takesPacked = false } = request;
    const { files, limits } = this.#parts;
    const packedBytes = Math.min(packedTailBytes, limits.pageBytes);
    const scratch = new PageScratch(packedBytes);
    const { published } = log.replica.state.changes;
    let next = await files.use(placeOf(log), (wal) => startSequence(start, log, wal));
    while (!signal.aborted) {
      // A snapshot may have put another state in since the last page.
      const counters = log.replica.machine.logs.get(log.entry.logId);
      if (counters === undefined) throw unknownLog(log.entry.name);
      const now = { ...log, counters };
      const seen = published.count;
      const from = next;
      scratch.next();
      const page = await files.use(placeOf(log), async (wal) => {
        const packed = takesPacked
          ? await packedFrom(now, wal, from, packedTailEntries, packedBytes, scratch)
          : undefined;
        return packed ?? pageFrom(now, wal, from, tailPageEntries, limits.pageBytes);
      });
      next = page.nextSequence;
      if (page.packed !== undefined || page.entries.length > 0 || page.gaps.length > 0) yield page;
      else await published.wait(signal, seen);
    }
  }

  async #describe(log: KnownLog): Promise<LogDescription> {
    const { entry, counters } = log;
    const { bytes, segments } = await this.#parts.files.size(placeOf(log));
    const { origin, epoch, firstSequence, lastSequence } = counters;
    return {
      name: entry.name,
      logId: entry.logId,
      settings: entry.settings,
      createdAtMs: entry.createdAtMs,
      origins: [{ origin, epoch, firstSequence, lastSequence, bytes, segments }],
    };
  }
}

function checkOrigin(log: KnownLog, origin: number): void {
  // 0 asks for the only origin there is.
  if (origin === 0 || origin === log.entry.origin) return;
  throw invalidRequest(`log '${log.entry.name}' has no origin ${origin} here; its origin is ${log.entry.origin}`);
}
