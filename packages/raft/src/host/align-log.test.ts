/** What a start makes of a log and a state that do not fit together as they should. */
import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { type ConfState, emptyConfState } from '../core/configuration/configuration.js';
import type { Entry, HardState, SnapshotMetadata } from '../core/entry.js';
import type { GroupLog } from '../ports/group-log.js';
import type { StateMachine } from '../ports/state-machine.js';
import { MemoryHostLog } from '../testing/memory-host-log.js';
import { MemoryStateMachine } from '../testing/memory-state-machine.js';
import { alignLog, startingHardState } from './align-log.js';

const members = (...voters: readonly number[]): ConfState => ({ ...emptyConfState, voters });

/** A log behind entry 1 with entries of these terms from 2 on. */
async function logOf(terms: readonly number[], hardState: HardState, voters: readonly number[] = [1, 2, 3]) {
  const clock = createManualClock();
  const log = await new MemoryHostLog(clock).open(1);
  const entries = terms.map((term, i): Entry => ({ index: i + 2, term, type: 'EntryNormal', data: Uint8Array.of(i) }));
  const written = log.append({ snapshot: { index: 1, term: 1, confState: members(...voters) }, entries, hardState });
  await clock.advance(0);
  await written;
  const align = async (machine: StateMachine<number>, options: { readonly mayLackEnd?: boolean } = {}) => {
    const aligned = alignLog(log, { groupId: 1, machine, ...options }, 1);
    const settled = aligned.catch(() => {});
    await clock.advance(0);
    await clock.advance(0);
    await settled;
    return aligned;
  };
  return { log, align };
}

/** A state that was put in by a snapshot, at that entry. */
async function stateAt(metadata: SnapshotMetadata): Promise<MemoryStateMachine> {
  const machine = new MemoryStateMachine();
  await machine.restore({ metadata, data: new Uint8Array(0) });
  return machine;
}

const shown = (log: GroupLog) => [log.firstIndex(), log.lastIndex(), log.initialState().hardState] as const;

test('[T28] a start takes for committed what its log holds, and not what it has lost', async () => {
  const { log } = await logOf([2, 2], { term: 2, vote: 1, commit: 9 });
  expect(startingHardState(log, 0)).toEqual({ term: 2, vote: 1, commit: 3 });
});

test('what a state has applied is committed, although nothing else says so', async () => {
  const { log } = await logOf([2, 2, 2, 2], { term: 2, vote: 1, commit: 2 });
  expect(startingHardState(log, 4)).toEqual({ term: 2, vote: 1, commit: 4 });
});

test('a log that has not got to the snapshot of its state begins behind it, and the vote of the term stays', async () => {
  const { log, align } = await logOf([2, 2], { term: 5, vote: 3, commit: 2 });
  await align(await stateAt({ index: 9, term: 4, confState: members(1, 2) }));
  expect(shown(log)).toEqual([10, 9, { term: 5, vote: 3, commit: 9 }]);
  expect(log.initialState().confState).toEqual(members(1, 2));
});

test('a vote of an earlier term than that of a snapshot says nothing in its term', async () => {
  const { log, align } = await logOf([2, 2], { term: 2, vote: 3, commit: 2 });
  await align(await stateAt({ index: 9, term: 4, confState: members(1, 2) }));
  expect(shown(log)).toEqual([10, 9, { term: 4, vote: 0, commit: 9 }]);
});

test('[T32] a log with another entry at the place of a snapshot goes, however long it is', async () => {
  const { log, align } = await logOf([2, 2, 2, 2, 2], { term: 2, vote: 1, commit: 2 });
  await align(await stateAt({ index: 4, term: 3, confState: members(1, 2, 3) }));
  expect(shown(log)).toEqual([5, 4, { term: 3, vote: 0, commit: 4 }]);
});

test('a log that holds the entry of a snapshot is kept', async () => {
  const { log, align } = await logOf([2, 2, 2, 2, 2], { term: 2, vote: 1, commit: 2 });
  await align(await stateAt({ index: 4, term: 2, confState: members(1, 2, 3) }));
  expect(shown(log)).toEqual([2, 6, { term: 2, vote: 1, commit: 2 }]);
});

test('only who alone votes goes on behind a log that lost its end', async () => {
  const applied = new MemoryStateMachine();
  await applied.apply([1, 2, 3, 4].map((index) => ({ index, term: 2, type: 'EntryNormal', data: Uint8Array.of(1) })));
  const several = await logOf([2], { term: 2, vote: 1, commit: 2 });
  await expect(several.align(applied, { mayLackEnd: true })).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
  const alone = await logOf([2], { term: 2, vote: 1, commit: 2 }, [1]);
  await expect(alone.align(applied)).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
  await alone.align(applied, { mayLackEnd: true });
  expect(shown(alone.log)).toEqual([5, 4, { term: 2, vote: 1, commit: 4 }]);
});
