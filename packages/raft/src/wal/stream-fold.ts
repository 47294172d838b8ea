/**
 * Makes a group's log of the records of its stream, given in their order. Which writes count, and what they say, is
 * told by docs/formats/command-log.md: numbered writes tell a hole that a full disk left from the log itself.
 */
import { type Entry, emptyHardState, type HardState } from '../core/entry.js';
import { RaftError } from '../core/raft-error.js';
import { decodeFirstReleaseRecord, type FirstReleaseRecord } from './first-release-record.js';
import { LogView, noStart } from './log-view.js';
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
  #view = new LogView(noStart);
  /** Whether nothing yet has said where the log begins: then it begins with whatever entry comes first. */
  #floats = true;
  /** Whether something has said who is in the group. */
  #hasMembers = false;
  #isFirstRelease = false;
  #hardState: HardState = emptyHardState;
  #hardStateLsn = 0;
  #startLsn = 0;
  /** The first write that counts, and the last one. */
  #baseNumber: number | undefined;
  #number = 0;
  /** The last record that counts, and the last of all. */
  #lsn = 0;
  #seenLsn = 0;
  /** What cannot be, unless it turns out that it lay behind a hole. */
  #damage: RaftError | undefined;

  constructor(groupId: number) {
    this.#groupId = groupId;
  }

  /** Takes the next record. Its payload is kept. Throws `RaftError` `LOG_DAMAGED` or `UNSUPPORTED_FORMAT`. */
  add(kind: number, payload: Uint8Array, lsn: number): void {
    this.#seenLsn = lsn;
    if (kind !== writeKind) {
      const record = decodeFirstReleaseRecord(kind, payload);
      this.#attempt(() => this.#addFirstRelease(record, lsn));
    } else {
      const record = decodeWrite(payload);
      this.#attempt(() => {
        if (this.#counts(record, lsn)) this.#apply(record, lsn);
      });
    }
  }

  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      this.#damage ??= error;
    }
  }

  /** What it came to. `loneVoter`: who was in the groups of the first release. */
  end(loneVoter: number): FoldedStream {
    if (this.#floats && (this.#baseNumber ?? 0) > 1) {
      // The first writes of all found no space: nothing that followed counts.
      return { view: new LogView(noStart), hardState: emptyHardState, number: 0, neededLsn: this.#seenLsn + 1 };
    }
    if (this.#damage !== undefined) throw this.#damage;
    const view = this.#view;
    const { index, term, confState } = view.start;
    if (this.#floats && index > 0) throw this.#damaged(`begins behind entry ${index}, and nothing says why`);
    if (this.#isFirstRelease && !this.#hasMembers)
      view.compact({ index, term, confState: { ...confState, voters: [loneVoter] } });
    const commit = Math.max(index, Math.min(this.#hardState.commit, view.lastIndex));
    const first = view.places.lsnOf(index + 1);
    const lsns = [this.#hardStateLsn, this.#startLsn, first ?? 0].filter((lsn) => lsn > 0);
    return {
      view,
      hardState: { ...this.#hardState, commit },
      number: this.#number,
      neededLsn: Math.min(this.#lsn, ...lsns),
    };
  }

  #counts({ number, continues }: WriteRecord, lsn: number): boolean {
    if (continues) {
      if (this.#baseNumber !== undefined && number > this.#number + 1) return false;
      if (number === this.#number && lsn === this.#lsn + 1) return true;
      throw this.#damaged(`lacks what LSN ${lsn} continues`);
    }
    if (this.#baseNumber === undefined) this.#baseNumber = number;
    else if (number > this.#number + 1) return false;
    else if (number < this.#baseNumber || (number <= this.#number && this.#floats && this.#baseNumber > 1)) {
      this.#reset(number);
    } else if (number <= this.#number)
      throw this.#damaged(`has a write ${number} behind ${this.#number} at LSN ${lsn}`);
    this.#number = number;
    return true;
  }

  /** What came lay behind a hole, and what was before the hole is not there any more. */
  #reset(number: number): void {
    this.#view = new LogView(noStart);
    this.#floats = true;
    this.#hasMembers = false;
    this.#hardState = emptyHardState;
    this.#hardStateLsn = 0;
    this.#startLsn = 0;
    this.#baseNumber = number;
    this.#damage = undefined;
  }

  #apply({ hardState, base, entries }: WriteRecord, lsn: number): void {
    this.#lsn = lsn;
    if (this.#damage !== undefined) return;
    if (hardState !== undefined) {
      this.#hardState = hardState;
      this.#hardStateLsn = lsn;
    }
    if (base !== undefined) this.#begin(base, lsn);
    const first = entries[0];
    if (first === undefined) return;
    const { start, lastIndex } = this.#view;
    if (this.#floats && (this.#isEmpty || first.index <= start.index)) this.#float(first);
    else if (first.index > lastIndex + 1)
      throw this.#damaged(`lacks entries behind ${lastIndex}, found ${first.index}`);
    else if (first.index <= start.index) throw this.#damaged(`begins behind ${start.index} and has ${first.index}`);
    this.#append(entries, lsn);
  }

  #append(entries: readonly Entry[], lsn: number): void {
    const [first, last] = [entries[0], entries.at(-1)] as [Entry, Entry];
    let term = this.#view.term(first.index - 1) as number;
    for (const entry of entries) {
      if (entry.term < term) throw this.#damaged(`falls from term ${term} to ${entry.term} at ${entry.index}`);
      term = entry.term;
    }
    this.#view.append(entries);
    this.#view.places.note(first.index, last.index, lsn);
  }

  get #isEmpty(): boolean {
    return this.#view.lastIndex === this.#view.start.index;
  }

  /** The log begins, for all that is known, with this entry. */
  #float({ index }: Entry): void {
    this.#view = new LogView({ ...noStart, index: index - 1 });
  }

  #begin({ kind, index, term, confState }: LogBase, lsn: number): void {
    const { start } = this.#view;
    if (kind === 'snapshot' && !this.#floats && index < start.index) {
      throw this.#damaged(`goes back from ${start.index} to a snapshot at ${index}`);
    }
    if (kind === 'snapshot' || (this.#floats && this.#isEmpty)) this.#view = new LogView({ index, term, confState });
    else {
      this.#checkCompaction(index, term);
      this.#view.compact({ index, term, confState });
    }
    this.#floats = false;
    this.#hasMembers = true;
    this.#startLsn = lsn;
  }

  #checkCompaction(index: number, term: number): void {
    const { start, lastIndex } = this.#view;
    if (index < start.index || index > lastIndex) {
      throw this.#damaged(`from ${start.index + 1} to ${lastIndex} is compacted at ${index}`);
    }
    const isKnown = index > start.index || !this.#floats;
    if (isKnown && this.#view.term(index) !== term) {
      throw this.#damaged(`has term ${this.#view.term(index)} at ${index}, where its compaction has ${term}`);
    }
  }

  #addFirstRelease(record: FirstReleaseRecord, lsn: number): void {
    if (this.#number > 0) throw this.#damaged(`goes back to the first release at LSN ${lsn}`);
    this.#baseNumber = 0;
    this.#isFirstRelease = true;
    this.#lsn = lsn;
    if ('hardState' in record) {
      this.#hardState = record.hardState;
      this.#hardStateLsn = lsn;
    } else if ('compaction' in record) this.#compactFirstRelease(record.compaction, lsn);
    else this.#appendFirstRelease(record.entry, lsn);
  }

  #appendFirstRelease(entry: Entry, lsn: number): void {
    const { start, lastIndex } = this.#view;
    if (this.#floats && (this.#isEmpty || entry.index <= start.index)) this.#float(entry);
    else if (entry.index > lastIndex + 1) return;
    else if (entry.index <= start.index) throw this.#damaged(`begins behind ${start.index} and has ${entry.index}`);
    this.#append([entry], lsn);
  }

  /** The state of a single voter may be ahead of its log: the log then goes on behind it. */
  #compactFirstRelease({ index, term }: { index: number; term: number }, lsn: number): void {
    const { start, lastIndex } = this.#view;
    if (index < start.index)
      throw this.#damaged(`begins with entry ${start.index + 1}, but is needed from ${index + 1} on`);
    if (index >= lastIndex) this.#view = new LogView({ ...start, index, term });
    else {
      this.#checkCompaction(index, term);
      this.#view.compact({ ...start, index, term });
    }
    this.#floats = false;
    this.#startLsn = lsn;
  }

  #damaged(what: string): RaftError {
    return new RaftError(
      'LOG_DAMAGED',
      `the log of group ${this.#groupId} ${what}; restore the data directory from a backup, or this node from the others`,
      { details: { groupId: this.#groupId } },
    );
  }
}
