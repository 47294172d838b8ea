import { describe, expect, test } from 'vitest';
import { emptyConfState } from '../core/configuration/configuration.js';
import { type Entry, noData, type Snapshot } from '../core/entry.js';
import { type LogStorageSubject, logStorageContract } from './log-storage-contract.js';
import { MemoryLogStorage } from './memory-log-storage.js';

function subjectOf(storage: MemoryLogStorage): LogStorageSubject {
  return {
    storage,
    append: (entries) => storage.append(entries),
    setHardState: (hardState) => storage.setHardState(hardState),
    applySnapshot: (snapshot) => storage.applySnapshot(snapshot),
    compact: (index, snapshot) => {
      storage.createSnapshot(snapshot);
      storage.compact(index);
    },
  };
}

describe('the log in memory', () => {
  for (const { name, run } of logStorageContract) test(name, () => run(async () => subjectOf(new MemoryLogStorage())));
});

/** Logs that break one promise each. */
class KeepsTheTail extends MemoryLogStorage {
  override append(entries: readonly Entry[]): void {
    const first = entries[0]?.index ?? 0;
    const behind = this.entries(this.firstIndex(), this.lastIndex() + 1, Number.POSITIVE_INFINITY);
    super.append(entries);
    if (typeof behind === 'string') return;
    super.append(behind.filter(({ index }) => index >= first + entries.length));
  }
}
class ForgetsTheTermBefore extends MemoryLogStorage {
  override term(index: number) {
    return index > 0 && index < this.firstIndex() ? 'compacted' : super.term(index);
  }
}
class GivesNothingUnderASmallLimit extends MemoryLogStorage {
  override entries(from: number, to: number, maxBytes: number) {
    return maxBytes === 0 ? [] : super.entries(from, to, maxBytes);
  }
}

test.each([KeepsTheTail, ForgetsTheTermBefore, GivesNothingUnderASmallLimit])(
  'the contract refuses %o',
  async (Broken) => {
    const failed: string[] = [];
    for (const { name, run } of logStorageContract) {
      await run(async () => subjectOf(new Broken())).catch(() => failed.push(name));
    }
    expect(failed).not.toEqual([]);
  },
);

test('writing that leaves a gap, or compacts what is not there, is a mistake of the caller', () => {
  const storage = new MemoryLogStorage();
  expect(() => storage.append([{ index: 2, term: 1, type: 'EntryNormal', data: noData }])).toThrow(/gap/);
  expect(() => storage.compact(1)).toThrow(/compacting up to 1/);
});

test('an older snapshot than there is, and entries that are compacted, change nothing', () => {
  const storage = new MemoryLogStorage();
  const snapshotAt = (index: number): Snapshot => ({
    metadata: { index, term: 1, confState: emptyConfState },
    data: noData,
  });
  storage.applySnapshot(snapshotAt(5));
  storage.applySnapshot(snapshotAt(4));
  storage.append([{ index: 5, term: 9, type: 'EntryNormal', data: noData }]);
  expect([storage.firstIndex(), storage.lastIndex(), storage.term(5)]).toEqual([6, 5, 1]);
});
