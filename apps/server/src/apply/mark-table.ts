/**
 * What a node knows of other origins: up to which stamp it has all that they wrote (`OriginMark`). One record each, as JSON:
 * there are as many as nodes, and they name logs only while something of those is on its way.
 */
import type { OriginMark } from '@shanghai/replication';
import { markKey } from './state-keys.js';
import type { WriteSet } from './write-set.js';

/** The marks of an own group. */
export class MarkTable {
  readonly #marks = new Map<number, OriginMark>();

  load(records: readonly { readonly value: Uint8Array }[]): void {
    for (const { value } of records) {
      const mark = JSON.parse(Buffer.from(value).toString('utf8')) as OriginMark;
      this.#marks.set(mark.origin, mark);
    }
  }

  get(origin: number): OriginMark | undefined {
    return this.#marks.get(origin);
  }

  all(): readonly OriginMark[] {
    return [...this.#marks.values()];
  }

  /** The later call counts. */
  set(marks: readonly OriginMark[], writes: WriteSet): void {
    for (const mark of marks) {
      this.#marks.set(mark.origin, mark);
      writes.put(markKey(mark.origin), Buffer.from(JSON.stringify(mark)));
    }
  }

  /** Some of what an origin wrote is not here any more. */
  forget(origin: number, writes: WriteSet): void {
    if (this.#marks.delete(origin)) writes.delete(markKey(origin));
  }
}
