/**
 * The runs that were written last, of all streams together up to so many bytes: what is shipped is nearly always among them,
 * and need not be read from files then, entry by entry.
 */
import { type Run, type StreamId, streamKey } from '@shanghai/replication';
import { readU32 } from '../apply/byte-fields.js';
import { streamRecordHlc } from '../logs/log-file-record.js';

/** Runs of one stream; what lies before `head` was forgotten. */
class StreamRuns {
  readonly list: Run[];
  head = 0;

  constructor(run: Run) {
    this.list = [run];
  }

  shrink(): void {
    this.list.splice(0, this.head);
    this.head = 0;
  }
}

/** The last runs of a node. */
export class RecentRuns {
  readonly #maxBytes: number;
  /** By stream, in sequence order, each following the one before. */
  readonly #streams = new Map<string, StreamRuns>();
  /** In the order in which they came. */
  #order: { readonly key: string; readonly bytes: number }[] = [];
  #head = 0;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A run was written behind what the stream had; `from`: the first of its entries that were not there. */
  add(run: Run): void {
    const key = streamKey(run.stream);
    const runs = this.#streams.get(key);
    const last = runs?.list.at(-1);
    // What overlaps is rare: a relay took over. It is read from the files.
    if (last !== undefined && last.firstSequence + last.count !== run.firstSequence) this.#forget(key);
    const kept = this.#streams.get(key);
    if (kept === undefined) this.#streams.set(key, new StreamRuns(run));
    else kept.list.push(run);
    this.#order.push({ key, bytes: run.bytes.length });
    this.#bytes += run.bytes.length;
    while (this.#bytes > this.#maxBytes && this.#head < this.#order.length) this.#dropOldest();
  }

  /** Entries from `fromSequence` on, as `EntryStore.read` gives them; `undefined` where they are not here. */
  read(stream: StreamId, fromSequence: number, maxEntries: number, maxBytes: number): Run | undefined {
    const runs = this.#streams.get(streamKey(stream));
    if (runs === undefined) return undefined;
    let at = firstWith(runs, fromSequence);
    const { list } = runs;
    const taken: Run[] = [];
    let [count, bytes] = [0, 0];
    for (; at < list.length; at++) {
      const run = list[at] as Run;
      if (taken.length > 0 && (count + run.count > maxEntries || bytes + run.bytes.length > maxBytes)) break;
      taken.push(run);
      count += run.count;
      bytes += run.bytes.length;
    }
    const [first] = taken;
    if (first === undefined || first.firstSequence > fromSequence) return undefined;
    if (first.firstSequence < fromSequence || count > maxEntries || bytes > maxBytes) {
      return pieceOf(first, fromSequence, maxEntries, maxBytes);
    }
    const last = taken.at(-1) as Run;
    const joined = taken.length === 1 ? first.bytes : Buffer.concat(taken.map((run) => run.bytes));
    return { stream, firstSequence: fromSequence, count, lastHlc: last.lastHlc, bytes: joined };
  }

  /** Forgets all streams of a log. */
  forgetLog(logId: number): void {
    for (const key of [...this.#streams.keys()]) if (key.startsWith(`${logId}/`)) this.#forget(key);
  }

  #dropOldest(): void {
    const { key, bytes } = this.#order[this.#head++] as { key: string; bytes: number };
    this.#bytes -= bytes;
    const runs = this.#streams.get(key);
    if (runs !== undefined) {
      runs.head++;
      if (runs.head === runs.list.length) this.#streams.delete(key);
      else if (runs.head > 64 && runs.head * 2 > runs.list.length) runs.shrink();
    }
    if (this.#head < 1024 || this.#head * 2 < this.#order.length) return;
    this.#order = this.#order.slice(this.#head);
    this.#head = 0;
  }

  #forget(key: string): void {
    const runs = this.#streams.get(key);
    this.#streams.delete(key);
    for (const run of runs?.list.slice(runs.head) ?? []) this.#bytes -= run.bytes.length;
    this.#order = this.#order.slice(this.#head).filter((one) => one.key !== key);
    this.#head = 0;
  }
}

/** Entries of one run from `sequence` on, one at least. */
function pieceOf(run: Run, sequence: number, maxEntries: number, maxBytes: number): Run {
  const { bytes, stream } = run;
  let at = 0;
  for (let skipped = run.firstSequence; skipped < sequence; skipped++) at += 4 + readU32(bytes, at);
  let end = at;
  let count = 0;
  let last = at;
  const left = run.firstSequence + run.count - sequence;
  while (count < Math.min(left, maxEntries)) {
    const next = end + 4 + readU32(bytes, end);
    if (count > 0 && next - at > maxBytes) break;
    last = end + 4;
    end = next;
    count++;
  }
  const lastHlc = streamRecordHlc(bytes.subarray(last, end));
  return { stream, firstSequence: sequence, count, lastHlc, bytes: bytes.subarray(at, end) };
}

/** Where the first run lies that does not end before `sequence`. */
function firstWith({ list, head }: StreamRuns, sequence: number): number {
  let low = head;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { firstSequence, count } = list[middle] as Run;
    if (firstSequence + count <= sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
