import type { Wal } from '@shanghai/wal';
import { streamKey } from '../core/entry-id.js';
import { ReplicationError } from '../core/replication-error.js';
import { cutRun, entryHeaderBytes, lastSequenceOf, type Run } from '../core/run.js';
import { stampOfPayload } from '../core/stamped-payload.js';
import type { KeptStream } from './kept-stream.js';
import { decodeStoreRecord } from './store-record.js';
import type { TailRuns } from './tail-runs.js';

/** Reads runs from the last ones, or else from the log. */
export class RunReader {
  readonly #wal: Wal;
  readonly #tail: TailRuns;

  constructor(wal: Wal, tail: TailRuns) {
    this.#wal = wal;
    this.#tail = tail;
  }

  /** Entries from `from` on, which are durable; `undefined` where they went meanwhile. */
  async read(kept: KeptStream, from: number, maxEntries: number, maxBytes: number): Promise<Run | undefined> {
    const gathering = new Gathering(from, maxEntries, maxBytes);
    const recent = this.#tail.from(streamKey(kept.stream), from);
    for (const run of recent) if (!gathering.take(run)) break;
    const lsn = kept.placeOf(from);
    if (recent.length === 0 && lsn > 0) {
      const lastSequence = kept.lastSequence;
      for await (const { kind, payload } of this.#wal.entries({ from: lsn, stream: kept.walStream })) {
        const record = decodeStoreRecord(kind, payload);
        if (record.type === 'run' && !gathering.take(record.run)) break;
        if (gathering.next > lastSequence) break;
      }
    }
    return gathering.finish();
  }
}

/** Puts pieces of runs together. */
class Gathering {
  next: number;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #pieces: Run[] = [];
  #entries = 0;
  #bytes = 0;

  constructor(from: number, maxEntries: number, maxBytes: number) {
    this.next = from;
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  /** Whether there is place for more. */
  take(run: Run): boolean {
    // A run behind a gap was never said to be there: the write before it failed.
    if (lastSequenceOf(run) < this.next || run.firstSequence > this.next) return true;
    const rest = cutRun(run, this.next);
    const isWhole = this.#entries + rest.count <= this.#maxEntries && this.#bytes + rest.bytes.length <= this.#maxBytes;
    const piece = isWhole ? rest : this.#begin(rest);
    if (piece === undefined) return false;
    this.#pieces.push(piece);
    this.#entries += piece.count;
    this.#bytes += piece.bytes.length;
    this.next += piece.count;
    return isWhole && this.#entries < this.#maxEntries && this.#bytes < this.#maxBytes;
  }

  finish(): Run | undefined {
    const [first] = this.#pieces;
    const last = this.#pieces.at(-1);
    if (first === undefined || last === undefined) return undefined;
    if (first === last) return first;
    const bytes = new Uint8Array(this.#bytes);
    let at = 0;
    for (const piece of this.#pieces) {
      bytes.set(piece.bytes, at);
      at += piece.bytes.length;
    }
    return { ...first, count: this.#entries, lastHlc: last.lastHlc, bytes };
  }

  /** As many of its first entries as there is place for; one where nothing was taken yet. */
  #begin(run: Run): Run | undefined {
    const { bytes } = run;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    let count = 0;
    let end = 0;
    let payload = 0;
    while (count < run.count && this.#entries + count < this.#maxEntries) {
      const next = end + entryHeaderBytes + view.getUint32(end, true);
      if (this.#bytes + next > this.#maxBytes && this.#entries + count > 0) break;
      payload = end + entryHeaderBytes;
      end = next;
      count++;
    }
    if (count === 0) return undefined;
    const lastHlc = stampOfPayload(bytes.subarray(payload, end));
    if (lastHlc === undefined)
      throw new ReplicationError('CORRUPT', `entry ${run.firstSequence + count - 1} has no stamp`);
    return { ...run, count, lastHlc, bytes: bytes.subarray(0, end) };
  }
}
