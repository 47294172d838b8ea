/**
 * Makes a group's log of the records of its stream, given in their order. Which writes count, and what they say, is
 * told by docs/formats/command-log.md: numbered writes tell a hole that a full disk left from the log itself.
 *
 * Of a log that was compacted the stream lacks its beginning, and where exactly it begins is a matter of segments. What
 * is read first may therefore refer to what is gone; it only has to come right in the end. So entries are gathered from
 * whatever index they begin with, and held against the start of the log when all was read.
 */
import { invariant } from '@shanghai/env';
import { emptyConfState } from '../core/configuration/configuration.js';
import { type Entry, type EntryId, emptyHardState, type HardState } from '../core/entry.js';
import { RaftError } from '../core/raft-error.js';
import { EntryPlaces } from './entry-places.js';
import { decodeFirstReleaseRecord, type FirstReleaseRecord } from './first-release-record.js';
import { type LogStart, LogView, noStart } from './log-view.js';
import { decodeWrite, type LogBase, type WriteRecord, writeKind } from './write-record.js';

/** What a stream holds. */
export interface FoldedStream {
  readonly view: LogView;
  readonly hardState: HardState;
  /** Of the last write; 0 where there is none. */
  readonly number: number;
  /** No record before this one is needed. */
  readonly neededLsn: number;
}

/** A stream being read. */
export class StreamFold {
  readonly #groupId: number;
  readonly #loneVoter: number;
  /** Where the log begins, as soon as something has said so. */
  #start: LogStart | undefined;
  #startLsn = 0;
  /** Index of the first of `#entries`, or of the one that would be; `undefined` where any may come. */
  #firstIndex: number | undefined;
  #entries: Entry[] = [];
  #places = new EntryPlaces();
  #hardState: HardState = emptyHardState;
  #hardStateLsn = 0;
  #isFirstRelease = false;
  /** Numbers of the first write that counts, and of the last one. */
  #baseNumber: number | undefined;
  #number = 0;
  /** The last record that counts. */
  #lsn = 0;
  /** What cannot be, unless what follows makes it pointless. */
  #damage: RaftError | undefined;

  /** `loneVoter`: who was in the groups of the first release. */
  constructor(groupId: number, loneVoter: number) {
    this.#groupId = groupId;
    this.#loneVoter = loneVoter;
  }

  /** Takes the next record. Its payload is kept. Throws `RaftError` `LOG_DAMAGED` or `UNSUPPORTED_FORMAT`. */
  add(kind: number, payload: Uint8Array, lsn: number): void {
    if (kind !== writeKind) this.#addFirstRelease(decodeFirstReleaseRecord(kind, payload), lsn);
    else {
      const record = decodeWrite(payload);
      if (this.#counts(record, lsn)) this.#apply(record, lsn);
    }
  }

  /** What it came to. Throws `RaftError` `LOG_DAMAGED`. */
  end(): FoldedStream {
    if (this.#damage !== undefined) throw this.#damage;
    if (this.#start === undefined && (this.#baseNumber ?? 0) > 1) {
      throw this.#damagedBy(`begins with its write ${this.#baseNumber}, and nothing says where the log begins`);
    }
    const start = this.#start ?? { ...noStart, confState: this.#firstMembers };
    const { index } = start;
    if ((this.#firstIndex ?? 0) > index + 1) {
      throw this.#damagedBy(`begins with entry ${this.#firstIndex}, but is needed from ${index + 1} on`);
    }
    const [first] = this.#entries;
    if (first !== undefined && first.term < start.term) {
      throw this.#damagedBy(`falls from term ${start.term} to ${first.term} at entry ${first.index}`);
    }
    const view = new LogView(start, this.#entries, this.#places);
    const commit = Math.max(index, Math.min(this.#hardState.commit, view.lastIndex));
    const hardState = { ...this.#hardState, commit };
    return { view, hardState, number: this.#number, neededLsn: this.#neededLsn(view) };
  }

  /** Without a start the stream must keep its first write. */
  #neededLsn(view: LogView): number {
    if (this.#start === undefined) return 1;
    const { index } = this.#start;
    return Math.min(this.#startLsn, this.#hardStateLsn || this.#startLsn, view.places.lsnOf(index + 1) ?? this.#lsn);
  }

  #counts({ number, continues }: WriteRecord, lsn: number): boolean {
    const base = this.#baseNumber;
    if (base !== undefined && number > this.#number + 1) return false;
    if (continues) {
      if (number === this.#number && lsn === this.#lsn + 1) return true;
      this.#noteDamage(`lacks what LSN ${lsn} continues`);
      return false;
    }
    if (base === undefined) this.#baseNumber = number;
    else if (number <= this.#number) {
      if (number < base) this.#reset(number);
      else this.#noteDamage(`has a write ${number} behind ${this.#number} at LSN ${lsn}`);
    }
    this.#number = number;
    return true;
  }

  /** What came lay behind a hole, and what was before the hole is not there any more. */
  #reset(number: number): void {
    this.#start = undefined;
    this.#startLsn = 0;
    this.#beginEntries(undefined);
    this.#hardState = emptyHardState;
    this.#hardStateLsn = 0;
    this.#baseNumber = number;
    this.#damage = undefined;
  }

  #beginEntries(firstIndex: number | undefined): void {
    this.#firstIndex = firstIndex;
    this.#entries = [];
    this.#places = new EntryPlaces();
  }

  #apply({ hardState, base, entries }: WriteRecord, lsn: number): void {
    this.#lsn = lsn;
    if (hardState !== undefined) {
      this.#hardState = hardState;
      this.#hardStateLsn = lsn;
    }
    if (base?.kind === 'snapshot') this.#begin(base, lsn);
    else if (base !== undefined) this.#compact(base, lsn);
    const first = entries[0];
    if (first === undefined || this.#damage !== undefined) return;
    const next = this.#nextIndex;
    if (next !== undefined && first.index > next) this.#noteDamage(`lacks entries ${next} to ${first.index - 1}`);
    else this.#append(entries, lsn);
  }

  /** The index of the next entry; `undefined` where any may come. */
  get #nextIndex(): number | undefined {
    return this.#firstIndex === undefined ? undefined : this.#firstIndex + this.#entries.length;
  }

  /** Entries that leave no gap. */
  #append(entries: readonly Entry[], lsn: number): void {
    const [first, last] = [entries[0], entries.at(-1)] as [Entry, Entry];
    const begin = this.#start?.index ?? 0;
    if (first.index <= begin) {
      this.#noteDamage(`begins behind ${begin} and has entry ${first.index}`);
      return;
    }
    if (this.#firstIndex === undefined || first.index < this.#firstIndex) this.#beginEntries(first.index);
    const kept = first.index - (this.#firstIndex as number);
    invariant(kept <= this.#entries.length, `entry ${first.index} leaves a gap`);
    this.#entries.length = kept;
    let term = this.#termAt(first.index - 1) ?? 0;
    for (const entry of entries) {
      if (entry.term < term) this.#noteDamage(`falls from term ${term} to ${entry.term} at entry ${entry.index}`);
      term = entry.term;
      this.#entries.push(entry);
    }
    this.#places.note(first.index, last.index, lsn);
  }

  #termAt(index: number): number | undefined {
    if (this.#start?.index === index) return this.#start.term;
    return this.#entries[index - (this.#firstIndex ?? 0)]?.term;
  }

  /** Whatever came before is of no matter. */
  #begin({ index, term, confState }: LogBase, lsn: number): void {
    const begin = this.#start?.index ?? 0;
    this.#damage = undefined;
    if (index < begin) this.#noteDamage(`goes back from ${begin} to ${index}`);
    this.#start = { index, term, confState };
    this.#startLsn = lsn;
    this.#beginEntries(index + 1);
  }

  #compact({ index, term, confState }: LogStart, lsn: number): void {
    const begin = this.#start?.index ?? 0;
    const known = this.#termAt(index);
    const next = this.#nextIndex;
    if (index < begin) this.#noteDamage(`goes back from ${begin} to ${index}`);
    if (next !== undefined && index >= next) this.#noteDamage(`ends at ${next - 1} and is compacted at ${index}`);
    if (known !== undefined && known !== term) {
      this.#noteDamage(`has term ${known} at entry ${index}, where it is compacted at term ${term}`);
    }
    this.#start = { index, term, confState };
    this.#startLsn = lsn;
    if (this.#firstIndex === undefined || index < this.#firstIndex) return;
    this.#entries.splice(0, index + 1 - this.#firstIndex);
    this.#firstIndex = index + 1;
    this.#places.drop(index + 1);
  }

  #addFirstRelease(record: FirstReleaseRecord, lsn: number): void {
    if (this.#number > 0) this.#noteDamage(`goes back to the first release at LSN ${lsn}`);
    this.#baseNumber ??= 0;
    this.#isFirstRelease = true;
    this.#lsn = lsn;
    if ('hardState' in record) {
      this.#hardState = record.hardState;
      this.#hardStateLsn = lsn;
    } else if ('compaction' in record) this.#compactFirstRelease(record.compaction, lsn);
    else if (record.entry.index <= (this.#nextIndex ?? record.entry.index)) this.#append([record.entry], lsn);
  }

  /** The state of a single voter may be ahead of its log: the log then goes on behind it. */
  #compactFirstRelease(at: EntryId, lsn: number): void {
    const start = { ...at, confState: this.#firstMembers };
    const isAhead = this.#nextIndex !== undefined && at.index + 1 >= this.#nextIndex;
    if (isAhead) this.#begin({ kind: 'snapshot', ...start }, lsn);
    else this.#compact(start, lsn);
  }

  /** Who is in a group of which nothing says so. */
  get #firstMembers(): LogStart['confState'] {
    return this.#isFirstRelease ? { ...emptyConfState, voters: [this.#loneVoter] } : emptyConfState;
  }

  #noteDamage(what: string): void {
    this.#damage ??= this.#damagedBy(what);
  }

  #damagedBy(what: string): RaftError {
    return new RaftError(
      'LOG_DAMAGED',
      `the log of group ${this.#groupId} ${what}; restore the data directory from a backup, or this node from the others`,
      { details: { groupId: this.#groupId } },
    );
  }
}
