/**
 * What nodes tell each other of logs that every node writes: how far consumers have come, and what was trimmed by hand. Entries
 * of a hidden log of mode multi-master, the upkeep log, in the same form in which the state keeps them
 * (docs/formats/state-machine.md, "Upkeep log"):
 *
 *   consumer   0        1     2      3  4       8           16         24           32            36             40
 *              version  1     flags  0  log id  generation  committed  begin stamp  begin origin  name's length  positions   name, positions
 *   trim       version  2     0      0  log id  positions   positions
 *
 * A position is origin, epoch, sequence, eight bytes each. Flag 1: the generation begins with this entry, at its own stamp. Flag 2:
 * the consumer is deleted.
 */
import { type Hlc, zeroHlc } from '@shanghai/replication';
import { writeU32, writeU64 } from './byte-fields.js';
import type { ConsumerState, LogPosition } from './consumer-table.js';
import { FieldReader } from './field-reader.js';
import { readHlc, writeHlc } from './hlc-field.js';

/** Id of the upkeep log: below those of keyspaces, far above all that the catalogue gives out. */
export const upkeepLogId = 0x7fff_ffff;

/** The seek with which a generation began; that of the first has no stamp. */
export interface GenerationBegin {
  readonly hlc: Hlc;
  readonly origin: number;
}

/** A consumer of a log as all nodes have it once they have heard the same. */
export interface SharedConsumer extends ConsumerState {
  readonly begin: GenerationBegin;
  /** What is left of one that was deleted: what was said of it before does not count. */
  readonly isDeleted: boolean;
}

/** An entry of the upkeep log. */
export type UpkeepEntry =
  | {
      readonly type: 'consumer';
      readonly consumer: SharedConsumer;
      /** Whether the generation begins with this entry, whatever `begin` says. */
      readonly beginsHere: boolean;
    }
  /** Of these entries and all before them nobody keeps any. */
  | { readonly type: 'trim'; readonly logId: number; readonly positions: readonly LogPosition[] };

/** How the first generation of a consumer begins, at whichever node. */
export const firstBegin: GenerationBegin = { hlc: zeroHlc, origin: 0 };

const version = 1;
const consumerType = 1;
const trimType = 2;
const beginsFlag = 1;
const deletedFlag = 2;
const consumerHeadBytes = 44;
const trimHeadBytes = 12;
const positionBytes = 24;
const maxOrigin = 0xffff_ffff;

/** The bytes of an entry. */
export function encodeUpkeepEntry(entry: UpkeepEntry): Buffer {
  return entry.type === 'trim' ? encodeTrim(entry) : encodeConsumer(entry);
}

/** Reads an entry. Throws `RangeError` where it is none, or one of a newer program. */
export function decodeUpkeepEntry(bytes: Uint8Array): UpkeepEntry {
  const reader = new FieldReader(bytes);
  const [found, type, flags] = [reader.u8(), reader.u8(), reader.u8()];
  reader.u8();
  if (found !== version || (type !== consumerType && type !== trimType)) {
    throw new RangeError(`an entry of the upkeep log of version ${found} and type ${type} is not known`);
  }
  const logId = reader.u32();
  if (type === trimType) {
    const positions = readPositions(reader, reader.u32());
    reader.finish();
    return { type: 'trim', logId, positions };
  }
  const [generation, committedAtMs] = [reader.u64(), reader.u64()];
  const begin = { hlc: readHlc(reader.take(8), 0), origin: reader.u32() };
  const [nameBytes, count] = [reader.u32(), reader.u32()];
  const name = reader.text(nameBytes);
  const positions = readPositions(reader, count);
  reader.finish();
  const isDeleted = (flags & deletedFlag) !== 0;
  const consumer = { logId, name, generation, committedAtMs, begin, isDeleted, positions };
  return { type: 'consumer', consumer, beginsHere: (flags & beginsFlag) !== 0 };
}

function encodeConsumer({ consumer, beginsHere }: Extract<UpkeepEntry, { type: 'consumer' }>): Buffer {
  const { logId, generation, committedAtMs, begin, isDeleted, positions } = consumer;
  const name = Buffer.from(consumer.name);
  const bytes = Buffer.alloc(consumerHeadBytes + name.length + positions.length * positionBytes);
  bytes[0] = version;
  bytes[1] = consumerType;
  bytes[2] = (beginsHere ? beginsFlag : 0) | (isDeleted ? deletedFlag : 0);
  writeU32(bytes, 4, logId);
  writeU64(bytes, 8, generation);
  writeU64(bytes, 16, committedAtMs);
  writeHlc(bytes, 24, begin.hlc);
  writeU32(bytes, 32, begin.origin);
  writeU32(bytes, 36, name.length);
  writeU32(bytes, 40, positions.length);
  bytes.set(name, consumerHeadBytes);
  writePositions(bytes, consumerHeadBytes + name.length, positions);
  return bytes;
}

function encodeTrim({ logId, positions }: Extract<UpkeepEntry, { type: 'trim' }>): Buffer {
  const bytes = Buffer.alloc(trimHeadBytes + positions.length * positionBytes);
  bytes[0] = version;
  bytes[1] = trimType;
  writeU32(bytes, 4, logId);
  writeU32(bytes, 8, positions.length);
  writePositions(bytes, trimHeadBytes, positions);
  return bytes;
}

function writePositions(bytes: Buffer, start: number, positions: readonly LogPosition[]): void {
  for (const [i, { origin, epoch, sequence }] of positions.entries()) {
    const at = start + i * positionBytes;
    writeU64(bytes, at, origin);
    writeU64(bytes, at + 8, epoch);
    writeU64(bytes, at + 16, sequence);
  }
}

/** A count is believed only once so many positions are there. */
function readPositions(reader: FieldReader, count: number): LogPosition[] {
  if (count * positionBytes > reader.left) throw new RangeError(`${count} positions do not follow`);
  return Array.from({ length: count }, () => {
    const position = { origin: reader.u64(), epoch: reader.u64(), sequence: reader.u64() };
    // Keys of the state have four bytes for an origin, and there is a sequence behind every other.
    if (position.origin <= maxOrigin && position.sequence < Number.MAX_SAFE_INTEGER) return position;
    throw new RangeError(`origin ${position.origin}, sequence ${position.sequence} is no position`);
  });
}
