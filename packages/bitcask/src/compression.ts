import { gunzip, gunzipSync, gzip, gzipSync } from 'node:zlib';
import type { Clock } from '@shanghai/env';
import { compress as lz4, compressSync as lz4Sync, uncompress, uncompressSync } from 'lz4-napi';
import type { CompressionStats } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import type { CompressionOptions } from './bitcask-options.js';
import { codecs } from './core/record.js';
import { valueLimitBytes } from './resolve-bitcask-options.js';

/**
 * Values of some size are stored compressed where that saves a tenth or more; else as they are, so that data which
 * does not compress costs no time at reads. Above `asyncFromBytes` the work goes to another thread: below, the way
 * there costs more than the work.
 */

/** Values of this size and more are compressed and decompressed off the caller's thread where the call may wait. */
export const asyncFromBytes = 65_536;

/** The stored form must be at most this share of the value. */
const worthShare = 0.9;

function gzipAsync(bytes: Uint8Array, options: { readonly level: number }): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gzip(bytes, options, (error, packed) => (error === null ? resolve(packed) : reject(error)));
  });
}

function gunzipAsync(bytes: Uint8Array, options: { readonly maxOutputLength: number }): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    gunzip(bytes, options, (error, raw) => (error === null ? resolve(raw) : reject(error)));
  });
}

/** A value in the form in which it is stored. `codec` is an index into `codecs`, 0 for raw. */
export interface StoredValue {
  readonly stored: Uint8Array;
  readonly codec: number;
  readonly rawBytes: number;
}

/** Packs values by the options of one store and counts what that saved. */
export class ValueCompressor {
  readonly #options: Required<CompressionOptions>;
  readonly #clock: Clock;
  readonly #codec: number;
  #packed = 0;
  #skipped = 0;
  #small = 0;
  #rawBytes = 0;
  #storedBytes = 0;
  #packMs = 0;

  constructor(options: Required<CompressionOptions>, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#codec = codecs.indexOf(options.codec);
  }

  /** Since this compressor was made: one is made by each opening. */
  stats(): CompressionStats {
    const { codec, level } = this.#options;
    return {
      codec,
      level: codec === 'gzip' ? level : 0,
      packed: this.#packed,
      skipped: this.#skipped,
      small: this.#small,
      rawBytes: this.#rawBytes,
      storedBytes: this.#storedBytes,
      packMs: this.#packMs,
    };
  }

  /** Whether `pack` would be slow enough for another thread. */
  wantsThread(value: Uint8Array): boolean {
    return this.#codec !== 0 && value.length >= asyncFromBytes && value.length >= this.#options.minBytes;
  }

  /** `value` itself where it is not compressed. */
  pack(value: Uint8Array): StoredValue {
    if (this.#codec === 0) return rawForm(value);
    if (value.length < this.#options.minBytes) {
      this.#small++;
      return rawForm(value);
    }
    const startedMs = this.#clock.monotonicMs();
    const packed =
      this.#options.codec === 'lz4' ? lz4Sync(asBuffer(value)) : gzipSync(value, { level: this.#options.level });
    return this.#choose(value, packed, startedMs);
  }

  async packOnThread(value: Uint8Array): Promise<StoredValue> {
    if (!this.wantsThread(value)) return this.pack(value);
    const startedMs = this.#clock.monotonicMs();
    const packed =
      this.#options.codec === 'lz4' ? await lz4(value) : await gzipAsync(value, { level: this.#options.level });
    return this.#choose(value, packed, startedMs);
  }

  #choose(value: Uint8Array, packed: Uint8Array, startedMs: number): StoredValue {
    const worth = packed.length <= value.length * worthShare;
    this.#packMs += this.#clock.monotonicMs() - startedMs;
    this.#rawBytes += value.length;
    this.#storedBytes += worth ? packed.length : value.length;
    if (worth) this.#packed++;
    else this.#skipped++;
    return worth ? { stored: packed, codec: this.#codec, rawBytes: value.length } : rawForm(value);
  }
}

function rawForm(value: Uint8Array): StoredValue {
  return { stored: value, codec: 0, rawBytes: value.length };
}

/** The value of stored bytes whose checksum holds. Throws `CORRUPT` where they do not decompress to `rawBytes`. */
export function unpackSync(value: StoredValue): Uint8Array {
  checkUnpack(value);
  try {
    const raw =
      codecs[value.codec] === 'lz4'
        ? uncompressSync(value.stored)
        : gunzipSync(value.stored, { maxOutputLength: value.rawBytes });
    return checkUnpacked(raw, value);
  } catch (error) {
    throw unpackFailure(error);
  }
}

/** `unpackSync` on another thread. */
export async function unpack(value: StoredValue): Promise<Uint8Array> {
  if (value.rawBytes < asyncFromBytes) return unpackSync(value);
  checkUnpack(value);
  try {
    const raw =
      codecs[value.codec] === 'lz4'
        ? await uncompress(value.stored)
        : await gunzipAsync(value.stored, { maxOutputLength: value.rawBytes });
    return checkUnpacked(raw, value);
  } catch (error) {
    throw unpackFailure(error);
  }
}

/** Before anything is allocated: the size must be sane, and LZ4's own size field must agree with ours. */
function checkUnpack(value: StoredValue): void {
  const { stored, rawBytes } = value;
  if (rawBytes > valueLimitBytes)
    throw new BitcaskError('CORRUPT', `a value claims ${rawBytes} bytes, the limit is ${valueLimitBytes}`);
  if (codecs[value.codec] !== 'lz4') return;
  const claimed = stored.length < 4 ? -1 : new DataView(stored.buffer, stored.byteOffset).getUint32(0, true);
  if (claimed !== rawBytes)
    throw new BitcaskError('CORRUPT', `an LZ4 value claims ${claimed} bytes, its record ${rawBytes}`);
}

function checkUnpacked(raw: Uint8Array, value: StoredValue): Uint8Array {
  if (raw.length !== value.rawBytes)
    throw new BitcaskError('CORRUPT', `a value of ${value.rawBytes} bytes decompressed to ${raw.length}`);
  return raw;
}

function unpackFailure(error: unknown): Error {
  return error instanceof BitcaskError
    ? error
    : new BitcaskError('CORRUPT', 'a value does not decompress', { cause: error });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
