import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import type { Wal } from '@shanghai/wal';
import { expect, test } from 'vitest';
import { emptyConfState, type GroupLog } from '../src/index.js';
import { openWalHostLog } from '../src/wal/index.js';
import { entriesOf, entryOf, openWalOn, write } from './support/wal-fixture.js';

const clock = createManualClock();
const groupCount = 1000;
const three = { ...emptyConfState, voters: [1, 2, 3] };

/** A log that counts how often it is read. */
function countingReads(wal: Wal): { wal: Wal; reads: () => number } {
  let reads = 0;
  const counting = new Proxy(wal, {
    get(target, name) {
      if (name === 'entries' || name === 'read' || name === 'tail') reads++;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { wal: counting, reads: () => reads };
}

test('a thousand groups share the syncs of a turn, are read back in one pass, and rest without keeping old segments', async () => {
  const disk = createFaultDisk({ seed: 1, keepsTrace: false });
  const wal = await openWalOn(disk, { segmentBytes: 262_144, firstSegmentBytes: 262_144 });
  const log = await openWalHostLog({ wal, loneVoter: 1, clock });
  const groups: GroupLog[] = [];
  for (let groupId = 0; groupId < groupCount; groupId++) groups.push(await log.open(groupId));
  const syncsBefore = wal.info().syncs;
  await Promise.all(
    groups.map((group, at) => {
      const snapshot = { index: 1, term: 1, confState: three };
      return group.append(write(entriesOf(2, 1, 1), { term: 1, vote: 1 + (at % 3), commit: 1 }, snapshot));
    }),
  );
  expect(wal.info().syncs - syncsBefore).toBeLessThan(5);
  await Promise.all(groups.slice(1).map((group) => group.compact(3 - (group.groupId % 2), three)));

  // One group works on for sixty segments' worth.
  const [busy] = groups as [GroupLog];
  let most = 0;
  for (let index = 4; index <= 1200; index++) {
    await busy.append(write([entryOf(index, 1, 12_000)]));
    if (index % 50 === 0) await busy.compact(index - 10, three);
    most = Math.max(most, wal.info().segments);
  }
  expect(wal.info().lastLsn).toBeGreaterThan(3 * groupCount);
  expect(most).toBeLessThan(12);
  await wal.close();

  const again = countingReads(await openWalOn(disk, { segmentBytes: 262_144 }));
  const reopened = await openWalHostLog({ wal: again.wal, loneVoter: 1, clock });
  expect(reopened.groups()).toHaveLength(groupCount);
  for (const groupId of reopened.groups()) {
    const group = await reopened.open(groupId);
    expect(group.initialState().confState).toEqual(three);
    if (groupId === 0) expect([group.firstIndex(), group.lastIndex()]).toEqual([1191, 1200]);
    else
      expect([groupId, group.firstIndex(), group.lastIndex(), group.term(3)]).toEqual([
        groupId,
        4 - (groupId % 2),
        3,
        1,
      ]);
  }
  expect(again.reads()).toBe(1);
  await again.wal.close();
});
