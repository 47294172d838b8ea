/** One node is declared to be all that is left of a group: what its log says then, whatever it said before. */
import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { encodeConfChange } from '../src/core/configuration/conf-change.js';
import { type ConfState, emptyConfState } from '../src/core/configuration/configuration.js';
import type { Entry } from '../src/core/entry.js';
import { groupRemains, recoverGroup } from '../src/host/recover-group.js';
import { MemoryHostLog } from '../src/testing/memory-host-log.js';
import { MemoryStateMachine } from '../src/testing/memory-state-machine.js';
import { command, HostCluster, numbersOf, watched } from './host-cluster.js';

const normal = (index: number, term: number): Entry => ({ index, term, type: 'EntryNormal', data: command(index) });
const change = (index: number, type: 'addNode' | 'addLearner' | 'removeNode', ...ids: number[]): Entry => ({
  ...{ index, term: 2, type: 'EntryConfChangeV2' },
  data: encodeConfChange({ transition: 'auto', changes: ids.map((nodeId) => ({ type, nodeId })) }),
});

/** A log behind which a configuration stands, with these entries. */
async function logWith(confState: ConfState, entries: readonly Entry[]) {
  const log = await new MemoryHostLog(createManualClock()).open(1);
  const snapshot = { index: 1, term: 1, confState };
  await log.append({ snapshot, entries, hardState: { term: 2, vote: 2, commit: 1 } });
  return log;
}

const look = (log: Awaited<ReturnType<typeof logWith>>) =>
  groupRemains(log, { groupId: 1, machine: new MemoryStateMachine() }, 1);

const voters = (...ids: number[]): ConfState => ({ ...emptyConfState, voters: ids });

test.each([
  ['three voters', voters(1, 2, 3), []],
  ['voters and learners', { ...voters(1, 2, 3), learners: [4] }, []],
  ['one that only learned', { ...voters(2, 3), learners: [1] }, []],
  ['a change in the log that is not known to be committed', voters(1, 2), [change(2, 'addNode', 3)]],
  ['a joint configuration', voters(1, 2, 3), [change(2, 'addNode', 4, 5), normal(3, 2)]],
  ['a joint configuration that would have taken it out', voters(1, 2, 3), [change(2, 'removeNode', 1, 2)]],
])('from %s nobody but the node is left, and nobody else is needed for that', async (_, confState, entries) => {
  const log = await logWith(confState, entries);
  const remains = await look(log);
  await recoverGroup(log, remains, 1, [command(99)]);
  const after = await look(log);
  expect(after.configuration).toEqual(voters(1));
  expect(after.lastTerm).toBe(3);
  expect(log.initialState().hardState).toEqual({ term: 3, vote: 1, commit: after.lastIndex });
  const [last] = log.entries(after.lastIndex, after.lastIndex + 1, 1000) as readonly Entry[];
  expect(numbersOf([last?.data as Uint8Array])).toEqual([99]);
});

test('done again it adds what it is given, and nothing where that is nothing', async () => {
  const log = await logWith(voters(1, 2, 3), []);
  await recoverGroup(log, await look(log), 1, []);
  const { lastIndex } = await look(log);
  await recoverGroup(log, await look(log), 1, []);
  expect((await look(log)).lastIndex).toBe(lastIndex);
});

test('a group of which the node has no part cannot be recovered from it', async () => {
  const log = await logWith(voters(2, 3), [normal(2, 2)]);
  const remains = await look(log);
  await expect(recoverGroup(log, remains, 1, [])).rejects.toMatchObject({ code: 'INVALID_CONFIGURATION' });
});

test('the node leads alone at its next start, with all that its log held, committed or not', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const survivor = [1, 2, 3].find((id) => id !== leader) as number;
  await Promise.all([cluster.group(leader).propose(command(7)), cluster.ticks(2)]);
  await cluster.until(() => cluster.machine(survivor).commands.length === 1);
  for (const id of [1, 2, 3]) await cluster.crash(id);
  const log = await cluster.node(survivor).log.open(1);
  const options = { groupId: 1, machine: cluster.machine(survivor) };
  await recoverGroup(log, await groupRemains(log, options, survivor), survivor, [command(8)]);
  log.close();
  await cluster.startNode(survivor);
  const group = cluster.group(survivor);
  expect(group.status()).toMatchObject({ role: 'StateLeader', configuration: voters(survivor) });
  const result = watched(group.propose(command(9)));
  await cluster.until(() => result.value !== undefined);
  expect(numbersOf(cluster.machine(survivor).commands)).toEqual([7, 8, 9]);
  await cluster.close();
});
