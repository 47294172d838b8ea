/**
 * Packed entries of one (origin, epoch) (docs/formats/log-page.md), decoded one at a time as they are asked for. All lengths
 * are checked before the first is given, so that an answer damaged on its way is found before anything of it is believed.
 */
import { crc32 } from '@shanghai/env';
import type { PackedEntries } from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import type { LogEntry, Producer } from '../named-logs.js';
import { noBytes, toNumber } from './wire-values.js';

/** The form that this reads. */
export const packedVersion = 1;

const entryHeadBytes = 12;
const recordHeadBytes = 10;
const headerHeadBytes = 6;
const producerBytes = 24;
const producerFlag = 1;
/** Bytes of an entry's head without a producer, by form. */
const headBytes = [undefined, 24, 10] as const;
const stampedForm = 2;
const twoTo32 = 0x1_0000_0000;
const noHeaders: LogEntry['headers'] = Object.freeze([]);

/** A packed run and how far it was read. */
export class PackedRun {
  readonly origin: number;
  readonly epoch: number;
  readonly #bytes: Buffer;
  readonly #view: DataView;
  #at = 0;
  #sequence: number;

  /** Throws `ClientError` `SERVICE_UNAVAILABLE` where it was damaged on its way or is of another version. */
  constructor(message: PackedEntries) {
    const { version, checksum, entries, count } = message;
    if (version !== packedVersion) throw damaged(`version ${version}, not ${packedVersion}`);
    if (crc32(entries) !== checksum) throw damaged('the checksum does not hold');
    this.origin = toNumber(message.origin);
    this.epoch = toNumber(message.epoch);
    this.#sequence = toNumber(message.firstSequence);
    this.#bytes = entries;
    this.#view = new DataView(entries.buffer, entries.byteOffset, entries.length);
    if (!hasEntries(this.#view, count)) throw damaged(`it does not hold ${count} entries`);
  }

  /** The next entry's number; of no meaning at the end. */
  get sequence(): number {
    return this.#sequence;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** High and low half of the next entry's stamp. Not at the end. Entries without a stamp have the first. */
  get stampHigh(): number {
    return this.#isStamped ? this.#view.getUint32(this.#at + entryHeadBytes + 2) : 0;
  }

  get stampLow(): number {
    return this.#isStamped ? this.#view.getUint32(this.#at + entryHeadBytes + 6) : 0;
  }

  /** The next entry. Not at the end. Key and value are views of the whole page. */
  take(): LogEntry {
    const view = this.#view;
    const head = this.#at + entryHeadBytes;
    const isStamped = view.getUint8(head) === stampedForm;
    const hasProducer = (view.getUint8(head + 1) & producerFlag) !== 0;
    const producerAt = head + (isStamped ? 10 : 24);
    const record = hasProducer ? producerAt + producerBytes : producerAt;
    const keyAt = record + recordHeadBytes;
    const valueAt = keyAt + view.getUint32(record, true);
    const end = valueAt + view.getUint32(record + 4, true);
    const headerCount = view.getUint16(record + 8, true);
    const timeMs = isStamped
      ? view.getUint32(head + 2) * 0x1_0000 + view.getUint16(head + 6)
      : readUint64(view, head + 16);
    const entry = {
      origin: this.origin,
      epoch: this.epoch,
      sequence: this.#sequence,
      timeMs,
      key: keyAt === valueAt ? noBytes : this.#bytes.subarray(keyAt, valueAt),
      value: valueAt === end ? noBytes : this.#bytes.subarray(valueAt, end),
      headers: headerCount === 0 ? noHeaders : headersOf(this.#bytes, view, end, headerCount),
    };
    this.#at = head + view.getUint32(this.#at, true);
    this.#sequence++;
    return hasProducer ? { ...entry, producer: producerOf(view, producerAt) } : entry;
  }

  get #isStamped(): boolean {
    return this.#view.getUint8(this.#at + entryHeadBytes) === stampedForm;
  }
}

function damaged(what: string): ClientError {
  return new ClientError('SERVICE_UNAVAILABLE', `packed entries were damaged on their way: ${what}; ask again`);
}

/** Whether the bytes are so many whole entries, in forms that are known. */
function hasEntries(view: DataView, count: number): boolean {
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + entryHeadBytes > view.byteLength) return false;
    const end = at + entryHeadBytes + view.getUint32(at, true);
    if (end > view.byteLength || !isEntry(view, at + entryHeadBytes, end)) return false;
    at = end;
  }
  return count > 0 && at === view.byteLength;
}

function isEntry(view: DataView, start: number, end: number): boolean {
  if (start + 2 > end) return false;
  const head = headBytes[view.getUint8(start)];
  const flags = view.getUint8(start + 1);
  if (head === undefined || flags > producerFlag) return false;
  const record = start + head + (flags === producerFlag ? producerBytes : 0);
  if (record + recordHeadBytes > end) return false;
  let at = record + recordHeadBytes + view.getUint32(record, true) + view.getUint32(record + 4, true);
  for (let left = view.getUint16(record + 8, true); left > 0; left--) {
    if (at + headerHeadBytes > end) return false;
    at += headerHeadBytes + view.getUint16(at, true) + view.getUint32(at + 2, true);
  }
  return at === end;
}

function headersOf(bytes: Buffer, view: DataView, start: number, count: number): LogEntry['headers'] {
  const headers: { name: string; value: Uint8Array }[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    const nameAt = at + headerHeadBytes;
    const valueAt = nameAt + view.getUint16(at, true);
    const end = valueAt + view.getUint32(at + 2, true);
    headers.push({ name: bytes.toString('utf8', nameAt, valueAt), value: bytes.subarray(valueAt, end) });
    at = end;
  }
  return headers;
}

function producerOf(view: DataView, at: number): Producer {
  return { producerId: readUint64(view, at), epoch: readUint64(view, at + 8), sequence: readUint64(view, at + 16) };
}

function readUint64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * twoTo32 + view.getUint32(at, true);
}
