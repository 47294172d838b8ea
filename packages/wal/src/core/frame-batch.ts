/**
 * What appends queue up in: one flat buffer laid out exactly as it will lie on the disk, so that an append is one copy
 * of its payload and the writer's turn is one write. Two of them take turns: one fills while the other is written.
 *
 * Appends that are independent share frames of up to `frameTargetBytes`: a header and a checksum for each record cost
 * more than the record itself at a million a second. A crash may keep or lose them together, which is legal for anything
 * not acknowledged. Damage found later costs the records of one frame, hence the bound.
 *
 * LSNs are not known while a batch fills (the one before may yet fail with a full disk), so records are counted from 0.
 */
import { invariant } from '@shanghai/env';
import { alignFrame, emptiesFlag, type FrameFields, frameHeaderBytes, replacesFlag, sealFrame } from './frame.js';
import type { FrameImage } from './frame-image.js';
import { recordHeaderBytes, writeRecordHeader } from './record.js';
import { layOutRun, type RecordRun, runPayloadBytes } from './record-run.js';

/** A frame that is this long takes no further independent append. */
export const frameTargetBytes = 32_768;
/** A writer follows its last frame by so many zero bytes: an unwritten frame. */
export const terminatorBytes = frameHeaderBytes;

const initialBytes = 4096;
/** A larger buffer is given back after use. */
const keptBytes = 4_194_304;
/** What is left after each turn of the memory of how full the batch was. */
const peakDecay = 0.98;

/** Frames being gathered. */
export class FrameBatch implements FrameImage {
  #bytes = new Uint8Array(initialBytes);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;
  #records = 0;
  #payloadBytes = 0;
  /** Start of each frame, and the number of records before it. */
  readonly #starts: number[] = [];
  readonly #firstRecords: number[] = [];
  readonly #flags: number[] = [];
  #replacements = 0;
  /** Whether the last frame still takes records. */
  #open = false;
  /** How full the batch was lately. A process may hold a thousand logs: none keeps the memory of a burst for ever. */
  #peakBytes = 0;

  /** The buffer; changes when it grows. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get view(): DataView {
    return this.#view;
  }

  get records(): number {
    return this.#records;
  }

  get payloadBytes(): number {
    return this.#payloadBytes;
  }

  get frames(): number {
    return this.#starts.length;
  }

  /** Whether a frame replaces a stream. */
  get replaces(): boolean {
    return this.#replacements > 0;
  }

  /** Makes sure the next `records` records with `payloadBytes` in all go into one frame. */
  beginUnit(records: number, payloadBytes: number): void {
    const bytes = payloadBytes + records * recordHeaderBytes;
    if (this.#open && this.#used - (this.#starts.at(-1) as number) + bytes > frameTargetBytes) this.#closeFrame();
    this.#reserve(frameHeaderBytes + bytes + 8 + terminatorBytes);
    if (this.#open) return;
    this.#beginFrame(0);
  }

  /**
   * Begins a frame that replaces a stream with the next `records` records, or with none: then one empty record follows
   * as a placeholder. `endReplacement` ends it.
   */
  beginReplacement(records: number, payloadBytes: number): void {
    if (this.#open) this.#closeFrame();
    this.#reserve(frameHeaderBytes + payloadBytes + Math.max(1, records) * recordHeaderBytes + 8 + terminatorBytes);
    this.#beginFrame(records > 0 ? replacesFlag : replacesFlag | emptiesFlag);
    this.#replacements++;
  }

  /** Ends the frame that replaces a stream: nothing else may join it. */
  endReplacement(): void {
    this.#closeFrame();
  }

  /** Adds a record to the unit begun; copies the payload. */
  add(payload: Uint8Array, stream: number, kind: number): void {
    const at = this.#used;
    writeRecordHeader(this.#view, at, payload.length, stream, kind);
    this.#bytes.set(payload, at + recordHeaderBytes);
    this.#used = at + recordHeaderBytes + payload.length;
    this.#records++;
    this.#payloadBytes += payload.length;
  }

  /** Adds a run to the unit begun, which was begun for it alone; copies it. */
  addRun(run: RecordRun): void {
    this.#used = layOutRun(this.#bytes, this.#view, this.#used, run);
    this.#records += run.count;
    this.#payloadBytes += runPayloadBytes(run.bytes, run.count);
  }

  /** Ends gathering: pads the last frame and zeroes what a writer appends behind it. */
  finish(): void {
    if (this.#open) this.#closeFrame();
    this.#reserve(terminatorBytes);
    this.#bytes.fill(0, this.#used, this.#used + terminatorBytes);
  }

  /** Where frame `index` begins in the buffer; `frames` gives the end of the last. */
  frameStart(index: number): number {
    return index < this.#starts.length ? (this.#starts[index] as number) : this.#used;
  }

  frameBytes(index: number): number {
    return this.frameStart(index + 1) - this.frameStart(index);
  }

  /** Number of records before frame `index`; `frames` gives all. */
  recordsBefore(index: number): number {
    return index < this.#starts.length ? (this.#firstRecords[index] as number) : this.#records;
  }

  /** The flags of frame `index`. */
  flagsOf(index: number): number {
    return this.#flags[index] as number;
  }

  /** Writes a frame's header, for its place in a segment. Only after `finish`. */
  seal(
    index: number,
    place: { readonly segmentSeed: number; readonly offset: number },
    fields: Omit<FrameFields, 'count' | 'flags' | 'rawBytes'>,
  ): void {
    invariant(!this.#open, 'a batch is sealed before it was finished');
    const count = this.recordsBefore(index + 1) - this.recordsBefore(index);
    const length = this.frameBytes(index);
    sealFrame(this.#bytes, this.#view, this.frameStart(index), length, place, {
      firstLsn: fields.firstLsn,
      wallTimeMs: fields.wallTimeMs,
      durableEnd: fields.durableEnd,
      count,
      flags: this.flagsOf(index),
      rawBytes: 0,
    });
  }

  /** Empties the batch for its next turn. */
  reset(): void {
    this.#peakBytes = Math.max(this.#used, this.#peakBytes * peakDecay);
    if (this.#bytes.length > Math.max(initialBytes, Math.min(keptBytes, 4 * this.#peakBytes))) {
      this.#replaceBuffer(Math.max(initialBytes, Math.min(keptBytes, Math.ceil(2 * this.#peakBytes))));
    }
    this.#used = 0;
    this.#records = 0;
    this.#payloadBytes = 0;
    this.#starts.length = 0;
    this.#firstRecords.length = 0;
    this.#flags.length = 0;
    this.#replacements = 0;
    this.#open = false;
  }

  #beginFrame(flags: number): void {
    this.#starts.push(this.#used);
    this.#firstRecords.push(this.#records);
    this.#flags.push(flags);
    this.#used += frameHeaderBytes;
    this.#open = true;
  }

  #closeFrame(): void {
    const end = alignFrame(this.#used);
    for (let i = this.#used; i < end; i++) this.#bytes[i] = 0;
    this.#used = end;
    this.#open = false;
  }

  #reserve(bytes: number): void {
    const needed = this.#used + bytes;
    if (needed <= this.#bytes.length) return;
    const previous = this.#bytes;
    this.#replaceBuffer(Math.max(needed, 2 * previous.length));
    this.#bytes.set(previous.subarray(0, this.#used));
  }

  #replaceBuffer(bytes: number): void {
    this.#bytes = new Uint8Array(bytes);
    this.#view = new DataView(this.#bytes.buffer);
  }
}
