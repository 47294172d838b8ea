import { createManualClock, enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import type { Wal, WalOptions } from '@shanghai/wal';
import { expect, test } from 'vitest';
import { emptyConfState, type GroupLog, type HostLog } from '../src/index.js';
import { openWalHostLog } from '../src/wal/index.js';
import { GroupHistory } from './support/group-history.js';
import { entriesOf, entryOf, openWalOn, refusing, write } from './support/wal-fixture.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const seeds = deep ? [1, 2, 3, 4, 5, 6] : [1];
const randomDraws = deep ? 5 : 1;
const three = { ...emptyConfState, voters: [1, 2, 3] };

class Histories {
  readonly groups = [0, 1, 7].map((groupId) => new GroupHistory(groupId));

  of(groupId: number): GroupHistory {
    const found = this.groups.find((group) => group.groupId === groupId);
    if (found === undefined) throw new Error(`no group ${groupId}`);
    return found;
  }
}

async function openOn(disk: FaultDisk, options: Partial<WalOptions>) {
  const wal = refusing(await openWalOn(disk, options));
  const log = await openWalHostLog({ wal, loneVoter: 1, clock: createManualClock() });
  return { wal, log };
}

async function openGroups(log: HostLog): Promise<[GroupLog, GroupLog, GroupLog]> {
  return [await log.open(0), await log.open(1), await log.open(7)];
}

/** Reads back, checks, writes on, reads back again. */
async function verify(disk: FaultDisk, histories: Histories, options: Partial<WalOptions>): Promise<void> {
  const after = structuredCopy(histories);
  let opened = await openOn(disk, options);
  for (const group of after.groups) {
    const log = await opened.log.open(group.groupId);
    group.expectRecovered(log);
    const { lastIndex } = group;
    const term = Math.max(group.last.hardState.term, lastIndex === 0 ? 1 : (log.term(lastIndex) as number)) + 1;
    await group.append(log, write(entriesOf(lastIndex + 1, term, term), { term, vote: 2, commit: group.last.index }));
    group.expectCurrent(log);
  }
  await opened.wal.close();
  opened = await openOn(disk, options);
  for (const group of after.groups) group.expectRecovered(await opened.log.open(group.groupId));
  await opened.wal.close();
}

function structuredCopy(histories: Histories): Histories {
  const copy = new Histories();
  for (const group of copy.groups) group.adopt(histories.of(group.groupId));
  return copy;
}

/** Groups that write at once, replace their ends, compact, take a snapshot; segments are sealed and let go. */
async function writing(disk: FaultDisk, histories: Histories, options: Partial<WalOptions>): Promise<void> {
  const { wal, log } = await openOn(disk, options);
  const [zero, one, seven] = await openGroups(log);
  const [h0, h1, h7] = histories.groups as [GroupHistory, GroupHistory, GroupHistory];
  await Promise.all([
    h0.append(zero, write([], { term: 1, vote: 1, commit: 0 }, { index: 1, term: 1, confState: three })),
    h1.append(one, write(entriesOf(1, 1, 1, 1), { term: 1, vote: 2, commit: 0 })),
  ]);
  await Promise.all([
    h0.append(zero, write([entryOf(2, 1, 5000, 'EntryConfChangeV2'), entryOf(3, 1, 300)])),
    h1.append(one, write(entriesOf(2, 2, 2), { term: 2, vote: 0, commit: 1 })),
    h7.append(seven, write([], { term: 3, vote: 3, commit: 0 })),
    h1.append(one, write(entriesOf(3, 3, 3, 3), { term: 3, vote: 3, commit: 2 })),
  ]);
  await Promise.all([h0.compact(zero, 2, three), h1.append(one, write([entryOf(6, 3, 4000)]))]);
  await h7.append(
    seven,
    write(entriesOf(40, 6), { term: 6, vote: 0, commit: 39 }, { index: 39, term: 5, confState: three }),
  );
  for (let index = 4; index < 9; index++)
    await h0.append(zero, write([entryOf(index, 2, 3000)], { term: 2, vote: 1, commit: index - 1 }));
  await Promise.all([h0.compact(zero, 8, three), h0.append(zero, write([entryOf(9, 2, 40)]))]);
  await h1.compact(one, 3, { ...three, learners: [8] });
  await h0.compact(zero, 9, three);
  await close(wal, histories);
}

async function close(wal: Wal, histories: Histories): Promise<void> {
  await wal.close();
  for (const group of histories.groups) group.acknowledgeAll();
}

for (const durability of ['always', 'never'] as const) {
  test(`a crash at any step leaves of each group what was acknowledged, and a prefix of what was asked: mode ${durability}`, async () => {
    let cases = 0;
    for (const seed of seeds) {
      const coverage = await enumerateCrashes<Histories>({
        seed,
        randomDraws,
        start: () => new Histories(),
        run: async (disk, histories) => {
          if (durability !== 'always') for (const group of histories.groups) group.isSynced = false;
          await writing(disk, histories, { durability });
        },
        verify: (disk, histories) => verify(disk, histories, { durability }),
      });
      cases += coverage.cases;
    }
    expect(cases).toBeGreaterThan(100);
  });
}

test('a crash at any step around a full disk brings nothing back that was refused', async () => {
  const { cases } = await enumerateCrashes<Histories>({
    seed: 4,
    randomDraws,
    start: () => new Histories(),
    run: async (disk, histories) => {
      const { wal, log } = await openOn(disk, {});
      const [zero, one] = await openGroups(log);
      const [h0, h1] = histories.groups as [GroupHistory, GroupHistory, GroupHistory];
      const hole = (
        history: GroupHistory,
        group: GroupLog,
        refused: Parameters<typeof write>,
        behind: Parameters<typeof write>,
      ) => {
        wal.refuse('DISK_FULL');
        const first = history.append(group, write(...refused));
        wal.refuse(undefined);
        return Promise.all([first, history.append(group, write(...behind))]);
      };
      // The first writes of all.
      await hole(
        h1,
        one,
        [entriesOf(1, 1), { term: 1, vote: 1, commit: 0 }],
        [entriesOf(2, 1), { term: 2, vote: 2, commit: 2 }],
      );
      await h0.append(zero, write(entriesOf(1, 1, 1, 1, 1), { term: 1, vote: 1, commit: 2 }));
      // What is behind the hole calls entries committed that the failed write was to replace.
      await hole(
        h0,
        zero,
        [entriesOf(3, 2, 2), { term: 2, vote: 0, commit: 2 }],
        [entriesOf(5, 2), { term: 3, vote: 3, commit: 5 }],
      );
      await h0.append(zero, write(entriesOf(5, 1), { term: 1, vote: 1, commit: 2 }));
      await hole(h0, zero, [[entryOf(6, 1)]], [[entryOf(7, 1, 6000)]]);
      await h0.compact(zero, 5, three);
      await h1.append(one, write(entriesOf(1, 4), { term: 4, vote: 0, commit: 0 }));
      await h0.append(zero, write([entryOf(6, 4, 2500)], { term: 4, vote: 0, commit: 5 }));
      await close(wal, histories);
    },
    verify: (disk, histories) => verify(disk, histories, {}),
  });
  expect(cases).toBeGreaterThan(40);
});
