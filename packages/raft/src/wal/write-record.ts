/**
 * The records of a group's stream: one for each write, or several where a write is large. docs/formats/command-log.md
 * draws them. A write becomes one record, not one for each entry: it is framed once, and read back at once.
 */
import { invariant } from '@shanghai/env';
import type { ConfState } from '../core/configuration/configuration.js';
import { type Entry, type EntryType, type HardState, noData, type SnapshotMetadata } from '../core/entry.js';
import { RaftError } from '../core/raft-error.js';
import { damagedRecord, RecordReader } from './record-reader.js';

/** The kind of a record that holds a write. */
export const writeKind = 6;

/** What a record of entries needs beside their data, at most, where there is one entry in it: a log takes records that much larger. */
export const entryOverheadBytes = 64;

/** Where entries go on. */
export interface LogBase extends SnapshotMetadata {
  /** `snapshot`: the whole log gives way. `compaction`: the entries behind it stay. */
  readonly kind: 'compaction' | 'snapshot';
}

/** What a group writes at once. */
export interface GroupWrite {
  readonly hardState: HardState | undefined;
  readonly base: LogBase | undefined;
  /** With consecutive indexes. */
  readonly entries: readonly Entry[];
}

/** A write, or part of it, as it was read. */
export interface WriteRecord extends GroupWrite {
  readonly number: number;
  /** It is more of the write that the record before belongs to. */
  readonly continues: boolean;
}

/** A record to append. */
export interface EncodedRecord {
  readonly payload: Uint8Array;
  /** The first of its entries; 0 where it has none. */
  readonly firstIndex: number;
}

const version = 2;
const flags = { hardState: 1, compaction: 2, snapshot: 4, entries: 8, continues: 16 } as const;
const knownFlags = 31;
const headBytes = 8;
const hardStateBytes = 24;
const configurationBytes = 16;
const entriesHeadBytes = 16;
const entryHeadBytes = 16;
/** A record takes no more entries when it is as large. */
const recordTargetBytes = 262_144;
const typeCodes: Readonly<Record<EntryType, number>> = { EntryNormal: 0, EntryConfChange: 2, EntryConfChangeV2: 3 };
const types: readonly (EntryType | undefined)[] = ['EntryNormal', undefined, 'EntryConfChange', 'EntryConfChangeV2'];

/** Encodes writes. What it gave last is valid until it is asked again. */
export class WriteEncoder {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** The records of a write; more than one where it is large. */
  encode(number: number, write: GroupWrite): readonly EncodedRecord[] {
    const { entries } = write;
    const fixedBytes = headBytes + hardStateBytes + entriesHeadBytes + baseBytes(write.base);
    let bytes = fixedBytes;
    for (const { data } of entries) bytes += entryHeadBytes + data.length;
    if (bytes <= recordTargetBytes) return [this.#encodeWhole(number, write, bytes)];
    const records: EncodedRecord[] = [];
    if (write.hardState !== undefined || write.base !== undefined) {
      records.push(copied(this.#encodeWhole(number, { ...write, entries: [] }, fixedBytes)));
    }
    for (const run of runsOf(entries)) {
      const part = { hardState: undefined, base: undefined, entries: run.entries };
      records.push(copied(this.#encodeWhole(number, part, run.bytes, records.length > 0)));
    }
    this.#release();
    return records;
  }

  #encodeWhole(number: number, write: GroupWrite, bytes: number, continues = false): EncodedRecord {
    this.#reserve(bytes);
    const { hardState, base, entries } = write;
    this.#bytes[0] = version;
    this.#bytes[1] = flagsOf(write) | (continues ? flags.continues : 0);
    this.#view.setUint32(2, number % 2 ** 32, true);
    this.#view.setUint16(6, Math.floor(number / 2 ** 32), true);
    this.#at = headBytes;
    if (hardState !== undefined) {
      this.#u64(hardState.term);
      this.#u64(hardState.vote);
      this.#u64(hardState.commit);
    }
    if (base !== undefined) this.#base(base);
    if (entries.length > 0) this.#entries(entries);
    return { payload: this.#bytes.subarray(0, this.#at), firstIndex: entries[0]?.index ?? 0 };
  }

  #base({ index, term, confState }: LogBase): void {
    const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
    this.#u64(index);
    this.#u64(term);
    const lists = [voters, votersOutgoing, learners, learnersNext];
    for (const ids of lists) {
      invariant(ids.length < 65_536, `a configuration of ${ids.length} nodes`);
      this.#view.setUint16(this.#at, ids.length, true);
      this.#at += 2;
    }
    this.#bytes.fill(0, this.#at, this.#at + 8);
    this.#bytes[this.#at] = autoLeave ? 1 : 0;
    this.#at += 8;
    for (const ids of lists) {
      for (const id of ids) this.#u64(id);
    }
  }

  #entries(entries: readonly Entry[]): void {
    const view = this.#view;
    const bytes = this.#bytes;
    this.#u64((entries[0] as Entry).index);
    view.setUint32(this.#at, entries.length, true);
    view.setUint32(this.#at + 4, 0, true);
    let at = this.#at + 8;
    for (let i = 0; i < entries.length; i++) {
      const { term, type, data } = entries[i] as Entry;
      view.setUint32(at, term % 2 ** 32, true);
      view.setUint32(at + 4, Math.floor(term / 2 ** 32), true);
      view.setUint32(at + 8, data.length, true);
      view.setUint32(at + 12, typeCodes[type], true);
      bytes.set(data, at + entryHeadBytes);
      at += entryHeadBytes + data.length;
    }
    this.#at = at;
  }

  #u64(value: number): void {
    this.#view.setUint32(this.#at, value % 2 ** 32, true);
    this.#view.setUint32(this.#at + 4, Math.floor(value / 2 ** 32), true);
    this.#at += 8;
  }

  #reserve(bytes: number): void {
    if (bytes > this.#bytes.length) this.#use(new Uint8Array(Math.max(bytes, 2 * this.#bytes.length)));
  }

  /** One large entry does not keep its size for ever. */
  #release(): void {
    if (this.#bytes.length > 2 * recordTargetBytes) this.#use(new Uint8Array(recordTargetBytes));
  }

  #use(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** Reads a record of kind `writeKind`. Entries' data are parts of `payload`. Throws `RaftError` `LOG_DAMAGED` or `UNSUPPORTED_FORMAT`. */
export function decodeWrite(payload: Uint8Array): WriteRecord {
  const reader = new RecordReader(payload);
  const found = reader.u8();
  if (found !== version) throw unsupported(`a record of version ${found}`);
  const bits = reader.u8();
  if ((bits & ~knownFlags) !== 0) throw unsupported(`a record with flags ${bits}`);
  if ((bits & flags.compaction) !== 0 && (bits & flags.snapshot) !== 0) throw damagedRecord('it begins twice');
  const number = reader.u48();
  if (number === 0) throw damagedRecord('its write has no number');
  const hardState = (bits & flags.hardState) === 0 ? undefined : readHardState(reader);
  const hasBase = (bits & (flags.compaction | flags.snapshot)) !== 0;
  const kind = (bits & flags.snapshot) !== 0 ? 'snapshot' : 'compaction';
  const base = hasBase ? readBase(reader, kind) : undefined;
  const entries = (bits & flags.entries) === 0 ? [] : readEntries(reader);
  reader.end();
  return { number, continues: (bits & flags.continues) !== 0, hardState, base, entries };
}

function readHardState(reader: RecordReader): HardState {
  return { term: reader.u64(), vote: reader.u64(), commit: reader.u64() };
}

function readBase(reader: RecordReader, kind: LogBase['kind']): LogBase {
  const index = reader.u64();
  const term = reader.u64();
  const counts = [reader.u16(), reader.u16(), reader.u16(), reader.u16()];
  const autoLeave = reader.u8();
  if (autoLeave > 1) throw damagedRecord(`auto-leave is ${autoLeave}`);
  reader.skip(7);
  const [voters, votersOutgoing, learners, learnersNext] = counts.map((count) => reader.ids(count)) as [
    number[],
    number[],
    number[],
    number[],
  ];
  const confState: ConfState = { voters, votersOutgoing, learners, learnersNext, autoLeave: autoLeave === 1 };
  return { kind, index, term, confState };
}

function readEntries(reader: RecordReader): Entry[] {
  const first = reader.u64();
  const count = reader.u32();
  reader.skip(4);
  if (first === 0 || count === 0) throw damagedRecord(`${count} entries from ${first} on`);
  if (!Number.isSafeInteger(first + count)) throw damagedRecord(`an entry ${first}`);
  const entries: Entry[] = [];
  for (let index = first; index < first + count; index++) {
    const term = reader.u64();
    const bytes = reader.u32();
    const code = reader.u8();
    const type = types[code];
    if (type === undefined) throw unsupported(`an entry of type ${code}`);
    reader.skip(3);
    entries.push({ term, index, type, data: bytes === 0 ? noData : reader.bytes(bytes) });
  }
  return entries;
}

/** What this version cannot read, and must not pass over. */
export function unsupported(what: string): RaftError {
  return new RaftError('UNSUPPORTED_FORMAT', `${what} is not known; a newer version of this program wrote it`);
}

function flagsOf({ hardState, base, entries }: GroupWrite): number {
  const ofBase = base === undefined ? 0 : flags[base.kind];
  return (hardState === undefined ? 0 : flags.hardState) | ofBase | (entries.length === 0 ? 0 : flags.entries);
}

function baseBytes(base: LogBase | undefined): number {
  if (base === undefined) return 0;
  const { voters, votersOutgoing, learners, learnersNext } = base.confState;
  const ids = voters.length + votersOutgoing.length + learners.length + learnersNext.length;
  return 16 + configurationBytes + 8 * ids;
}

function copied({ payload, firstIndex }: EncodedRecord): EncodedRecord {
  return { payload: payload.slice(), firstIndex };
}

/** Entries by the record they go into, with the record's size. */
function runsOf(entries: readonly Entry[]): { entries: readonly Entry[]; bytes: number }[] {
  const runs: { entries: Entry[]; bytes: number }[] = [];
  for (const entry of entries) {
    const bytes = entryHeadBytes + entry.data.length;
    let run = runs.at(-1);
    if (run === undefined || run.bytes + bytes > recordTargetBytes) {
      run = { entries: [], bytes: headBytes + entriesHeadBytes };
      runs.push(run);
    }
    run.entries.push(entry);
    run.bytes += bytes;
  }
  return runs;
}
