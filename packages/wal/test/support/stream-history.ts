import type { Wal, WalRecord } from '../../src/index.js';
import { recordPayload } from './record-payload.js';

interface Submitted {
  readonly stream: number;
  readonly bytes: number;
  /** First and last LSN of what a crash keeps or loses together. */
  readonly unit: readonly [number, number];
  /** Whether it came in the place of everything earlier in its stream; `'placeholder'` also in its own. */
  readonly replaces: boolean | 'placeholder';
}

/** What a workload with several streams asked of a log and was told, and what the log may therefore hold. */
export class StreamHistory {
  /** Record i has LSN i + 1. */
  readonly records: Submitted[] = [];
  readonly released = new Map<number, number>();
  /** Highest LSN acknowledged as durable. */
  durable = 0;
  /** Segments with lower LSNs only may be gone whatever streams need. */
  droppable = 0;

  async append(wal: Wal, stream: number, bytes: number): Promise<void> {
    const [records, last] = this.#submit(stream, [bytes], false);
    await wal.append((records[0] as WalRecord).payload, { stream });
    this.#acknowledged(wal, last);
  }

  async appendBatch(wal: Wal, stream: number, sizes: readonly number[]): Promise<void> {
    const [records, last] = this.#submit(stream, sizes, false);
    await wal.appendBatch(records);
    this.#acknowledged(wal, last);
  }

  async rewrite(wal: Wal, stream: number, sizes: readonly number[]): Promise<void> {
    const placeholder = sizes.length === 0;
    const [records, last] = this.#submit(stream, placeholder ? [0] : sizes, placeholder ? 'placeholder' : true);
    await wal.rewriteStream(stream, placeholder ? [] : records);
    this.#acknowledged(wal, last);
  }

  async flush(wal: Wal): Promise<void> {
    const last = this.records.length;
    await wal.flush();
    this.durable = Math.max(this.durable, last);
  }

  async close(wal: Wal): Promise<void> {
    await wal.close();
    this.durable = this.records.length;
  }

  release(wal: Wal, stream: number, lsn: number): void {
    this.released.set(stream, Math.max(lsn, this.released.get(stream) ?? 0));
    wal.release(stream, lsn);
  }

  /** What a workload may go on with after a crash left the log with this last LSN. */
  cutTo(lastLsn: number): StreamHistory {
    const cut = new StreamHistory();
    cut.records.push(...this.records.slice(0, lastLsn));
    cut.durable = lastLsn;
    cut.droppable = this.droppable;
    for (const [stream, lsn] of this.released) cut.released.set(stream, lsn);
    return cut;
  }

  /** Throws unless the log holds what it must and nothing else. Returns its last LSN. */
  async check(wal: Wal): Promise<number> {
    // Waits for what opening lets go of.
    await wal.trim(0);
    const { firstLsn, lastLsn } = wal.info();
    ensure(lastLsn >= this.durable, `last LSN ${lastLsn}, but ${this.durable} was acknowledged`);
    ensure(lastLsn <= this.records.length, `last LSN ${lastLsn} of ${this.records.length} submitted`);
    for (const { unit } of this.records) {
      ensure(lastLsn < unit[0] || lastLsn >= unit[1], `${unit[0]} to ${unit[1]} was torn at ${lastLsn}`);
    }
    const bounds = this.#bounds(lastLsn);
    for (let lsn = 1; lsn < firstLsn; lsn++) {
      const { stream } = this.records[lsn - 1] as Submitted;
      const isGone = lsn <= (this.released.get(stream) ?? 0) || lsn < (bounds.get(stream) ?? 0) || lsn < this.droppable;
      ensure(isGone, `LSN ${lsn} of stream ${stream} is gone, the first kept is ${firstLsn}`);
    }
    const isVisible = (lsn: number) => lsn >= (bounds.get((this.records[lsn - 1] as Submitted).stream) ?? 0);
    const visible = this.records.flatMap((_, i) =>
      i + 1 >= firstLsn && i < lastLsn && isVisible(i + 1) ? [i + 1] : [],
    );
    await this.#checkEntries(wal, undefined, visible);
    for (const stream of new Set(this.records.map((record) => record.stream))) {
      const own = visible.filter((lsn) => this.records[lsn - 1]?.stream === stream);
      await this.#checkEntries(wal, stream, own);
    }
    return lastLsn;
  }

  async #checkEntries(wal: Wal, stream: number | undefined, expected: readonly number[]): Promise<void> {
    const found: number[] = [];
    for await (const { lsn, payload, ...entry } of wal.entries(stream === undefined ? {} : { stream })) {
      const record = this.records[lsn - 1] as Submitted;
      ensure(entry.stream === record.stream, `LSN ${lsn} is of stream ${entry.stream}, not ${record.stream}`);
      ensure((entry.replaces === true) === (record.replaces === true), `LSN ${lsn}: replaces is ${entry.replaces}`);
      ensure(Buffer.compare(payload, recordPayload(lsn, record.bytes)) === 0, `record ${lsn} has other bytes`);
      found.push(lsn);
    }
    const [got, wanted] = [found.join(), expected.join()];
    ensure(got === wanted, `stream ${stream ?? 'any'} has ${got}, expected ${wanted}`);
  }

  /** Below which LSN each stream is replaced, in a log that ends with `lastLsn`. */
  #bounds(lastLsn: number): Map<number, number> {
    const bounds = new Map<number, number>();
    for (const { stream, unit, replaces } of this.records) {
      if (replaces === false || unit[1] > lastLsn) continue;
      bounds.set(stream, Math.max(bounds.get(stream) ?? 0, replaces === 'placeholder' ? unit[0] + 1 : unit[0]));
    }
    return bounds;
  }

  #submit(stream: number, sizes: readonly number[], replaces: Submitted['replaces']): [WalRecord[], number] {
    const first = this.records.length + 1;
    const last = first + sizes.length - 1;
    for (const bytes of sizes) this.records.push({ stream, bytes, unit: [first, last], replaces });
    return [sizes.map((bytes, i) => ({ payload: recordPayload(first + i, bytes), stream })), last];
  }

  #acknowledged(wal: Wal, lsn: number): void {
    if (wal.info().durability === 'always') this.durable = Math.max(this.durable, lsn);
  }
}

function ensure(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}
