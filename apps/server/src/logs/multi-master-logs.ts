/**
 * Logs of mode multi-master: every node takes appends and answers from what it has, also while it hears nobody. Only making
 * and deleting a log is the cluster's matter.
 */
import type { LogCatalogueEntry } from '../apply/catalogue.js';
import { ownGroup } from '../apply/own-group.js';
import type { StreamCounters } from '../apply/stream-table.js';
import type { NodeLimits } from '../limits.js';
import type { SystemGroup } from '../raft/system-group.js';
import type { MultiMaster, OriginParts } from '../replication/multi-master.js';
import type { Gate } from '../requests/gate.js';
import { checkCount, invalidRequest } from '../requests/request-checks.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import { AppendBatches, type AppendPlace, type AppendWork, workOf } from './append-batches.js';
import { linearizable, unknownLog } from './known-logs.js';
import { checkAppend, checkLogName, checkLogRead, checkSettings } from './log-checks.js';
import type { LogFiles } from './log-files.js';
import { checkPack, packRanges } from './log-pack.js';
import { streamPlace } from './log-place.js';
import type {
  Acknowledgement,
  LogAppend,
  LogAppended,
  LogDescription,
  LogPack,
  LogPacked,
  LogPage,
  LogPosition,
  LogRead,
  LogRequests,
  LogScope,
  LogSettings,
  LogTail,
} from './log-requests.js';
import { PageScratch } from './page-scratch.js';
import { StreamPages } from './stream-pages.js';
import { packedTailBytes, packedTailEntries, tailPageEntries } from './tail-page-sizes.js';

/** What it stands on. */
export interface MultiMasterLogParts {
  readonly system: SystemGroup;
  readonly multiMaster: MultiMaster;
  readonly files: LogFiles;
  readonly limits: NodeLimits;
  readonly gate: Gate;
  readonly nodeId: number;
}

const oneOrigin: LogScope = { allOrigins: false, epoch: 0, order: 'arrival' };

/** The log plane over the streams of this node. */
export class MultiMasterLogs implements LogRequests {
  readonly #parts: MultiMasterLogParts;
  readonly #batches = new AppendBatches();

  constructor(parts: MultiMasterLogParts) {
    this.#parts = parts;
  }

  async create(name: string, settings: LogSettings, context: RequestContext): Promise<LogDescription> {
    const { gate, system, nodeId } = this.#parts;
    gate.enter(context);
    checkLogName(name);
    await system.change({ type: 'createLog', name, settings: checkSettings(settings), origin: nodeId });
    return this.describe(name, context);
  }

  /** What this node has of the catalogue; never waits. */
  async list(prefix: string, context: RequestContext): Promise<readonly LogDescription[]> {
    this.#parts.gate.enter(context);
    const entries = this.#parts.system.catalogue.logs();
    const here = entries.filter(({ name, groupId }) => groupId === ownGroup && name.startsWith(prefix));
    return Promise.all(here.map((entry) => this.#describe(entry)));
  }

  async describe(name: string, context: RequestContext): Promise<LogDescription> {
    this.#parts.gate.enter(context);
    return this.#describe(await this.#entry(name));
  }

  async delete(name: string, context: RequestContext): Promise<void> {
    const { gate, system } = this.#parts;
    gate.enter(context);
    await this.#entry(name);
    // Every node lets its streams go when it hears of it.
    await system.change({ type: 'deleteLog', name });
  }

  async append(request: LogAppend, context: RequestContext): Promise<LogAppended> {
    const { gate, limits, nodeId } = this.#parts;
    gate.enter(context);
    checkAppend(request, limits);
    const entry = this.#here(request.log) ?? (await this.#entry(request.log));
    const place = await this.#append(entry, workOf(request), request.acknowledgement);
    const { epoch, firstSequence, lastSequence, timeMs, duplicate } = place;
    return { origin: nodeId, epoch, firstSequence, lastSequence, timeMs, duplicate };
  }

  async appendPack(pack: LogPack, context: RequestContext): Promise<LogPacked> {
    const { gate, limits, multiMaster, nodeId } = this.#parts;
    gate.enter(context);
    const entry = this.#here(pack.log) ?? (await this.#entry(pack.log));
    const checked = checkPack(pack, limits, false);
    const { work } = checked;
    const place = work === undefined ? undefined : await this.#append(entry, work, pack.acknowledgement);
    const epoch = place?.epoch ?? multiMaster.begun?.replica.machine.streams.own.epoch ?? 0;
    return { origin: nodeId, epoch, ranges: packRanges(checked, place) };
  }

  async #append(
    { logId, settings }: LogCatalogueEntry,
    work: AppendWork,
    acknowledgement: Acknowledgement = settings.acknowledgement,
  ): Promise<AppendPlace & { readonly epoch: number }> {
    const { limits, multiMaster, nodeId, files } = this.#parts;
    const { writer, replica } = await multiMaster.ready();
    const { epoch: present } = replica.machine.streams.own;
    files.refuseDamaged(streamPlace({ logId, origin: nodeId, epoch: present }));
    const batched = {
      logId,
      ready: () => Promise.resolve(),
      propose: (together: AppendWork) => writer.append({ logId, ...together }),
    };
    const place = await this.#batches.append(batched, work);
    const { epoch = present, lastSequence } = place;
    const stream = { logId, origin: nodeId, epoch };
    if (acknowledgement !== 'local') {
      await multiMaster.heldBy(stream, lastSequence, acknowledgement, limits.proposalTimeoutMs);
    }
    return { ...place, epoch };
  }

  async read(request: LogRead, context: RequestContext): Promise<LogPage> {
    this.#parts.gate.enter(context);
    checkLogRead(request);
    const { pages } = await this.#pages(request);
    const { limit, maxBytes, takesPacked = false } = request;
    // Merged by its reader, a page cannot have a limit.
    const isMerged = request.scope?.order === 'time';
    return takesPacked && !isMerged ? pages.nextPacked({ limit, maxBytes }) : pages.next({ limit, maxBytes });
  }

  async *tail(request: LogTail, context: RequestContext): AsyncGenerator<LogPage> {
    this.#parts.gate.enter(context);
    const { pages, origin, logId } = await this.#pages(request);
    yield* this.#parts.gate.untilClosed(context.signal, (signal) =>
      this.#tailPages(pages, origin, { ...request, logId }, signal),
    );
  }

  async *#tailPages(
    pages: StreamPages,
    { replica }: OriginParts,
    { logId, log, takesPacked }: LogTail & { readonly logId: number },
    signal: AbortSignal,
  ): AsyncGenerator<LogPage> {
    const { published } = replica.state.changes;
    const { pageBytes } = this.#parts.limits;
    const bounds = { limit: tailPageEntries, maxBytes: pageBytes };
    const packedBounds = { limit: packedTailEntries, maxBytes: Math.min(packedTailBytes, pageBytes) };
    const scratch = new PageScratch(packedBounds.maxBytes);
    while (!signal.aborted) {
      if (replica.machine.streams.isDropped(logId)) throw unknownLog(log);
      const seen = published.count;
      const page = takesPacked ? await pages.nextPacked(packedBounds, scratch) : await pages.next(bounds);
      if (page.entries.length > 0 || (page.packed?.length ?? 0) > 0) yield page;
      else await published.wait(signal, seen);
    }
  }

  async #pages(request: LogRead | LogTail): Promise<{ pages: StreamPages; origin: OriginParts; logId: number }> {
    const { multiMaster, files, nodeId } = this.#parts;
    const { logId } = this.#here(request.log) ?? (await this.#entry(request.log));
    const { scope = oneOrigin, log } = request;
    checkScope(request.origin, scope);
    const origin = await multiMaster.open();
    const { streams } = origin.replica.machine;
    const wanted = request.origin === 0 ? nodeId : request.origin;
    const isIn = (stream: StreamCounters) => scope.allOrigins || stream.origin === wanted;
    const pages = new StreamPages({
      ...{ log, files, order: scope.order },
      streams: () => streams.visibleOf(logId).filter(isIn),
      watermark: () => multiMaster.watermark(logId, origin),
    });
    if (scope.positions !== undefined) {
      checkKnown(log, scope.positions, streams.visibleOf(logId));
      pages.resume(scope.positions);
    } else await pages.seek(request.start, scope.epoch);
    return { pages, origin, logId };
  }

  #here(name: string): LogCatalogueEntry | undefined {
    const entry = this.#parts.system.catalogue.log(name);
    return entry?.groupId === ownGroup ? entry : undefined;
  }

  /** As of now where the cluster can be asked, else as this node has it. */
  async #entry(name: string): Promise<LogCatalogueEntry> {
    const { replica } = this.#parts.system;
    if (this.#here(name) === undefined) await replica.readBarrier(linearizable);
    const entry = this.#here(name);
    if (entry === undefined) throw unknownLog(name);
    return entry;
  }

  async #describe({ name, logId, settings, createdAtMs }: LogCatalogueEntry): Promise<LogDescription> {
    const { multiMaster, files } = this.#parts;
    const streams = multiMaster.begun?.replica.machine.streams.visibleOf(logId) ?? [];
    const origins = streams.map(async (stream) => {
      const { origin, epoch, firstSequence, lastSequence } = stream;
      return { origin, epoch, firstSequence, lastSequence, ...(await files.size(streamPlace(stream))) };
    });
    return { name, logId, settings, createdAtMs, origins: await Promise.all(origins) };
  }
}

function checkScope(origin: number, { allOrigins, epoch, positions = [] }: LogScope): void {
  checkCount('origin', origin, 0);
  checkCount('epoch', epoch, 0);
  if (allOrigins && origin !== 0) throw invalidRequest(`origin ${origin} is named, and all origins are asked for`);
  if (allOrigins && epoch !== 0) throw invalidRequest('an epoch is one origin’s; name positions to read all origins');
  for (const position of positions) {
    checkCount('origin of a position', position.origin, 1);
    checkCount('epoch of a position', position.epoch, 1);
    checkCount('sequence of a position', position.sequence, 0);
  }
}

/**
 * A position in a stream of which this node has not heard: of another log or cluster, or not come here yet. Passing over it
 * would give its entries to the reader once more when they come.
 */
function checkKnown(log: string, positions: readonly LogPosition[], streams: readonly StreamCounters[]): void {
  for (const { origin, epoch, sequence } of positions) {
    const isKnown = streams.some((stream) => stream.origin === origin && stream.epoch === epoch);
    if (isKnown || sequence === 0) continue;
    throw new ServerError(
      'OUT_OF_RANGE',
      `log '${log}' has nothing of origin ${origin} in epoch ${epoch} here, the reader is behind entry ${sequence}`,
      { details: { origin, epoch, firstSequence: 1, lastSequence: 0 } },
    );
  }
}
