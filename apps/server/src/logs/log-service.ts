import { invariant } from '@shanghai/env';
import { type Wal, WalError } from '@shanghai/wal';
import { firstDataGroup, type LogCatalogueEntry } from '../apply/catalogue.js';
import type { LogCounters } from '../apply/log-table.js';
import type { NodeLimits } from '../limits.js';
import type { Replica } from '../raft/replica.js';
import type { SystemGroup } from '../raft/system-group.js';
import type { Gate } from '../requests/gate.js';
import { invalidRequest } from '../requests/request-checks.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import { requireLeader } from '../routing/require-leader.js';
import type { SlotRouter } from '../routing/slot-router.js';
import { AppendBatches, type BatchedLog } from './append-batches.js';
import { checkAppend, checkLogName, checkLogRead, checkSettings } from './log-checks.js';
import { decodeFileRecord } from './log-file-record.js';
import type { LogFiles } from './log-files.js';
import type {
  LogAppend,
  LogAppended,
  LogDescription,
  LogEntry,
  LogPage,
  LogRead,
  LogRequests,
  LogSettings,
  LogStart,
  LogTail,
} from './log-requests.js';

/** What the log plane stands on. */
export interface LogServiceParts {
  readonly system: SystemGroup;
  readonly router: SlotRouter;
  readonly files: LogFiles;
  readonly limits: NodeLimits;
  readonly gate: Gate;
  readonly nodeId: number;
}

/** Entries of a page of a tail. */
const tailPageEntries = 1000;

/** A log as a request meets it: its catalogue entry, its group's copy here, its counters there. */
interface KnownLog {
  readonly entry: LogCatalogueEntry;
  readonly replica: Replica;
  readonly counters: LogCounters;
}

/** The log plane over this node's replicas and log files. */
export class LogService implements LogRequests {
  readonly #parts: LogServiceParts;
  readonly #batches = new AppendBatches();

  constructor(parts: LogServiceParts) {
    this.#parts = parts;
  }

  async create(name: string, settings: LogSettings, context: RequestContext): Promise<LogDescription> {
    const { gate, system, router, nodeId } = this.#parts;
    gate.enter(context);
    checkLogName(name);
    const checked = checkSettings(settings);
    requireLeader(router.replica(firstDataGroup), system.replica.machine.catalogue.nodes);
    await system.change({ type: 'createLog', name, settings: checked, origin: nodeId });
    const entry = this.#catalogued(name);
    await router.replica(entry.groupId).propose({ kind: 'logStart', logId: entry.logId, origin: entry.origin });
    return this.#describe(this.#known(name));
  }

  async list(prefix: string, context: RequestContext): Promise<readonly LogDescription[]> {
    this.#parts.gate.enter(context);
    await this.#catchUp();
    const descriptions: LogDescription[] = [];
    for (const { name } of this.#parts.system.replica.machine.catalogue.logs()) {
      if (!name.startsWith(prefix)) continue;
      const log = this.#find(name);
      if (log !== undefined) descriptions.push(await this.#describe(log));
    }
    return descriptions;
  }

  async describe(name: string, context: RequestContext): Promise<LogDescription> {
    this.#parts.gate.enter(context);
    return this.#describe(await this.#knownNow(name));
  }

  async delete(name: string, context: RequestContext): Promise<void> {
    const { gate, system, router } = this.#parts;
    gate.enter(context);
    const { groupId, logId } = (await this.#knownNow(name)).entry;
    requireLeader(router.replica(groupId), system.replica.machine.catalogue.nodes);
    await system.change({ type: 'deleteLog', name });
    const replica = router.replica(groupId);
    await replica.propose({ kind: 'logDrop', logId });
    // Whoever tails it wakes up and finds it gone.
    replica.state.changes.published.notify();
  }

  async append(request: LogAppend, context: RequestContext): Promise<LogAppended> {
    const { gate, limits, files, system } = this.#parts;
    gate.enter(context);
    checkAppend(request, limits);
    const log = this.#find(request.log) ?? (await this.#knownNow(request.log));
    const { entry, replica, counters } = log;
    const batched: BatchedLog = {
      logId: entry.logId,
      // What is committed must be stored: a damaged log is refused before anything is.
      ready: () =>
        files.check(placeOf(log)).catch((error: unknown) => {
          // A copy that is damaged here is no reason to refuse what another node leads.
          requireLeader(replica, system.replica.machine.catalogue.nodes);
          throw error;
        }),
      propose: async (command) => {
        const result = await replica.propose(command);
        invariant(result.type === 'logAppended', `an append gave '${result.type}'`);
        return result;
      },
    };
    const { firstSequence, lastSequence, timeMs, duplicate } = await this.#batches.append(batched, request);
    files.refuseDamaged(placeOf(log));
    return { origin: entry.origin, epoch: counters.epoch, firstSequence, lastSequence, timeMs, duplicate };
  }

  async read(request: LogRead, context: RequestContext): Promise<LogPage> {
    this.#parts.gate.enter(context);
    checkLogRead(request);
    const log = this.#find(request.log) ?? (await this.#knownNow(request.log));
    checkOrigin(log, request.origin);
    await log.replica.readBarrier(linearizable);
    const now = this.#known(request.log);
    return this.#parts.files.use(placeOf(now), async (wal) => {
      const from = await startSequence(request.start, now, wal);
      return readPage(now, wal, from, request.limit, request.maxBytes);
    });
  }

  async *tail(request: LogTail, context: RequestContext): AsyncGenerator<LogPage> {
    this.#parts.gate.enter(context);
    const log = this.#find(request.log) ?? (await this.#knownNow(request.log));
    checkOrigin(log, request.origin);
    await log.replica.readBarrier(linearizable);
    yield* this.#parts.gate.untilClosed(context.signal, (signal) => this.#tailPages(log, request.start, signal));
  }

  async *#tailPages(log: KnownLog, start: LogStart, signal: AbortSignal): AsyncGenerator<LogPage> {
    const { files, limits } = this.#parts;
    const { published } = log.replica.state.changes;
    let next = await files.use(placeOf(log), (wal) => startSequence(start, log, wal));
    while (!signal.aborted) {
      // A snapshot may have put another state in since the last page.
      const counters = log.replica.machine.logs.get(log.entry.logId);
      if (counters === undefined) throw unknownLog(log.entry.name);
      const now = { ...log, counters };
      const seen = published.count;
      const page = await files.use(placeOf(log), (wal) => readPage(now, wal, next, tailPageEntries, limits.pageBytes));
      next = page.nextSequence;
      if (page.entries.length > 0) yield page;
      else await published.wait(signal, seen);
    }
  }

  #catalogued(name: string): LogCatalogueEntry {
    const entry = this.#parts.system.replica.machine.catalogue.log(name);
    if (entry === undefined) throw unknownLog(name);
    return entry;
  }

  /** A log as of now: what this node has of the catalogue, and of the group, may be behind. */
  async #knownNow(name: string): Promise<KnownLog> {
    await this.#catchUp();
    return this.#known(name);
  }

  async #catchUp(): Promise<void> {
    const { system, router } = this.#parts;
    await system.replica.readBarrier(linearizable);
    await router.replica(firstDataGroup).readBarrier(linearizable);
  }

  #known(name: string): KnownLog {
    const log = this.#find(name);
    if (log === undefined) throw unknownLog(name);
    return log;
  }

  /** `undefined` also while a log is in the catalogue and not yet, or no longer, in its group. */
  #find(name: string): KnownLog | undefined {
    const entry = this.#parts.system.replica.machine.catalogue.log(name);
    if (entry === undefined) return undefined;
    const replica = this.#parts.router.replica(entry.groupId);
    const counters = replica.machine.logs.get(entry.logId);
    return counters === undefined ? undefined : { entry, replica, counters };
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

const linearizable = { keyspace: '', level: 'linearizable' } as const;

function placeOf({ entry }: KnownLog): { readonly logId: number; readonly origin: number } {
  return { logId: entry.logId, origin: entry.origin };
}

function unknownLog(name: string): ServerError {
  return new ServerError('NOT_FOUND', `there is no log '${name}'`, { details: { log: name } });
}

function checkOrigin(log: KnownLog, origin: number): void {
  // 0 asks for the only origin there is.
  if (origin === 0 || origin === log.entry.origin) return;
  throw invalidRequest(`log '${log.entry.name}' has no origin ${origin} here; its origin is ${log.entry.origin}`);
}

function firstReadable(log: KnownLog, wal: Wal): number {
  const { firstLsn } = wal.info();
  return Math.max(log.counters.firstSequence, firstLsn, 1);
}

async function startSequence(start: LogStart, log: KnownLog, wal: Wal): Promise<number> {
  const first = firstReadable(log, wal);
  const { lastLsn } = wal.info();
  switch (start.from) {
    case 'sequence':
      return start.sequence === 0 ? first : start.sequence;
    case 'end':
      return lastLsn + 1;
    case 'last':
      return Math.max(first, lastLsn + 1 - start.entries);
    case 'time': {
      // Frames carry the log time of the run that wrote them: the first that is late enough may begin with earlier entries.
      const from = Math.max(first, await wal.lsnAtTime(start.timeMs));
      for await (const { lsn, payload } of wal.entries({ from })) {
        if (decodeFileRecord(payload, 0, 0, lsn).timeMs >= start.timeMs) return lsn;
      }
      return lastLsn + 1;
    }
  }
}

async function readPage(log: KnownLog, wal: Wal, from: number, limit: number, maxBytes: number): Promise<LogPage> {
  const firstSequence = firstReadable(log, wal);
  const lastSequence = wal.info().lastLsn;
  if (from < firstSequence || from > lastSequence + 1) throw outOfRange(log, from, firstSequence, lastSequence);
  const entries: LogEntry[] = [];
  let bytes = 0;
  try {
    for await (const { lsn, payload } of wal.entries({ from, to: Math.min(lastSequence + 1, from + limit) })) {
      bytes += payload.length;
      if (entries.length > 0 && bytes > maxBytes) break;
      entries.push(decodeFileRecord(payload, log.entry.origin, log.counters.epoch, lsn));
    }
  } catch (error) {
    if (error instanceof WalError && error.code === 'LSN_TRIMMED') {
      throw outOfRange(log, from, firstReadable(log, wal), lastSequence);
    }
    throw error;
  }
  return { entries, nextSequence: from + entries.length, firstSequence, lastSequence, gaps: [] };
}

function outOfRange(log: KnownLog, asked: number, firstSequence: number, lastSequence: number): ServerError {
  return new ServerError(
    'OUT_OF_RANGE',
    `log '${log.entry.name}' holds sequences ${firstSequence} to ${lastSequence}, asked for ${asked}`,
    { details: { firstSequence, lastSequence } },
  );
}
