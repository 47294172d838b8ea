import type { ContractCase } from '@shanghai/env/testing';
import { emptyConfState } from '../core/configuration/configuration.js';
import { type Entry, type EntryType, emptyHardState, type HardState, type SnapshotMetadata } from '../core/entry.js';
import type { GroupLog, HostLog, LogWrite } from '../ports/group-log.js';

/** What a case runs against: logs that hold nothing yet, and ways to come back to them. */
export interface HostLogSubject {
  readonly log: HostLog;
  /** The process ends and another one opens the same logs. What was durable is there. */
  reopen(): Promise<HostLog>;
  /** Fills the disk, or makes room again; absent where that cannot be done. */
  setFull?(isFull: boolean): void;
}

const unlimited = Number.POSITIVE_INFINITY;
const confState = { ...emptyConfState, voters: [1, 2, 3], learners: [7] };

function entriesOf(first: number, ...terms: readonly number[]): Entry[] {
  const types: readonly EntryType[] = ['EntryNormal', 'EntryConfChange', 'EntryConfChangeV2'];
  return terms.map((term, i) => ({
    index: first + i,
    term,
    type: types[(first + i) % 3] as EntryType,
    data: new Uint8Array((first + i) % 5).fill(term),
  }));
}

function write(
  entries: readonly Entry[],
  hardState: HardState = emptyHardState,
  snapshot?: SnapshotMetadata,
): LogWrite {
  return { snapshot, entries, hardState };
}

/** Throws unless both are the same as JSON: this file cannot use an assertion library that a user may not have. */
function same(actual: unknown, expected: unknown): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}`);
}

/** Everything that can be read of a log. */
function shapeOf(log: GroupLog): unknown {
  const [first, last] = [log.firstIndex(), log.lastIndex()];
  const entries = last < first ? [] : log.entries(first, last + 1, unlimited);
  if (typeof entries === 'string') return entries;
  const { hardState, confState: members } = log.initialState();
  return {
    first,
    last,
    before: log.term(first - 1),
    behind: log.term(last + 1),
    entries: entries.map(({ index, term, type, data }) => ({ index, term, type, data: [...data] })),
    hardState,
    members,
    bytes: log.bytes,
  };
}

async function expectKept(subject: HostLogSubject, group: GroupLog): Promise<void> {
  const before = shapeOf(group);
  same(shapeOf(await (await subject.reopen()).open(group.groupId)), before);
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );

/** What every `HostLog` does. */
export const hostLogContract: readonly ContractCase<HostLogSubject>[] = [
  contractCase('a group that nothing was written of is empty', async ({ log }) => {
    const group = await log.open(5);
    same(
      [group.firstIndex(), group.lastIndex(), group.term(0), group.term(1), group.bytes],
      [1, 0, 0, 'unavailable', 0],
    );
    same(group.initialState(), { hardState: emptyHardState, confState: emptyConfState });
    same([log.groups(), log.waitingSinceMs()], [[], undefined]);
  }),
  contractCase('what is written is readable at once, and kept', async (subject) => {
    const group = await subject.log.open(0);
    const done = group.append(write(entriesOf(1, 1, 1, 2), { term: 2, vote: 3, commit: 1 }));
    same([group.lastIndex(), group.term(3), group.initialState().hardState.vote], [3, 2, 3]);
    await done;
    same(subject.log.waitingSinceMs(), undefined);
    await expectKept(subject, group);
  }),
  contractCase('an append takes away what is at or behind its first entry', async (subject) => {
    const group = await subject.log.open(1);
    await group.append(write(entriesOf(1, 1, 1, 1, 1), { term: 1, vote: 1, commit: 1 }));
    await group.append(write(entriesOf(2, 2), { term: 2, vote: 0, commit: 1 }));
    same([group.lastIndex(), group.term(2), group.term(3)], [2, 2, 'unavailable']);
    await Promise.all([group.append(write(entriesOf(3, 3, 3))), group.append(write(entriesOf(4, 4)))]);
    same([group.term(3), group.term(4), group.lastIndex()], [3, 4, 4]);
    await expectKept(subject, group);
  }),
  contractCase('the empty hard state leaves it as it was', async (subject) => {
    const group = await subject.log.open(1);
    await group.append(write([], { term: 5, vote: 2, commit: 0 }));
    await group.append(write(entriesOf(1, 5)));
    same(group.initialState().hardState, { term: 5, vote: 2, commit: 0 });
    await expectKept(subject, group);
  }),
  contractCase('appends resolve in their order', async ({ log }) => {
    const group = await log.open(1);
    const order: number[] = [];
    const one = group.append(write(entriesOf(1, 1))).then(() => order.push(1));
    const two = group.append(write(entriesOf(2, 1))).then(() => order.push(2));
    const three = group.append(write([], { term: 2, vote: 0, commit: 2 })).then(() => order.push(3));
    await Promise.all([three, two, one]);
    same(order, [1, 2, 3]);
  }),
  contractCase('what was handed out does not change with the log', async ({ log }) => {
    const group = await log.open(1);
    await group.append(write(entriesOf(1, 1, 1)));
    const handed = group.entries(1, 3, unlimited);
    const before = JSON.stringify(handed);
    await group.append(write(entriesOf(1, 2)));
    same(JSON.stringify(handed), before);
  }),
  contractCase('gives as many entries as the limit holds, and at least one', async ({ log }) => {
    const group = await log.open(1);
    await group.append(write(entriesOf(1, 1, 1, 1)));
    same((group.entries(1, 4, 0) as readonly Entry[]).length, 1);
    same((group.entries(2, 4, unlimited) as readonly Entry[]).length, 2);
  }),
  contractCase('a snapshot takes the place of the log, with what follows it', async (subject) => {
    const group = await subject.log.open(1);
    await group.append(write(entriesOf(1, 1, 1, 1), { term: 1, vote: 1, commit: 1 }));
    await group.append(write(entriesOf(10, 4, 4), { term: 4, vote: 0, commit: 9 }, { index: 9, term: 3, confState }));
    same([group.firstIndex(), group.lastIndex(), group.term(9), group.term(8)], [10, 11, 3, 'compacted']);
    same(group.initialState(), { hardState: { term: 4, vote: 0, commit: 9 }, confState });
    await expectKept(subject, group);
  }),
  contractCase('a snapshot may stand where the log already is, and behind its end', async (subject) => {
    const group = await subject.log.open(1);
    await group.append(write(entriesOf(1, 1, 1, 1, 1)));
    await group.append(write([], { term: 2, vote: 0, commit: 3 }, { index: 3, term: 2, confState }));
    same([group.firstIndex(), group.lastIndex(), group.bytes], [4, 3, 0]);
    await group.append(write(entriesOf(4, 2)));
    await expectKept(subject, group);
  }),
  contractCase('compaction gives entries up, and keeps the configuration', async (subject) => {
    const group = await subject.log.open(1);
    await group.append(write(entriesOf(1, 1, 2, 3, 3), { term: 3, vote: 1, commit: 3 }));
    await group.compact(2, confState);
    same([group.firstIndex(), group.lastIndex(), group.term(2), group.term(1)], [3, 4, 2, 'compacted']);
    same([group.entries(1, 3, unlimited), group.entries(2, 4, unlimited)], ['compacted', 'compacted']);
    same(group.initialState(), { hardState: { term: 3, vote: 1, commit: 3 }, confState });
    await expectKept(subject, group);
  }),
  contractCase('may be compacted to its end, and goes on from there', async (subject) => {
    const group = await subject.log.open(1);
    await group.append(write(entriesOf(1, 1, 2), { term: 2, vote: 1, commit: 2 }));
    await group.compact(2, confState);
    same([group.firstIndex(), group.lastIndex(), group.term(2), group.bytes], [3, 2, 2, 0]);
    await group.compact(2, confState);
    await group.append(write(entriesOf(3, 2)));
    await expectKept(subject, group);
  }),
  contractCase('groups do not touch each other', async (subject) => {
    const groups = [];
    for (const groupId of [0, 3, 1_000]) groups.push(await subject.log.open(groupId));
    await Promise.all(
      groups.map((group, i) => group.append(write(entriesOf(1, 1, i + 1), { term: i + 1, vote: 0, commit: 0 }))),
    );
    same(subject.log.groups(), [0, 3, 1_000]);
    const before = groups.map(shapeOf);
    const again = await subject.reopen();
    same(again.groups(), [0, 3, 1_000]);
    const reopened = [];
    for (const groupId of [1_000, 0, 3]) reopened.push(await again.open(groupId));
    same(reopened.sort((a, b) => a.groupId - b.groupId).map(shapeOf), before);
  }),
  contractCase('a group that was given back can be opened again', async ({ log }) => {
    const group = await log.open(2);
    await group.append(write(entriesOf(1, 1)));
    const before = shapeOf(group);
    group.close();
    same(shapeOf(await log.open(2)), before);
  }),
  contractCase('an append that comes before its caller has heard of a refusal is refused as well', async ({ log }) => {
    const group = await log.open(1);
    await group.append(write(entriesOf(1, 1, 1)));
    const before = shapeOf(group);
    // As if the third had been refused.
    same(await failureOf(group.append(write(entriesOf(4, 2)))), 'LOG_FULL');
    same(shapeOf(group), before);
    await group.append(write(entriesOf(3, 2)));
    same(group.lastIndex(), 3);
  }),
  contractCase('without space nothing of an append is kept, nor of those behind it', async (subject) => {
    if (subject.setFull === undefined) return;
    const group = await subject.log.open(1);
    await group.append(write(entriesOf(1, 1, 1), { term: 1, vote: 1, commit: 1 }));
    const before = shapeOf(group);
    subject.setFull(true);
    const failures = [
      failureOf(group.append(write(entriesOf(2, 2, 2), { term: 2, vote: 0, commit: 1 }))),
      failureOf(group.append(write(entriesOf(4, 2)))),
    ];
    same(await Promise.all(failures), ['LOG_FULL', 'LOG_FULL']);
    same(shapeOf(group), before);
    subject.setFull(false);
    await group.append(write(entriesOf(3, 3), { term: 3, vote: 1, commit: 1 }));
    same([group.lastIndex(), group.term(2), group.term(3)], [3, 1, 3]);
    await expectKept(subject, group);
  }),
];

function contractCase(name: string, check: (subject: HostLogSubject) => Promise<void>): ContractCase<HostLogSubject> {
  return { name, run: async (open) => check(await open()) };
}
