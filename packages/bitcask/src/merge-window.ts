import { type Disk, type DiskFile, readFully } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import type { CandidateBatch } from './core/candidate-batch.js';
import { holdsRecord, layTombstone } from './core/moved-record.js';
import { crcSeed, recordBytesOf } from './core/record.js';
import type { Segment } from './core/segment.js';
import { dataName } from './core/segment-names.js';

/** Records this near to each other are fetched together: skipping costs less than another call. */
const gapBytes = 8_192;
const spanBytes = 1_048_576;
const noBytes = new Uint8Array(0);
const unsealed = -1;

/** At most so many records wait in a window, whatever its bytes. */
const windowRecordsLimit = 262_144;

/** Offsets lie below 2^31 and records take at least 16 bytes: an offset's place among them has 27 bits. */
const offsetUnit = 16;
const offsetPlaces = 2 ** 27;

/**
 * Records on their way into the output of a merge, laid out in the order of keys. Inputs in the order of writes hold
 * them scattered, so a window first gathers what is wanted, then reads it in the order of places with large reads, each
 * record going to its slot. The larger the window, the nearer together its records lie in the inputs.
 */
export class MergeWindow {
  readonly #inputs: readonly Segment[];
  readonly #files: readonly DiskFile[];
  readonly #limit: number;
  #bytes: Uint8Array;
  #view: DataView;
  #filled = 0;
  #count = 0;
  #copies = 0;
  readonly #starts: Float64Array;
  readonly #lengths: Uint32Array;
  readonly #sequences: Float64Array;
  readonly #olderRemains: Uint8Array;
  /** Where a slot's record lies in its input. */
  readonly #offsets: Uint32Array;
  /** With what a slot's record is sealed; `unsealed` where it was laid out here. */
  readonly #seeds: Float64Array;
  /** For every record to be read: its place in the inputs, times `limit` (a power of two), plus its slot; to be sorted. */
  readonly #places: Float64Array;
  /** The same in the order of places, taken apart: slot and input. */
  readonly #slots: Uint32Array;
  readonly #origins: Uint32Array;
  #span = noBytes;
  #spanView = new DataView(noBytes.buffer);

  constructor(inputs: readonly Segment[], files: readonly DiskFile[], windowBytes: number) {
    this.#inputs = inputs;
    this.#files = files;
    // Place and slot share one exact number: the more inputs, the fewer slots.
    const slots = Math.floor(Number.MAX_SAFE_INTEGER / (inputs.length * offsetPlaces));
    this.#limit = powerOfTwoWithin(Math.min(windowRecordsLimit, slots, windowBytes / 32));
    this.#bytes = new Uint8Array(windowBytes);
    this.#view = new DataView(this.#bytes.buffer);
    this.#starts = new Float64Array(this.#limit);
    this.#lengths = new Uint32Array(this.#limit);
    this.#sequences = new Float64Array(this.#limit);
    this.#olderRemains = new Uint8Array(this.#limit);
    this.#offsets = new Uint32Array(this.#limit);
    this.#seeds = new Float64Array(this.#limit);
    this.#places = new Float64Array(this.#limit);
    this.#slots = new Uint32Array(this.#limit);
    this.#origins = new Uint32Array(this.#limit);
  }

  /** Slots in use, in the order of keys. */
  get count(): number {
    return this.#count;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get view(): DataView {
    return this.#view;
  }

  hasRoom(recordBytes: number): boolean {
    return this.#count < this.#limit && (this.#count === 0 || this.#filled + recordBytes <= this.#bytes.length);
  }

  /** Position of a slot's record in `bytes`. */
  start(slot: number): number {
    return this.#starts[slot] as number;
  }

  length(slot: number): number {
    return this.#lengths[slot] as number;
  }

  sequence(slot: number): number {
    return this.#sequences[slot] as number;
  }

  /** The seed of the checksum that a slot's record has; `undefined` where it has none yet. */
  seed(slot: number): number | undefined {
    const seed = this.#seeds[slot] as number;
    return seed === unsealed ? undefined : seed;
  }

  /** An older record of the key lies outside the merge: if this one goes, a tombstone must stay. */
  olderRemains(slot: number): boolean {
    return this.#olderRemains[slot] === 1;
  }

  /** Wants a candidate's record. */
  addRecord(batch: CandidateBatch, at: number, olderRemains: boolean): void {
    const slot = this.#add(batch.recordBytes(at), batch.sequence(at), olderRemains);
    const place = batch.input(at) * offsetPlaces + Math.floor(batch.offset(at) / offsetUnit);
    this.#places[this.#copies++] = place * this.#limit + slot;
    this.#offsets[slot] = batch.offset(at);
  }

  /** Lays a tombstone out. */
  addTombstone(key: Uint8Array, sequence: number): void {
    const slot = this.#add(recordBytesOf(key.length, 0, false, false), sequence, false);
    layTombstone(this.#bytes, this.#view, this.start(slot), key);
  }

  /**
   * Reads everything wanted into its slot; `spend` hears of it piece by piece and is waited for. Rejects with `CORRUPT`
   * where a record is damaged.
   */
  async load(spend: (bytes: number) => Promise<void>): Promise<void> {
    this.#sortPlaces();
    let unpaidBytes = 0;
    for (let from = 0; from < this.#copies; ) {
      const to = await this.#loadSpan(from);
      for (let i = from; i < to; i++) unpaidBytes += this.length(this.#slots[i] as number);
      from = to;
      if (unpaidBytes < spanBytes && from < this.#copies) continue;
      await spend(unpaidBytes);
      unpaidBytes = 0;
    }
    this.#copies = 0;
  }

  clear(): void {
    this.#count = 0;
    this.#filled = 0;
  }

  #add(recordBytes: number, sequence: number, olderRemains: boolean): number {
    const slot = this.#count++;
    if (recordBytes > this.#bytes.length) {
      this.#bytes = new Uint8Array(recordBytes);
      this.#view = new DataView(this.#bytes.buffer);
    }
    this.#starts[slot] = this.#filled;
    this.#lengths[slot] = recordBytes;
    this.#sequences[slot] = sequence;
    this.#olderRemains[slot] = olderRemains ? 1 : 0;
    this.#seeds[slot] = unsealed;
    this.#filled += recordBytes;
    return slot;
  }

  #sortPlaces(): void {
    const order = this.#places.subarray(0, this.#copies).sort();
    for (let i = 0; i < order.length; i++) {
      const place = Math.floor((order[i] as number) / this.#limit);
      this.#slots[i] = (order[i] as number) - place * this.#limit;
      this.#origins[i] = Math.floor(place / offsetPlaces);
    }
  }

  /** Fetches neighbours with one read, from the `from`-th place on; returns the first that did not belong to them. */
  async #loadSpan(from: number): Promise<number> {
    const first = this.#slots[from] as number;
    const input = this.#origins[from] as number;
    const offset = this.#offsets[first] as number;
    let end = offset + this.length(first);
    let to = from + 1;
    for (; to < this.#copies && this.#origins[to] === input; to++) {
      const next = this.#slots[to] as number;
      const nextOffset = this.#offsets[next] as number;
      const nextEnd = nextOffset + this.length(next);
      if (nextOffset > end + gapBytes || nextEnd - offset > spanBytes) break;
      end = nextEnd;
    }
    const read = await this.#read(input, offset, end - offset);
    for (let i = from; i < to; i++) this.#take(input, this.#slots[i] as number, offset, read);
    return to;
  }

  /** Checks a record of the span and copies it into its slot. */
  #take(input: number, slot: number, spanOffset: number, read: number): void {
    const offset = this.#offsets[slot] as number;
    const at = offset - spanOffset;
    const length = this.length(slot);
    const segment = this.#inputs[input] as Segment;
    if (at + length > read) throw this.#corrupt(segment, offset, length, 'the file ends in it');
    const seed = crcSeed(segment.seed, offset);
    if (!holdsRecord(this.#span, this.#spanView, at, length, this.sequence(slot), seed))
      throw this.#corrupt(segment, offset, length, 'its checksum does not hold, or it is another record');
    this.#bytes.set(this.#span.subarray(at, at + length), this.start(slot));
    this.#seeds[slot] = seed;
  }

  #read(input: number, offset: number, bytes: number): Promise<number> {
    if (this.#span.length < bytes) {
      this.#span = new Uint8Array(Math.max(bytes, Math.min(spanBytes, this.#bytes.length)));
      this.#spanView = new DataView(this.#span.buffer);
    }
    return readFully(this.#files[input] as DiskFile, this.#span.subarray(0, bytes), offset);
  }

  #corrupt(segment: Segment, offset: number, bytes: number, what: string): BitcaskError {
    const file = (this.#files[this.#inputs.indexOf(segment)] as DiskFile).path;
    return new BitcaskError(
      'CORRUPT',
      `the record at ${offset} of '${file}' (${bytes} bytes) cannot be merged: ${what}; restore it from a replica or a backup`,
      { details: { file, offset, bytes } },
    );
  }
}

/** The inputs' data files, open for reading. The caller closes them. */
export async function openInputs(disk: Disk, directory: string, inputs: readonly Segment[]): Promise<DiskFile[]> {
  const files: DiskFile[] = [];
  try {
    for (const { fileId } of inputs) files.push(await disk.open(`${directory}/${dataName(fileId)}`, 'read'));
  } catch (error) {
    for (const file of files) await file.close();
    throw error;
  }
  return files;
}

function powerOfTwoWithin(limit: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, limit)));
}
