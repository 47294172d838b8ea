import type { Disk } from '@shanghai/env';
import { createHintEntry } from './core/hint-codec.js';
import { layTombstone, moveRecord } from './core/moved-record.js';
import { crcSeed, createRecordFields, readRecord, recordFlags, stampRecord } from './core/record.js';
import type { MergeHost, MergeJob } from './merge-job.js';
import { MergeOutput } from './merge-output.js';
import type { MergeWindow } from './merge-window.js';

/** Bytes written with one call; after each the store's side is told. */
const pieceBytes = 1_048_576;

/** Takes loaded windows in order of their keys, leaves out what has expired, and writes the rest into output segments. */
export class MergeSink {
  readonly #disk: Disk;
  readonly #job: MergeJob;
  readonly #host: MergeHost;
  readonly #fields = createRecordFields();
  readonly #entry = createHintEntry();
  readonly outputs: MergeOutput[] = [];
  recordsCopied = 0;
  recordsExpired = 0;
  tombstonesKept = 0;
  /** The part of the window that is stamped and not yet written. */
  #pieceStart = 0;
  #pieceEnd = 0;
  /** The record settled last is a tombstone laid out in place of one that has expired. */
  #isReplaced = false;

  constructor(disk: Disk, job: MergeJob, host: MergeHost) {
    this.#disk = disk;
    this.#job = job;
    this.#host = host;
  }

  /** Writes a loaded window; it may be cleared afterwards. */
  async write(window: MergeWindow): Promise<void> {
    const { bytes } = window;
    this.#pieceStart = 0;
    this.#pieceEnd = 0;
    let output = this.outputs.at(-1);
    for (let slot = 0; slot < window.count; slot++) {
      const length = this.#settle(window, slot);
      if (length === 0) continue;
      if (output === undefined || this.#endIn(output) + length > this.#job.segmentBytes) {
        await this.#flush(output, bytes);
        output = await this.#nextOutput(output);
      }
      const entered = this.#stamp(output, window, slot, length);
      if (entered !== undefined) await entered;
      if (this.#pieceEnd - this.#pieceStart >= pieceBytes) await this.#flush(output, bytes);
    }
    await this.#flush(output, bytes);
  }

  /** Completes the last output. */
  async finish(): Promise<void> {
    await this.outputs.at(-1)?.finish();
  }

  /** Closes what is open; the files stay. */
  async abandon(): Promise<void> {
    for (const output of this.outputs) await output.abandon();
  }

  /** Brings what stays of a slot to the end of the piece; returns its length, 0 where nothing stays. */
  #settle(window: MergeWindow, slot: number): number {
    const { bytes, view } = window;
    const fields = this.#fields;
    const start = window.start(slot);
    const end = this.#pieceEnd;
    readRecord(view, start, fields);
    this.#isReplaced = false;
    if (fields.expiresAtMs > 0 && fields.expiresAtMs <= this.#job.horizonMs) {
      this.recordsExpired++;
      if (!window.olderRemains(slot)) return 0;
      this.#isReplaced = true;
      const key = bytes.slice(fields.keyStart, fields.valueStart);
      return layTombstone(bytes, view, end, key) - end;
    }
    if (start !== end) bytes.copyWithin(end, start, start + fields.recordBytes);
    return fields.recordBytes;
  }

  /** Seals the record at the end of the piece, which is a slot's or takes its place, and enters it into the hint. */
  #stamp(output: MergeOutput, window: MergeWindow, slot: number, length: number): Promise<void> | undefined {
    const { bytes, view } = window;
    const sequence = window.sequence(slot);
    const start = this.#pieceEnd;
    const end = start + length;
    const entry = this.#entry;
    const fields = this.#fields;
    entry.offset = this.#endIn(output);
    const seed = crcSeed(output.segment.seed, entry.offset);
    const seedBefore = this.#isReplaced ? undefined : window.seed(slot);
    if (seedBefore === undefined) stampRecord(bytes, view, start, end, sequence, seed);
    else moveRecord(bytes, view, start, end, seedBefore, seed);
    readRecord(view, start, fields);
    entry.recordBytes = length;
    entry.sequence = sequence;
    entry.tombstone = (fields.flags & recordFlags.tombstone) !== 0;
    entry.expires = (fields.flags & recordFlags.expires) !== 0;
    if (entry.tombstone) this.tombstonesKept++;
    else this.recordsCopied++;
    this.#pieceEnd += length;
    return output.enter(bytes.subarray(fields.keyStart, fields.valueStart), entry);
  }

  /** Where the next record goes in the output's file. */
  #endIn(output: MergeOutput): number {
    return output.end + (this.#pieceEnd - this.#pieceStart);
  }

  async #flush(output: MergeOutput | undefined, bytes: Uint8Array): Promise<void> {
    const piece = bytes.subarray(this.#pieceStart, this.#pieceEnd);
    this.#pieceStart = this.#pieceEnd;
    if (output === undefined || piece.length === 0) return;
    await output.write(piece);
    await this.#host.spend(0, piece.length);
  }

  async #nextOutput(last: MergeOutput | undefined): Promise<MergeOutput> {
    await last?.finish();
    const output = await MergeOutput.open(this.#disk, this.#job.directory, await this.#host.newOutput());
    this.outputs.push(output);
    return output;
  }
}
