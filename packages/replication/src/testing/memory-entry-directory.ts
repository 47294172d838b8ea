import { type StreamId, streamKey } from '../core/entry-id.js';
import { type Hlc, zeroHlc } from '../core/hlc.js';
import { stampOfPayload } from '../core/stamped-payload.js';
import type { OriginMark, StreamPosition } from '../core/stream-position.js';

/** A stream as it is kept. */
export interface KeptStream {
  readonly stream: StreamId;
  firstSequence: number;
  /** Zero where the entry before `firstSequence + payloads.length` was passed over. */
  lastHlc: Hlc;
  /** From `firstSequence` on. */
  payloads: readonly Uint8Array[];
}

/** What a `MemoryEntryStore` keeps durably: outlives its crashes, and can be put back as a directory can. */
export class MemoryEntryDirectory {
  readonly streams = new Map<string, KeptStream>();
  readonly marks = new Map<number, OriginMark>();
  /** Payloads of logs that are folded, by their bytes in text: a set that only grows, the simplest fold there is. */
  readonly folds = new Map<number, Map<string, Uint8Array>>();
  readonly removedLogs = new Set<number>();
  /** No stamp up to this one is given out again. */
  ceiling: Hlc = zeroHlc;

  /** As a backup would have it. */
  copy(): MemoryEntryDirectory {
    const copy = new MemoryEntryDirectory();
    for (const [key, kept] of this.streams) copy.streams.set(key, { ...kept });
    for (const [origin, mark] of this.marks) copy.marks.set(origin, mark);
    for (const [logId, fold] of this.folds) copy.folds.set(logId, new Map(fold));
    for (const logId of this.removedLogs) copy.removedLogs.add(logId);
    copy.ceiling = this.ceiling;
    return copy;
  }

  positionOf({ stream, firstSequence, lastHlc, payloads }: KeptStream): StreamPosition {
    return { stream, firstSequence, lastSequence: firstSequence + payloads.length - 1, lastHlc };
  }

  lastOf(stream: StreamId): number {
    const kept = this.streams.get(streamKey(stream));
    return kept === undefined ? 0 : kept.firstSequence + kept.payloads.length - 1;
  }

  /** Puts entries behind what is there. */
  append(stream: StreamId, payloads: readonly Uint8Array[], lastHlc: Hlc): KeptStream {
    const key = streamKey(stream);
    const kept = this.streams.get(key) ?? { stream, firstSequence: 1, lastHlc: zeroHlc, payloads: [] };
    kept.payloads = [...kept.payloads, ...payloads];
    kept.lastHlc = lastHlc;
    this.streams.set(key, kept);
    this.#fold(stream.logId, payloads);
    return kept;
  }

  /** Lets go of what comes before `firstSequence`; where that is all, goes on there. */
  cut(stream: StreamId, firstSequence: number): KeptStream {
    const key = streamKey(stream);
    const kept = this.streams.get(key) ?? { stream, firstSequence: 1, lastHlc: zeroHlc, payloads: [] };
    this.streams.set(key, kept);
    if (firstSequence <= kept.firstSequence) return kept;
    const last = kept.firstSequence + kept.payloads.length - 1;
    kept.payloads = kept.payloads.slice(firstSequence - kept.firstSequence);
    kept.firstSequence = firstSequence;
    if (firstSequence - 1 > last) kept.lastHlc = zeroHlc;
    return kept;
  }

  merge(logId: number, payloads: readonly Uint8Array[]): void {
    if (this.folds.has(logId)) this.#fold(logId, payloads);
  }

  removeLog(logId: number): void {
    for (const [key, { stream }] of this.streams) if (stream.logId === logId) this.streams.delete(key);
    this.folds.delete(logId);
    this.removedLogs.add(logId);
  }

  /** The latest stamp that was ever seen. */
  latestHlc(): Hlc {
    let latest = this.ceiling;
    for (const { lastHlc, payloads } of this.streams.values()) {
      const last = payloads.at(-1);
      const hlc = last === undefined ? lastHlc : (stampOfPayload(last) ?? lastHlc);
      if (hlc.ms > latest.ms || (hlc.ms === latest.ms && hlc.counter > latest.counter)) latest = hlc;
    }
    return latest;
  }

  #fold(logId: number, payloads: readonly Uint8Array[]): void {
    const fold = this.folds.get(logId);
    for (const payload of fold === undefined ? [] : payloads) fold?.set(Buffer.from(payload).toString('hex'), payload);
  }
}
