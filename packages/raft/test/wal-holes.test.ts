import { createFaultDisk, createManualClock, type ManualClock } from '@shanghai/env/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Entry, emptyConfState, type GroupLog, type HostLog } from '../src/index.js';
import { openWalHostLog } from '../src/wal/index.js';
import { entriesOf, entryOf, openWalOn, type RefusingWal, refusing, write } from './support/wal-fixture.js';

const three = { ...emptyConfState, voters: [1, 2, 3] };
let disk = createFaultDisk({ seed: 1 });
let clock: ManualClock;
let wal: RefusingWal;
let log: HostLog;

async function open(late: boolean | Promise<void> = false): Promise<GroupLog> {
  wal = refusing(await openWalOn(disk), late);
  log = await openWalHostLog({ wal, loneVoter: 1, clock });
  return await log.open(1);
}

/** As after a power failure; what was written without a sync is gone. */
async function crashed(): Promise<GroupLog> {
  disk.crash();
  await wal.close().catch(() => undefined);
  disk = disk.restart('none');
  return await open();
}

beforeEach(() => {
  disk = createFaultDisk({ seed: 1 });
  clock = createManualClock();
});

afterEach(() => wal.close());

const outcome = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: { readonly code?: string }) => error.code ?? String(error),
  );

function shown(group: GroupLog): string[] {
  const [first, last] = [group.firstIndex(), group.lastIndex()];
  const entries = last < first ? [] : group.entries(first, last + 1, 1e9);
  return (entries as readonly Entry[]).map(({ index, term }) => `${index}@${term}`);
}

/** The first is refused; the others are on their way to the disk already, and arrive. */
async function refuseFirst(...calls: readonly (() => Promise<unknown>)[]): Promise<string[]> {
  const outcomes = calls.map((call, at) => {
    wal.refuse(at === 0 ? 'DISK_FULL' : undefined);
    const called = outcome(call());
    wal.refuse(undefined);
    return called;
  });
  await wal.flush();
  return await Promise.all(outcomes);
}

describe('a hole that a full disk left', () => {
  test('takes back what lies behind it, in memory and after a crash, although that became durable', async () => {
    const group = await open();
    await group.append(write(entriesOf(1, 1, 1), { term: 1, vote: 1, commit: 1 }));
    const outcomes = await refuseFirst(
      () => group.append(write(entriesOf(3, 1))),
      () => group.append(write(entriesOf(4, 1), { term: 2, vote: 2, commit: 2 })),
    );
    expect(outcomes).toEqual(['LOG_FULL', 'LOG_FULL']);
    expect(wal.info().durableLsn).toBe(2);
    for (const found of [group, await crashed()]) {
      expect(shown(found)).toEqual(['1@1', '2@1']);
      expect(found.initialState().hardState).toEqual({ term: 1, vote: 1, commit: 1 });
    }
  });

  test('never shows entries as committed that took the place of those that were: the commit index behind it does not count', async () => {
    const group = await open();
    await group.append(write(entriesOf(1, 1, 1, 1), { term: 1, vote: 1, commit: 1 }));
    // A new leader replaces 2 and 3, then says that its own are committed. Only what it said arrived on the disk.
    await refuseFirst(
      () => group.append(write(entriesOf(2, 2, 2), { term: 2, vote: 0, commit: 1 })),
      () => group.append(write([], { term: 2, vote: 0, commit: 3 })),
    );
    for (const found of [group, await crashed()]) {
      expect(shown(found)).toEqual(['1@1', '2@1', '3@1']);
      expect(found.initialState().hardState.commit).toBe(1);
    }
  });

  test('is filled by what is written next, and what lay behind it stays away', async () => {
    const group = await open();
    await group.append(write(entriesOf(1, 1), { term: 1, vote: 1, commit: 1 }));
    await refuseFirst(
      () => group.append(write(entriesOf(2, 1))),
      () => group.append(write(entriesOf(3, 1))),
      () => group.append(write(entriesOf(4, 1))),
    );
    await group.append(write(entriesOf(2, 2), { term: 2, vote: 1, commit: 1 }));
    await group.append(write(entriesOf(3, 2)));
    const found = await crashed();
    expect(shown(found)).toEqual(['1@1', '2@2', '3@2']);
    await found.append(write(entriesOf(4, 2)));
    expect(shown(await crashed())).toEqual(['1@1', '2@2', '3@2', '4@2']);
  });

  test('does not count after a compaction either, when it is all that is left of the old segments', async () => {
    const group = await open();
    await group.append(write([entryOf(1, 1, 3000), entryOf(2, 1, 2000)], { term: 1, vote: 1, commit: 2 }));
    await refuseFirst(
      () => group.append(write(entriesOf(3, 1))),
      () => group.append(write([entryOf(4, 1, 9000)], { term: 3, vote: 3, commit: 4 })),
    );
    await group.compact(2, three);
    const firstLsn = await wal.trim(0);
    expect(firstLsn).toBeGreaterThan(1);
    const found = await crashed();
    expect([found.firstIndex(), found.lastIndex(), found.term(2)]).toEqual([3, 2, 1]);
    expect(found.initialState()).toEqual({ hardState: { term: 1, vote: 1, commit: 2 }, confState: three });
  });

  test('waits for those before it, which are kept: appends settle in their order', async () => {
    const group = await open();
    await group.append(write(entriesOf(1, 1), { term: 1, vote: 1, commit: 0 }));
    const order: string[] = [];
    const note = (name: string, promise: Promise<unknown>) =>
      outcome(promise).then((code) => order.push(`${name} ${code}`));
    const before = note('2', group.append(write(entriesOf(2, 1))));
    wal.refuse('QUEUE_FULL');
    const refused = note('3', group.append(write(entriesOf(3, 1))));
    wal.refuse(undefined);
    const nothing = note('nothing', group.append(write([])));
    await Promise.all([before, refused, nothing]);
    expect(order).toEqual(['2 done', '3 LOG_FULL', 'nothing LOG_FULL']);
    expect(shown(await crashed())).toEqual(['1@1', '2@1']);
  });

  test('that is told late holds back what is durable behind it already', async () => {
    let tell: () => void = () => undefined;
    const group = await open(
      new Promise<void>((resolve) => {
        tell = resolve;
      }),
    );
    await group.append(write(entriesOf(1, 1), { term: 1, vote: 1, commit: 0 }));
    wal.refuse('DISK_FULL');
    const order: string[] = [];
    const note = (name: string, code: string) => order.push(`${name} ${code}`);
    const refused = outcome(group.append(write(entriesOf(2, 1)))).then((code) => note('2', code));
    wal.refuse(undefined);
    const behind = outcome(group.append(write(entriesOf(3, 1)))).then((code) => note('3', code));
    await wal.flush();
    expect([wal.info().durableLsn, order]).toEqual([2, []]);
    tell();
    await Promise.all([refused, behind]);
    expect(order).toEqual(['2 LOG_FULL', '3 LOG_FULL']);
  });

  test('before everything leaves an empty log: the second write waits for the first one', async () => {
    const group = await open();
    const outcomes = await refuseFirst(
      () => group.append(write(entriesOf(1, 1), { term: 1, vote: 1, commit: 0 })),
      () => group.append(write(entriesOf(2, 1), { term: 2, vote: 2, commit: 2 })),
    );
    expect(outcomes).toEqual(['LOG_FULL', 'LOG_FULL']);
    expect([shown(group), wal.info().lastLsn, log.groups()]).toEqual([[], 0, []]);
    const first = group.append(write(entriesOf(1, 2)));
    const second = group.append(write(entriesOf(2, 2), { term: 2, vote: 2, commit: 0 }));
    await Promise.all([first, second]);
    expect(shown(await crashed())).toEqual(['1@2', '2@2']);
  });

  test('that a refused snapshot left gives the old log back', async () => {
    const group = await open();
    await group.append(write(entriesOf(1, 1, 1), { term: 1, vote: 1, commit: 1 }));
    const outcomes = await refuseFirst(
      () => group.append(write([], { term: 4, vote: 0, commit: 9 }, { index: 9, term: 4, confState: three })),
      () => group.append(write(entriesOf(10, 4))),
    );
    expect(outcomes).toEqual(['LOG_FULL', 'LOG_FULL']);
    for (const found of [group, await crashed()]) {
      expect([found.firstIndex(), ...shown(found), found.bytes]).toEqual([1, '1@1', '2@1', 24]);
      expect(found.initialState()).toEqual({ hardState: { term: 1, vote: 1, commit: 1 }, confState: emptyConfState });
    }
  });
});

describe('the disk', () => {
  test('that fails ends the log: nothing is written any more, not even when it would work again [T25]', async () => {
    const group = await open();
    await group.append(write(entriesOf(1, 1)));
    disk.inject({ operation: 'sync', effect: { kind: 'error', code: 'EIO' } });
    const outcomes = await Promise.all([
      outcome(group.append(write(entriesOf(2, 1)))),
      outcome(group.append(write(entriesOf(3, 1)))),
    ]);
    expect(outcomes).toEqual(['LOG_FAILED', 'LOG_FAILED']);
    const { steps } = disk;
    expect(await outcome(group.append(write(entriesOf(2, 1))))).toBe('LOG_FAILED');
    expect(await outcome(group.compact(1, three))).toBe('LOG_FAILED');
    expect(disk.steps).toBe(steps);
  });

  test('that does not answer is told by since when the oldest write waits [T24]', async () => {
    const group = await open();
    const other = await log.open(2);
    await Promise.all([group.append(write(entriesOf(1, 1))), other.append(write(entriesOf(1, 1)))]);
    expect(log.waitingSinceMs()).toBeUndefined();
    let release: () => void = () => undefined;
    const stalled = new Promise<void>((resolve) => {
      release = resolve;
    });
    disk.inject({ operation: 'sync', effect: { kind: 'stall', release: stalled } });
    await clock.advance(50);
    const sinceMs = clock.monotonicMs();
    const first = group.append(write(entriesOf(2, 1)));
    await clock.advance(200);
    const second = other.append(write(entriesOf(2, 1)));
    expect(log.waitingSinceMs()).toBe(sinceMs);
    release();
    await first;
    await second;
    expect(log.waitingSinceMs()).toBeUndefined();
  });

  test('that lost the end leaves a log that ends early, with a commit index within it [T28]', async () => {
    wal = refusing(await openWalOn(disk, { durability: 'never' }));
    log = await openWalHostLog({ wal, loneVoter: 1, clock });
    const group = await log.open(1);
    await group.append(write(entriesOf(1, 1, 1), { term: 1, vote: 1, commit: 2 }));
    await wal.flush();
    await group.append(write(entriesOf(3, 1, 1), { term: 1, vote: 1, commit: 4 }));
    const found = await crashed();
    expect(shown(found)).toEqual(['1@1', '2@1']);
    // The state is ahead: a snapshot where it stands puts the log behind it.
    await found.append(write([], { term: 1, vote: 1, commit: 4 }, { index: 4, term: 1, confState: three }));
    await found.append(write(entriesOf(5, 2), { term: 2, vote: 1, commit: 4 }));
    const again = await crashed();
    expect([again.firstIndex(), ...shown(again), again.initialState().hardState.commit]).toEqual([5, '5@2', 4]);
  });
});

test('a commit index beyond the last entry is that of the last entry at the next start [T28]', async () => {
  const group = await open();
  await group.append(write(entriesOf(1, 1, 1, 1), { term: 1, vote: 1, commit: 1 }));
  await group.append(write(entriesOf(2, 2), { term: 2, vote: 0, commit: 3 }));
  const found = await crashed();
  expect(shown(found)).toEqual(['1@1', '2@2']);
  expect(found.initialState().hardState).toEqual({ term: 2, vote: 0, commit: 2 });
});

test('an entry with the index of a snapshot and another term goes, with all others [T32]', async () => {
  const group = await open();
  await group.append(write(entriesOf(1, 1, 1, 1, 1), { term: 1, vote: 1, commit: 1 }));
  await group.append(write([], { term: 3, vote: 0, commit: 3 }, { index: 3, term: 2, confState: three }));
  for (const found of [group, await crashed()]) {
    expect([found.firstIndex(), found.lastIndex(), found.term(3), found.term(4)]).toEqual([4, 3, 2, 'unavailable']);
  }
});

test('a log that was given back takes nothing more', async () => {
  const group = await open();
  const written = group.append(write(entriesOf(1, 1)));
  group.close();
  group.close();
  expect(await outcome(group.append(write(entriesOf(2, 1))))).toBe('CLOSED');
  expect(await outcome(group.compact(1, three))).toBe('CLOSED');
  const again = await log.open(1);
  expect(await outcome(written)).toBe('done');
  expect(shown(again)).toEqual(['1@1']);
  await expect(log.open(2 ** 24)).rejects.toThrow(RangeError);
});
