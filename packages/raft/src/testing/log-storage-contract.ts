import type { ContractCase } from '@shanghai/env/testing';
import { emptyConfState } from '../core/configuration/configuration.js';
import { type Entry, emptyHardState, entriesBytes, type HardState, noData, type Snapshot } from '../core/entry.js';
import type { LogStorage } from '../core/log/log-storage.js';

/** What a case runs against: a log that is new and empty, and the calls that write it. */
export interface LogStorageSubject {
  readonly storage: LogStorage;
  /** Appends; what is there at or behind the first of them goes. */
  append(entries: readonly Entry[]): void | Promise<void>;
  setHardState(hardState: HardState): void | Promise<void>;
  /** Puts a snapshot in the place of the whole log. */
  applySnapshot(snapshot: Snapshot): void | Promise<void>;
  /** Keeps a snapshot to send, and gives up the entries up to `index`, which it reaches. */
  compact(index: number, snapshot: Snapshot): void | Promise<void>;
}

const unlimited = Number.POSITIVE_INFINITY;

function entriesOf(first: number, ...terms: readonly number[]): Entry[] {
  return terms.map((term, i) => ({
    index: first + i,
    term,
    type: 'EntryNormal',
    data: Uint8Array.of(first + i, term),
  }));
}

function snapshotAt(index: number, term: number): Snapshot {
  return { metadata: { index, term, confState: { ...emptyConfState, voters: [1, 2] } }, data: noData };
}

/** Throws unless both are the same as JSON: this file cannot use an assertion library that a user may not have. */
function same(actual: unknown, expected: unknown): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}`);
}

/** Where the log begins and ends, and the terms of everything from one before it to one behind it. */
function shapeOf(storage: LogStorage): unknown {
  const [first, last] = [storage.firstIndex(), storage.lastIndex()];
  const from = Math.max(first - 2, 0);
  const terms = Array.from({ length: last + 2 - from }, (_, i) => storage.term(from + i));
  return [first, last, ...terms];
}

/** What every `LogStorage` does. Run it against yours, with the calls that write it. */
export const logStorageContract: readonly ContractCase<LogStorageSubject>[] = [
  contractCase(
    'a new log is empty, begins at 1 behind an entry 0 of term 0, and has voted for nobody',
    ({ storage }) => {
      same([storage.firstIndex(), storage.lastIndex(), storage.term(0), storage.term(1)], [1, 0, 0, 'unavailable']);
      same(storage.initialState(), { hardState: emptyHardState, confState: emptyConfState });
    },
  ),
  contractCase('gives entries as they were appended, and their terms', async ({ storage, append }) => {
    const entries = entriesOf(1, 1, 1, 2);
    await append(entries);
    same(storage.entries(1, 4, unlimited), entries);
    same(storage.entries(2, 3, unlimited), entries.slice(1, 2));
    same(shapeOf(storage), [1, 3, 0, 1, 1, 2, 'unavailable']);
  }),
  contractCase('gives as many entries as the limit holds, and at least one', async ({ storage, append }) => {
    const entries = entriesOf(1, 1, 1, 1, 1);
    await append(entries);
    same(storage.entries(1, 5, 0), entries.slice(0, 1));
    const two = entriesBytes(entries.slice(0, 2));
    same(storage.entries(1, 5, two), entries.slice(0, 2));
    same(storage.entries(1, 5, two - 1), entries.slice(0, 1));
    same(storage.entries(3, 5, two), entries.slice(2));
  }),
  contractCase('an append takes away what is at or behind its first entry', async ({ storage, append }) => {
    await append(entriesOf(1, 1, 1, 1, 1));
    await append(entriesOf(2, 2));
    same(shapeOf(storage), [1, 2, 0, 1, 2, 'unavailable']);
    await append(entriesOf(3, 3, 3));
    same(shapeOf(storage), [1, 4, 0, 1, 2, 3, 3, 'unavailable']);
    await append([]);
    same(storage.lastIndex(), 4);
  }),
  contractCase('what was handed out does not change with the log', async ({ storage, append }) => {
    await append(entriesOf(1, 1, 1));
    const handed = storage.entries(1, 3, unlimited);
    const before = JSON.stringify(handed);
    await append(entriesOf(1, 2));
    same(JSON.stringify(handed), before);
  }),
  contractCase('gives the hard state that was written last', async ({ storage, setHardState }) => {
    await setHardState({ term: 3, vote: 2, commit: 0 });
    await setHardState({ term: 4, vote: 0, commit: 0 });
    same(storage.initialState().hardState, { term: 4, vote: 0, commit: 0 });
  }),
  contractCase('compaction leaves the term of the entry before the first', async ({ storage, append, compact }) => {
    await append(entriesOf(1, 1, 2, 3, 3));
    await compact(2, snapshotAt(3, 3));
    same(shapeOf(storage), [3, 4, 'compacted', 2, 3, 3, 'unavailable']);
    same([storage.entries(1, 3, unlimited), storage.entries(2, 4, unlimited)], ['compacted', 'compacted']);
    same(storage.entries(3, 5, unlimited), entriesOf(3, 3, 3));
    const snapshot = storage.snapshot();
    if (snapshot !== 'unavailable') same(snapshot.metadata.index >= 2, true);
  }),
  contractCase('may be compacted to its end, and goes on from there', async ({ storage, append, compact }) => {
    await append(entriesOf(1, 1, 2));
    await compact(2, snapshotAt(2, 2));
    same([storage.firstIndex(), storage.lastIndex(), storage.term(2), storage.term(3)], [3, 2, 2, 'unavailable']);
    await append(entriesOf(3, 2));
    same(storage.entries(3, 4, unlimited), entriesOf(3, 2));
  }),
  contractCase(
    'a snapshot takes the place of the log, shorter or longer',
    async ({ storage, append, applySnapshot }) => {
      await append(entriesOf(1, 1, 1));
      await applySnapshot(snapshotAt(9, 4));
      same([storage.firstIndex(), storage.lastIndex(), storage.term(9), storage.term(8)], [10, 9, 4, 'compacted']);
      same(storage.initialState().confState.voters, [1, 2]);
      await append(entriesOf(10, 4, 4, 4));
      await applySnapshot(snapshotAt(11, 5));
      same([storage.firstIndex(), storage.lastIndex(), storage.term(11)], [12, 11, 5]);
    },
  ),
];

function contractCase(
  name: string,
  check: (subject: LogStorageSubject) => void | Promise<void>,
): ContractCase<LogStorageSubject> {
  return { name, run: async (open) => check(await open()) };
}
