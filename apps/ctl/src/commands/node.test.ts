import { expect, test } from 'vitest';
import type { GroupState, MemberTable, NodeDescription, NodeReport } from '../connection.js';
import { createMemoryNode, memoryGroup, memoryStatus } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

function described(nodeId: number, more: Partial<NodeDescription> = {}): NodeDescription {
  return { ...memoryStatus().node, nodeId, name: `node-${nodeId}`, ...more };
}

function tableOf(...nodes: NodeDescription[]): MemberTable {
  return { nodes, replicationFactor: 3, removedNodeIds: [] };
}

/** Node 1 leads: 1 and 2 vote, 3 gives way to 5, 4 learns. */
function reports(): NodeReport[] {
  const leading: GroupState = {
    ...memoryGroup,
    configuration: { voters: [1, 2, 5], votersOutgoing: [1, 2, 3], learners: [4], learnersNext: [] },
    replicas: [2, 4].map((nodeId) => ({
      ...{ nodeId, matchIndex: 12_345 - nodeId, state: 'replicate', isActive: true },
      isLearner: nodeId === 4,
      snapshotSent: undefined,
    })),
  };
  const status = { ...memoryStatus(), groups: [leading] };
  return [
    { node: described(1), status },
    { node: described(3), problem: 'refused' },
  ];
}

test('node list shows where each node stands and its part in every group', async () => {
  const node = createMemoryNode();
  node.reports = reports();
  const leaving = described(3, { membership: 'leaving', replacedBy: 5, state: 'down' });
  const joining = described(4, { membership: 'joining' });
  node.tables = [{ ...tableOf(described(1), described(2), leaving, joining, described(5)), removedNodeIds: [6, 7] }];
  const { stdout, stderr, code } = await runCommand(['node', 'list'], { node });
  expect(code).toBe(0);
  const rows = stdout.split('\n').map((line) => line.trim().split(/ {2,}/).slice(0, 6));
  expect(rows.slice(0, 6)).toEqual([
    ['ID', 'NAME', 'MEMBERSHIP', 'STATE', 'GROUPS', 'LAG'],
    ['1', 'node-1', 'member', 'up', '1 leader', '0'],
    ['2', 'node-2', 'member', 'up', '1 voter', '2'],
    ['3', 'node-3', 'leaving for 5', 'down', '1 joint', '-'],
    ['4', 'node-4', 'joining', 'up', '1 learner', '4'],
    ['5', 'node-5', 'member', 'up', '1 joint', '-'],
  ]);
  expect(stderr).toContain('node 3 did not answer: refused');
  expect(stderr).toContain('taken out before: 6, 7');
});

test('node join prints the command line of the new node, and waits for it where told to', async () => {
  const node = createMemoryNode();
  node.reports = reports();
  const reserved = described(4, { membership: 'joining', instanceId: '' });
  const joining = described(4, { membership: 'joining' });
  node.tables = [tableOf(reserved), tableOf(joining), tableOf(described(4))];
  const args = ['node', 'join', '--name', 'spare', '--peer-address', 'h:9194', '--wait'];
  const { stdout, stderr, code } = await runCommand(args, { node });
  expect(code).toBe(0);
  expect(node.calls).toContain('reserve spare h:9194');
  expect(stdout).toContain('shanghai --data-dir shanghai-data-4 --node-id 4 --join a:9091,b:9092 --peer-port 9194');
  expect(stderr).toMatch(/waits to be started\n.*joining, groups 1 learner, 4 entries behind\n.*has caught up/);
});

test('node leave and replace ask first, and wait until the node is out', async () => {
  const node = createMemoryNode();
  node.reports = reports();
  expect((await runCommand(['node', 'leave', '3'], { node })).code).toBe(2);
  expect(node.calls.some((call) => call.startsWith('leave'))).toBe(false);
  node.tables = [tableOf(described(1), described(3, { membership: 'leaving', replacedBy: 0 })), tableOf(described(1))];
  const { stdout, stderr } = await runCommand(['node', 'leave', '3', '--yes', '--wait', '-o', 'json'], { node });
  expect(JSON.parse(stdout)).toEqual({ nodeId: 3, state: 'out' });
  expect(stderr).toContain('leaving when replaced');
  await runCommand(['node', 'replace', '2', '--by', '4', '--force', '--yes'], { node });
  expect(node.calls).toEqual(expect.arrayContaining(['leave 3', 'replace 2 by 4 by force']));
});

test('what is no node id or factor is refused before anything is asked', async () => {
  const node = createMemoryNode();
  for (const args of [
    ['node', 'leave', 'x'],
    ['node', 'replace', '2', '--by', '0'],
    ['node', 'replication', 'three'],
  ]) {
    expect((await runCommand([...args, '--yes'], { node })).code).toBe(2);
  }
  expect(node.calls.filter((call) => call !== 'close')).toEqual([]);
  const { stdout } = await runCommand(['node', 'replication', '5'], { node });
  expect(node.calls).toContain('replication 5');
  expect(stdout).toMatch(/Replication factor\s+3/);
});

test('node list --gossip shows whom the connected node sees, and since when it has not heard them', async () => {
  const node = createMemoryNode();
  const seen = (nodeId: number, state: string, heardMsAgo: number | undefined) => ({
    ...{ nodeId, name: `n${nodeId}`, address: `h:919${nodeId}`, instanceId: 'i', incarnation: 7, state, heardMsAgo },
    ...{ tags: { version: '0.2' }, isObserved: nodeId === 2 },
  });
  const members = [seen(1, 'up', 0), seen(2, 'suspect', 12_345), seen(3, 'left', undefined)];
  node.sights = { nodeId: 1, members, isIsolated: true, viewHash: 5 };
  const { stdout, stderr, code } = await runCommand(['node', 'list', '--gossip'], { node });
  expect(code).toBe(0);
  const rows = stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
  expect(rows.slice(0, 4)).toEqual([
    ['ID', 'NAME', 'STATE', 'HEARD', 'OBSERVED', 'PEER', 'INCARNATION', 'VERSION'],
    ['1', 'n1', 'up', 'asked', '-', 'h:9191', '7', '0.2'],
    ['2', 'n2', 'suspect', '12.3 s', 'yes', 'h:9192', '7', '0.2'],
    ['3', 'n3', 'left', '-', '-', 'h:9193', '7', '0.2'],
  ]);
  expect(stderr).toContain('as node 1 sees it, which hears nobody');
});

test('node events shows what the connected node was told, one line each', async () => {
  const node = createMemoryNode();
  const of = (number: number, type: string, before = '', detail = '') => ({
    ...{ number, type, before, detail, atMs: Date.UTC(2026, 0, 2) + number, nodeId: 3, name: 'n3', address: 'h:1' },
  });
  node.events = [of(1, 'joined'), of(2, 'suspect', 'up'), of(3, 'changed', '', 'zone = b')];
  const { stdout, code } = await runCommand(['node', 'events', '--after', '1'], { node });
  expect(code).toBe(0);
  expect(stdout.trimEnd().split('\n')).toEqual([
    '2  2026-01-02T00:00:00.002Z  node 3 (n3)  up -> suspect',
    '3  2026-01-02T00:00:00.003Z  node 3 (n3)  changed  zone = b',
  ]);
  expect(node.calls).toContain('events 1');
});
