/** The notes of a node about what its runs accepted (accepted-appends.ts, origin-notes.ts), until a checkpoint covers them. */
import { type AppendNote, decodeAppendNotes, encodeAppendNotes } from './accepted-appends.js';
import { readU64Ordered } from './byte-fields.js';
import { isDiskFull } from './disk-full.js';
import { decodeOriginNotes, encodeOriginNotes, type OriginNote } from './origin-notes.js';
import { acceptedAppendsKey, originNotesKey, statePrefix } from './state-keys.js';
import { readStatePart } from './state-part.js';
import type { StateStore } from './state-store.js';
import type { WriteSet } from './write-set.js';

/** Those of one group. */
export class AppliedNotes {
  readonly #store: StateStore;
  /** Records of the store: the key, and the last entry they tell of; oldest first. */
  readonly #records: { readonly key: Buffer; readonly index: number }[] = [];
  /** What was there at the start, by entry. */
  readonly #appends = new Map<number, AppendNote>();
  readonly #origins = new Map<number, OriginNote[]>();

  private constructor(store: StateStore) {
    this.#store = store;
  }

  static async load(store: StateStore): Promise<AppliedNotes> {
    const notes = new AppliedNotes(store);
    for (const { key, value } of await readStatePart(store, statePrefix.local)) {
      notes.#records.push({ key: Buffer.from(key), index: readU64Ordered(key, 1) });
      for (const note of decodeAppendNotes(value)) notes.#appends.set(note.entryIndex, note);
    }
    for (const { key, value } of await readStatePart(store, statePrefix.originNotes)) {
      notes.#records.push({ key: Buffer.from(key), index: readU64Ordered(key, 1) });
      for (const note of decodeOriginNotes(value)) {
        const known = notes.#origins.get(note.entryIndex);
        if (known === undefined) notes.#origins.set(note.entryIndex, [note]);
        else known.push(note);
      }
    }
    notes.#records.sort((a, b) => a.index - b.index);
    return notes;
  }

  /** What the node noted of an entry before its start. */
  append(entryIndex: number): AppendNote | undefined {
    return this.#appends.get(entryIndex);
  }

  /** Likewise, of appends of this origin. */
  originAppends(entryIndex: number): readonly OriginNote[] {
    return this.#origins.get(entryIndex) ?? [];
  }

  /** Notes what a run that ends at `index` accepted, in its batch. */
  add(index: number, appends: readonly AppendNote[], origins: readonly OriginNote[], writes: WriteSet): void {
    if (appends.length > 0) this.#put(acceptedAppendsKey(index), index, encodeAppendNotes(appends), writes);
    if (origins.length > 0) this.#put(originNotesKey(index), index, encodeOriginNotes(origins), writes);
  }

  /** Deletes what nobody needs once everything up to `durableIndex` is durable. A full disk leaves it for the next time. */
  async forget(durableIndex: number): Promise<void> {
    const kept = this.#records.findIndex(({ index }) => index > durableIndex);
    const old = this.#records.slice(0, kept === -1 ? this.#records.length : kept);
    for (const index of this.#appends.keys()) if (index <= durableIndex) this.#appends.delete(index);
    for (const index of this.#origins.keys()) if (index <= durableIndex) this.#origins.delete(index);
    if (old.length === 0) return;
    try {
      await this.#store.batch(old.map(({ key }) => ({ type: 'delete', key })));
    } catch (error) {
      if (isDiskFull(error)) return;
      throw error;
    }
    this.#records.splice(0, old.length);
  }

  #put(key: Buffer, index: number, value: Buffer, writes: WriteSet): void {
    writes.put(key, value);
    this.#records.push({ key, index });
  }
}
