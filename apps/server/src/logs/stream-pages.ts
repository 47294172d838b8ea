/**
 * Pages of a log of mode multi-master, out of the streams that this node has of it.
 *
 * Where a reader stands is a vector: of each stream the next sequence. In the order of arrival a page takes from the streams
 * one after the other what they have, beginning with another one each time. In the order of time it is a merge by stamps,
 * up to the watermark, before which nothing can come any more.
 */
import { compareHlc, compareStamps, type EntryStamp, type Hlc } from '@shanghai/replication';
import { WalError } from '@shanghai/wal';
import type { StreamCounters } from '../apply/stream-table.js';
import { invalidRequest } from '../requests/request-checks.js';
import { ServerError } from '../requests/server-error.js';
import { decodeFileRecord } from './log-file-record.js';
import type { LogFiles } from './log-files.js';
import { streamPlace } from './log-place.js';
import type { LogEntry, LogPage, LogPosition, LogScope, LogStart } from './log-requests.js';
import { lastStamp, type PackedEntries, packBlock, packedUpTo } from './packed-entries.js';
import type { PageScratch } from './page-scratch.js';
import { sequenceAtTime } from './stream-reads.js';

/** What is read from. */
export interface StreamPageParts {
  readonly log: string;
  readonly files: LogFiles;
  /** The streams of the log that are in the scope, as readers see them, by origin and epoch. */
  readonly streams: () => readonly StreamCounters[];
  /** Up to where all entries of all origins are here. */
  readonly watermark: () => Hlc;
  readonly order: LogScope['order'];
}

/** How much a page holds. */
export interface PageBounds {
  readonly limit: number;
  readonly maxBytes: number;
}

/** A reader of a log's streams. */
export class StreamPages {
  readonly #parts: StreamPageParts;
  /** Of each stream the next sequence; what is not in it begins with its first entry. */
  readonly #next = new Map<string, number>();
  #turn = 0;
  /** Of the page that is being made. */
  #scratch: PageScratch | undefined;

  constructor(parts: StreamPageParts) {
    this.#parts = parts;
  }

  /** Goes to where reading begins. `epoch`: see `LogScope`. */
  async seek(start: LogStart, epoch: number): Promise<void> {
    const streams = this.#parts.streams();
    if (start.from === 'sequence' && start.sequence > 0) return this.#seekSequence(streams, start.sequence, epoch);
    for (const stream of streams) this.#next.set(nameOf(stream), await this.#startIn(stream, start));
  }

  /** Goes behind these entries. Throws `INVALID_REQUEST` where one is named twice. */
  resume(positions: readonly LogPosition[]): void {
    for (const position of positions) {
      const name = nameOf(position);
      if (this.#next.has(name))
        throw invalidRequest(`origin ${position.origin}, epoch ${position.epoch} is named twice`);
      this.#next.set(name, position.sequence + 1);
    }
  }

  /** The next page, perhaps an empty one. Rejects with `OUT_OF_RANGE` where what comes next is not there any more. */
  async next(bounds: PageBounds): Promise<LogPage> {
    // Before the streams: what it covers is there.
    const watermark = this.#parts.watermark();
    const streams = this.#parts.streams();
    for (const stream of streams) this.#check(stream);
    const isTime = this.#parts.order === 'time';
    const entries = isTime ? await this.#merged(streams, watermark, bounds) : await this.#arrived(streams, bounds);
    return { entries, ...this.#place(streams, watermark) };
  }

  /** As `next`, packed. In the order of time bounded by bytes alone. */
  async nextPacked(bounds: PageBounds, scratch?: PageScratch): Promise<LogPage> {
    this.#scratch = scratch;
    scratch?.next();
    const watermark = this.#parts.watermark();
    const streams = this.#parts.streams();
    for (const stream of streams) this.#check(stream);
    const isTime = this.#parts.order === 'time';
    const packed = isTime
      ? await this.#packedToMerge(streams, watermark, bounds.maxBytes)
      : await this.#packedAsArrived(streams, bounds);
    return { entries: [], packed, ...this.#place(streams, watermark) };
  }

  #place(streams: readonly StreamCounters[], watermark: Hlc): Omit<LogPage, 'entries'> {
    const last = streams.at(-1);
    return {
      nextSequence: last === undefined ? 1 : this.#nextOf(last),
      firstSequence: last?.firstSequence ?? 1,
      lastSequence: last?.lastSequence ?? 0,
      gaps: [],
      positions: streams.map((stream) => ({ ...idOf(stream), sequence: this.#nextOf(stream) - 1 })),
      watermarkMs: watermark.ms,
    };
  }

  async #arrived(streams: readonly StreamCounters[], bounds: PageBounds): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    let bytes = 0;
    for (let i = 0; i < streams.length; i++) {
      const stream = streams[(this.#turn + i) % streams.length] as StreamCounters;
      const from = this.#nextOf(stream);
      for (const { entry, size } of await this.#read(
        stream,
        from,
        bounds.limit - entries.length,
        bounds.maxBytes - bytes,
      )) {
        if (entries.length > 0 && bytes + size > bounds.maxBytes) break;
        entries.push(entry);
        bytes += size;
        this.#next.set(nameOf(stream), entry.sequence + 1);
      }
      if (entries.length >= bounds.limit || bytes >= bounds.maxBytes) break;
    }
    this.#turn++;
    return entries;
  }

  /** A stream that has more than a page's worth up to the watermark fills the page before its end is passed. */
  async #merged(streams: readonly StreamCounters[], watermark: Hlc, bounds: PageBounds): Promise<LogEntry[]> {
    const found: { entry: LogEntry; size: number }[] = [];
    let bound: EntryStamp | undefined;
    for (const stream of streams) {
      const from = this.#nextOf(stream);
      const some = await this.#read(stream, from, bounds.limit, bounds.maxBytes);
      const stable = some.filter(({ entry }) => compareHlc(hlcOf(entry), watermark) <= 0);
      found.push(...stable);
      const last = stable.at(-1);
      if (last === undefined || stable.length < some.length || last.entry.sequence === stream.lastSequence) continue;
      const stamp = stampOf(last.entry);
      if (bound === undefined || compareStamps(stamp, bound) < 0) bound = stamp;
    }
    found.sort((a, b) => compareStamps(stampOf(a.entry), stampOf(b.entry)));
    const entries: LogEntry[] = [];
    let bytes = 0;
    for (const { entry, size } of found) {
      if (bound !== undefined && compareStamps(stampOf(entry), bound) > 0) break;
      if (entries.length >= bounds.limit || (entries.length > 0 && bytes + size > bounds.maxBytes)) break;
      entries.push(entry);
      bytes += size;
      this.#next.set(nameOf(entry), entry.sequence + 1);
    }
    return entries;
  }

  async #packedAsArrived(streams: readonly StreamCounters[], bounds: PageBounds): Promise<PackedEntries[]> {
    const packed: PackedEntries[] = [];
    let { limit, maxBytes } = bounds;
    for (let i = 0; i < streams.length && limit > 0 && maxBytes > 0; i++) {
      const stream = streams[(this.#turn + i) % streams.length] as StreamCounters;
      const some = await this.#readPacked(stream, limit, maxBytes);
      if (some === undefined || (packed.length > 0 && some.bytes.length > maxBytes)) continue;
      packed.push(some);
      limit -= some.count;
      maxBytes -= some.bytes.length;
      this.#goBehind(some);
    }
    this.#turn++;
    return packed;
  }

  /** Of each stream its share of the page, as far as no stream has anything earlier that is not in the page. */
  async #packedToMerge(streams: readonly StreamCounters[], watermark: Hlc, maxBytes: number): Promise<PackedEntries[]> {
    const left = streams.filter((stream) => this.#nextOf(stream) <= stream.lastSequence);
    const found: PackedEntries[] = [];
    let bound: EntryStamp = { hlc: watermark, origin: Infinity, epoch: Infinity, sequence: Infinity };
    for (const stream of left) {
      const some = await this.#readPacked(stream, Infinity, Math.ceil(maxBytes / left.length));
      if (some === undefined) continue;
      found.push(some);
      const last = lastStamp(some);
      if (last.sequence < stream.lastSequence && compareStamps(last, bound) < 0) bound = last;
    }
    const packed = found.map((some) => packedUpTo(some, bound)).filter((some) => some !== undefined);
    for (const some of packed) this.#goBehind(some);
    return packed;
  }

  async #readPacked(stream: StreamCounters, limit: number, maxBytes: number): Promise<PackedEntries | undefined> {
    const from = this.#nextOf(stream);
    if (from > stream.lastSequence) return undefined;
    const to = Math.min(stream.lastSequence + 1, from + limit);
    try {
      const place = streamPlace(stream);
      const block = await this.#parts.files.use(place, (wal) =>
        wal.block({ from, to, maxBytes, ...this.#scratch?.free }),
      );
      this.#scratch?.used(block?.bytes.length ?? 0);
      return block === undefined ? undefined : packBlock(block, stream);
    } catch (error) {
      if (error instanceof WalError && error.code === 'LSN_TRIMMED') throw this.#outOfRange(stream, from);
      throw error;
    }
  }

  #goBehind(packed: PackedEntries): void {
    this.#next.set(nameOf(packed), packed.firstSequence + packed.count);
  }

  async #read(
    stream: StreamCounters,
    from: number,
    limit: number,
    maxBytes: number,
  ): Promise<{ entry: LogEntry; size: number }[]> {
    const { origin, epoch, lastSequence } = stream;
    if (from > lastSequence || limit < 1) return [];
    const found: { entry: LogEntry; size: number }[] = [];
    let bytes = 0;
    try {
      await this.#parts.files.use(streamPlace(stream), async (wal) => {
        for await (const { lsn, payload } of wal.entries({ from, to: Math.min(lastSequence, from + limit - 1) + 1 })) {
          bytes += payload.length;
          if (found.length > 0 && bytes > maxBytes) break;
          found.push({ entry: decodeFileRecord(payload, origin, epoch, lsn), size: payload.length });
        }
      });
    } catch (error) {
      if (error instanceof WalError && error.code === 'LSN_TRIMMED') throw this.#outOfRange(stream, from);
      throw error;
    }
    return found;
  }

  #nextOf(stream: StreamCounters): number {
    return this.#next.get(nameOf(stream)) ?? stream.firstSequence;
  }

  #check(stream: StreamCounters): void {
    const next = this.#nextOf(stream);
    if (next >= stream.firstSequence && next <= stream.lastSequence + 1) return;
    // Of a stream that holds nothing yet here, more may be known to others.
    throw this.#outOfRange(stream, next);
  }

  async #startIn(stream: StreamCounters, start: LogStart): Promise<number> {
    const { firstSequence, lastSequence } = stream;
    switch (start.from) {
      case 'sequence':
        return firstSequence;
      case 'end':
        return lastSequence + 1;
      case 'last':
        return Math.max(firstSequence, lastSequence + 1 - start.entries);
      case 'time':
        if (firstSequence > lastSequence) return firstSequence;
        return this.#parts.files.use(streamPlace(stream), (wal) =>
          sequenceAtTime(wal, firstSequence, lastSequence, start.timeMs),
        );
    }
  }

  /** Earlier epochs are passed over, later ones begin with their first entry. */
  #seekSequence(streams: readonly StreamCounters[], sequence: number, epoch: number): void {
    const last = streams.at(-1);
    const wanted = epoch === 0 ? last : streams.find((stream) => stream.epoch === epoch);
    if (wanted === undefined) {
      if (epoch === 0 && sequence === 1) return;
      throw new ServerError(
        'OUT_OF_RANGE',
        `log '${this.#parts.log}' has no entry ${sequence} of epoch ${epoch} here`,
        {
          details: { firstSequence: 1, lastSequence: 0 },
        },
      );
    }
    for (const stream of streams) {
      if (stream.epoch < wanted.epoch) this.#next.set(nameOf(stream), stream.lastSequence + 1);
    }
    this.#next.set(nameOf(wanted), sequence);
  }

  #outOfRange(stream: StreamCounters, asked: number): ServerError {
    const { origin, epoch, firstSequence, lastSequence } = stream;
    return new ServerError(
      'OUT_OF_RANGE',
      `log '${this.#parts.log}' holds sequences ${firstSequence} to ${lastSequence} of origin ${origin}, epoch ${epoch}, asked for ${asked}`,
      { details: { origin, epoch, firstSequence, lastSequence } },
    );
  }
}

function nameOf({ origin, epoch }: { readonly origin: number; readonly epoch: number }): string {
  return `${origin}.${epoch}`;
}

function idOf({ origin, epoch }: StreamCounters): { origin: number; epoch: number } {
  return { origin, epoch };
}

function hlcOf({ hlc }: LogEntry): Hlc {
  return hlc as Hlc;
}

function stampOf(entry: LogEntry): EntryStamp {
  const { origin, epoch, sequence } = entry;
  return { origin, epoch, sequence, hlc: hlcOf(entry) };
}
