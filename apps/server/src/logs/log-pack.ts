/**
 * Packs of appends: plain appends of many callers to one log, whose records lie one behind the other as commands and files
 * keep them. They are looked at, not taken apart; what is in order goes on as it came.
 *
 * Each append is judged by itself: one that breaks a limit is refused, and the others of its pack are not. What no
 * append of its own could have caused, lengths that do not fit, is the pack's fault and refuses it.
 */
import { readU16, readU32 } from '../apply/byte-fields.js';
import { readLogRecord, recordHeadBytes } from '../apply/log-record-codec.js';
import type { NodeLimits } from '../limits.js';
import { invalidRequest } from '../requests/request-checks.js';
import { ServerError } from '../requests/server-error.js';
import type { AppendPlace, AppendWork } from './append-batches.js';
import { checkKeys, checkRecord } from './log-checks.js';
import type { LogPack, LogPackRange } from './log-requests.js';

/** A pack that was looked at. */
export interface CheckedPack {
  /** How many records each append has; absent: each has one. */
  readonly counts: readonly number[] | undefined;
  readonly appends: number;
  /** Why appends were refused, by their places in the pack. */
  readonly refused: ReadonlyMap<number, ServerError>;
  /** What is left to append, together; absent where all were refused. */
  readonly work: AppendWork | undefined;
}

/** Looks at a pack. Throws `INVALID_REQUEST`. `needsKeys`: whether every record of the log must have one. */
export function checkPack(pack: LogPack, limits: NodeLimits, needsKeys: boolean): CheckedPack {
  const { log, records: bytes, counts } = pack;
  if (bytes.length > limits.maxRequestBytes) {
    throw invalidRequest(`the pack holds ${bytes.length} bytes, at most ${limits.maxRequestBytes} are allowed`);
  }
  const walk = new PackWalk(bytes, limits, needsKeys ? log : undefined);
  const kept: Uint8Array[] = [];
  const refused = new Map<number, ServerError>();
  let appends = 0;
  let keptRecords = 0;
  while (walk.at < bytes.length) {
    const count = counts.length === 0 ? 1 : (counts[appends] ?? 0);
    if (count === 0) throw invalidRequest(`append ${appends} of the pack holds no records`);
    const start = walk.at;
    const refusal = walk.append(count);
    if (refusal === undefined) {
      keptRecords += count;
      if (refused.size > 0) kept.push(bytes.subarray(start, walk.at));
    } else {
      if (refused.size === 0) kept.push(bytes.subarray(0, start));
      refused.set(appends, refusal);
    }
    appends++;
  }
  if (appends === 0) throw invalidRequest('the pack holds no appends');
  if (counts.length > 0 && counts.length !== appends) {
    throw invalidRequest(`the pack names ${counts.length} appends and holds records of ${appends}`);
  }
  const recordBytes = refused.size === 0 ? bytes : Buffer.concat(kept);
  const work = keptRecords === 0 ? undefined : { recordCount: keptRecords, recordBytes };
  return { counts: counts.length === 0 ? undefined : counts, appends, refused, work };
}

/** What became of each append, told of runs of them. `place`: where the work went. */
export function packRanges(pack: CheckedPack, place: AppendPlace | undefined): LogPackRange[] {
  const { counts, appends, refused } = pack;
  const timeMs = place?.timeMs ?? 0;
  let next = place?.firstSequence ?? 0;
  if (refused.size === 0) return [{ appends, firstSequence: next, timeMs }];
  const ranges: { appends: number; firstSequence: number; timeMs: number; error?: ServerError }[] = [];
  for (let i = 0; i < appends; i++) {
    const error = refused.get(i);
    const last = ranges.at(-1);
    if (error !== undefined) ranges.push({ appends: 1, firstSequence: 0, timeMs: 0, error });
    else if (last !== undefined && last.error === undefined) last.appends++;
    else ranges.push({ appends: 1, firstSequence: next, timeMs });
    if (error === undefined) next += counts?.[i] ?? 1;
  }
  return ranges;
}

/** Goes over the records of a pack. */
class PackWalk {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #limits: NodeLimits;
  /** The log, where its records must have keys. */
  readonly #keyed: string | undefined;
  #records = 0;

  constructor(bytes: Uint8Array, limits: NodeLimits, keyed: string | undefined) {
    this.#bytes = bytes;
    this.#limits = limits;
    this.#keyed = keyed;
  }

  /** Goes over the next `count` records; why an append of them is refused, if it is. Throws where the lengths do not fit. */
  append(count: number): ServerError | undefined {
    this.#records += count;
    if (this.#records > this.#limits.maxOperations) {
      throw invalidRequest(`the pack holds more than the ${this.#limits.maxOperations} records that are allowed`);
    }
    let refusal: ServerError | undefined;
    for (let i = 0; i < count; i++) refusal = this.#record() ?? refusal;
    return refusal;
  }

  #record(): ServerError | undefined {
    const bytes = this.#bytes;
    const start = this.at + 4;
    if (start + recordHeadBytes > bytes.length) throw invalidRequest('the pack ends within a record');
    const end = start + readU32(bytes, this.at);
    if (end > bytes.length) throw invalidRequest('a record of the pack passes its end');
    this.at = end;
    const keyBytes = readU32(bytes, start);
    const valueBytes = readU32(bytes, start + 4);
    const { maxKeyBytes, maxValueBytes } = this.#limits;
    const isPlain = readU16(bytes, start + 8) === 0 && start + recordHeadBytes + keyBytes + valueBytes === end;
    const isInOrder = keyBytes <= maxKeyBytes && valueBytes <= maxValueBytes;
    if (isPlain && isInOrder && (this.#keyed === undefined || keyBytes > 0)) return undefined;
    return this.#judge(bytes.subarray(start, end));
  }

  #judge(bytes: Uint8Array): ServerError | undefined {
    const record = this.#read(bytes);
    try {
      checkRecord(record, this.#limits);
      if (this.#keyed !== undefined) checkKeys(this.#keyed, [record]);
      return undefined;
    } catch (error) {
      if (error instanceof ServerError) return error;
      throw error;
    }
  }

  #read(bytes: Uint8Array) {
    try {
      return readLogRecord(bytes);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw invalidRequest('the lengths within a record of the pack do not fit');
    }
  }
}
