import { expect, test } from 'vitest';
import { maxLagEntries, readinessChecks } from './node-readiness.js';

const group = {
  groupId: 1,
  state: 'open' as const,
  isStalled: false,
  leaderNodeId: 1,
  commitIndex: 50,
  appliedIndex: 50,
};
const ready = {
  isClosing: false,
  isMade: true,
  awaited: [] as number[],
  walState: 'open',
  groups: [{ ...group, groupId: 0 }, group],
};

const failing = (parts: Partial<typeof ready>) =>
  readinessChecks({ ...ready, ...parts }).flatMap(({ name, ok, detail }) => (ok ? [] : `${name}: ${detail}`));

test('every check holds where nothing is wrong', () => {
  expect(failing({})).toEqual([]);
});

test.each([
  ['a node that closes', { isClosing: true }, 'accepting: the node is closing'],
  [
    'a cluster that is not made',
    { isMade: false, awaited: [2, 3] },
    'cluster: it is being made; all of its first members must be up; not heard yet: node 2, 3',
  ],
  ['a poisoned log', { walState: 'poisoned' }, 'storage: the write-ahead log is poisoned; restart the node'],
  ['a silent disk', { groups: [{ ...group, isStalled: true }] }, 'disk: the disk does not answer (group 1)'],
  ['no leader', { groups: [{ ...group, leaderNodeId: 0 }] }, 'leader: there is none (group 1)'],
  [
    'a replica far behind',
    { groups: [{ ...group, commitIndex: 51 + maxLagEntries }] },
    'applied: too much is committed and not applied (group 1)',
  ],
])('%s fails one check, which says why', (_, parts, text) => {
  expect(failing(parts)).toEqual([text]);
});

test.each([
  ['full', 'space: the disk is full (group 0)'],
  ['failed', 'storage: group 0 failed; see the log, restart the node'],
  ['restoring', 'applied: too much is committed and not applied (group 0)'],
] as const)('a group that is %s fails one check', (state, text) => {
  expect(failing({ groups: [{ ...group, groupId: 0, state } as never, group] })).toEqual([text]);
});
