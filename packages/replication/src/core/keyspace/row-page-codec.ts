/**
 * Pages of rows as bytes, as one node ships them to another: docs/formats/keyspace.md, "A page of rows".
 *
 *   version u8 = 1 | flags u8 (1 from, 2 to, 4 end) | giving: origin | epoch | number | floor 8 B | from | to
 *   rows: count, of each: key | row
 *   end:  positions: count, of each: stamp of the stream's last entry here
 *         accepted ms | removed: count, of each: origin | epoch | sequence
 *         verdicts: count, of each: origin | epoch | sequence | key | flags u8 (1 accepted, 2 dropped) | dropped at 8 B
 *         held: count, of each: stamp | entry
 *         lost: count, of each: key | loser and winner as a row
 *
 * Numbers are LEB128 in their shortest form, keys, rows and entries stand behind their length, stamps are those of entries.
 */
import { invariant } from '@shanghai/env';
import type { EntryStamp } from '../entry-id.js';
import { FieldReader, FieldWriter } from './field-bytes.js';
import type { KeyEntry, LastEntry } from './keyspace-store.js';
import { decodeOperation, encodeOperation } from './operation-codec.js';
import type { LostVersion } from './row.js';
import { decodeRow, encodeRow } from './row-codec.js';
import type { RowPage, SnapshotTail, VerdictRecord } from './row-snapshot.js';

/** What goes with the last page: the tail, and how far each stream was at the giver, with the stamp of its last entry. */
export interface RowsEnd {
  readonly tail: SnapshotTail;
  readonly positions: readonly EntryStamp[];
}

/** A page as it travels. The last one, and no other, has an end. */
export interface GivenPage extends RowPage {
  readonly end?: RowsEnd;
}

const formatVersion = 1;
const fromFlag = 1;
const toFlag = 2;
const endFlag = 4;
const acceptedFlag = 1;
const droppedFlag = 2;
const stampBytes = 11;

/** Writes a page. */
export function encodeRowPage({ giving, from, to, floor, rows, end }: GivenPage): Uint8Array {
  invariant((to === undefined) === (end !== undefined), 'the last page has an end, and no other');
  const fields = new FieldWriter();
  fields.u8(formatVersion);
  fields.u8((from === undefined ? 0 : fromFlag) | (to === undefined ? 0 : toFlag) | (end === undefined ? 0 : endFlag));
  fields.number(giving.origin);
  fields.number(giving.epoch);
  fields.number(giving.number);
  fields.hlc(floor);
  if (from !== undefined) fields.bytes(from);
  if (to !== undefined) fields.bytes(to);
  fields.number(rows.length);
  for (const { key, row } of rows) {
    fields.bytes(key);
    fields.bytes(encodeRow(row));
  }
  if (end !== undefined) writeEnd(fields, end);
  return fields.finish();
}

/** Reads what `encodeRowPage` wrote, keys and values as views of `bytes`. Anything else: `CORRUPT`. */
export function decodeRowPage(bytes: Uint8Array): GivenPage {
  const fields = new FieldReader(bytes, 'a page of rows');
  const version = fields.u8();
  if (version !== formatVersion) throw fields.corrupt(`is of version ${version}; this program reads ${formatVersion}`);
  const flags = fields.u8();
  if (flags > (fromFlag | toFlag | endFlag) || (flags & toFlag) / toFlag === (flags & endFlag) / endFlag) {
    throw fields.corrupt(`has flags ${flags}`);
  }
  const giving = { origin: fields.number(), epoch: fields.number(), number: fields.number() };
  const floor = fields.hlc();
  const from = (flags & fromFlag) === 0 ? undefined : fields.bytes();
  const to = (flags & toFlag) === 0 ? undefined : fields.bytes();
  const rows = many(fields, 2, () => ({ key: fields.bytes(), row: decodeRow(fields.bytes()) }));
  const end = (flags & endFlag) === 0 ? undefined : readEnd(fields);
  fields.finish();
  return {
    ...{ giving, floor, rows },
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(end === undefined ? {} : { end }),
  };
}

function writeEnd(fields: FieldWriter, { tail, positions }: RowsEnd): void {
  const { verdicts, held, lost, removed, acceptedMs } = tail;
  fields.number(positions.length);
  for (const position of positions) fields.stamp(position);
  fields.number(acceptedMs);
  fields.number(removed.length);
  for (const { origin, epoch, sequence } of removed) for (const n of [origin, epoch, sequence]) fields.number(n);
  fields.number(verdicts.length);
  for (const record of verdicts) writeVerdict(fields, record);
  fields.number(held.length);
  for (const { stamp, operation } of held) {
    fields.stamp(stamp);
    fields.bytes(encodeOperation(operation));
  }
  fields.number(lost.length);
  for (const { key, lost: both } of lost) {
    fields.bytes(key);
    fields.bytes(encodeRow([both.loser, both.winner]));
  }
}

function readEnd(fields: FieldReader): RowsEnd {
  const positions = many(fields, stampBytes, () => fields.stamp());
  const acceptedMs = fields.number();
  const removed = many(fields, 3, (): LastEntry => {
    return { origin: fields.number(), epoch: fields.number(), sequence: fields.number() };
  });
  const verdicts = many(fields, 5, () => readVerdict(fields));
  const held = many(fields, stampBytes + 1, () => readHeld(fields));
  const lost = many(fields, 2, () => ({ key: fields.bytes(), lost: readLost(fields) }));
  return { positions, tail: { verdicts, held, lost, removed, acceptedMs } };
}

function writeVerdict(fields: FieldWriter, { id, key, verdict }: VerdictRecord): void {
  const { isAccepted, droppedAt } = verdict;
  for (const n of [id.origin, id.epoch, id.sequence]) fields.number(n);
  fields.bytes(key);
  fields.u8((isAccepted ? acceptedFlag : 0) | (droppedAt === undefined ? 0 : droppedFlag));
  if (droppedAt !== undefined) fields.hlc(droppedAt);
}

function readVerdict(fields: FieldReader): VerdictRecord {
  const id = { origin: fields.number(), epoch: fields.number(), sequence: fields.number() };
  const key = fields.bytes();
  const flags = fields.u8();
  if (flags > (acceptedFlag | droppedFlag)) throw fields.corrupt(`has a verdict with flags ${flags}`);
  const isAccepted = (flags & acceptedFlag) !== 0;
  const droppedAt = (flags & droppedFlag) === 0 ? undefined : fields.hlc();
  return { id, key, verdict: droppedAt === undefined ? { isAccepted } : { isAccepted, droppedAt } };
}

function readHeld(fields: FieldReader): KeyEntry {
  const stamp = fields.stamp();
  const operation = decodeOperation(fields.bytes());
  if (operation.type === 'verdict') throw fields.corrupt('holds a verdict back');
  return { stamp, operation };
}

function readLost(fields: FieldReader): LostVersion {
  const [loser, winner, ...more] = decodeRow(fields.bytes());
  if (loser === undefined || winner === undefined || more.length > 0) throw fields.corrupt('lists no two versions');
  return { loser, winner };
}

function many<Item>(fields: FieldReader, minBytes: number, read: () => Item): Item[] {
  return Array.from({ length: fields.count(minBytes) }, read);
}
