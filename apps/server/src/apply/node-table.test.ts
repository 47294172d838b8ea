import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NodeEntry } from './catalogue-command.js';
import { maxNodes, NodeTable, type NodeTableCommand } from './node-table.js';

const groups = [0, 1];
const seed = 20_261_121;

function join(instanceId: string, more: { nodeId?: number; reservation?: string; peerAddress?: string } = {}) {
  const { nodeId = 0, reservation = '', peerAddress = instanceId === '' ? '' : 'p:1' } = more;
  return { type: 'joinNode', nodeId, name: '', instanceId, peerAddress, reservation } as const;
}

function member(nodeId: number): NodeEntry {
  const addresses = { grpcAddress: 'g:1', httpAddress: 'h:1', peerAddress: 'p:1' };
  return { nodeId, name: `node-${nodeId}`, instanceId: `i${nodeId}`, ...addresses };
}

/** Three nodes that made the cluster. */
function firstMembers(): NodeTable {
  const table = new NodeTable();
  for (const nodeId of [1, 2, 3]) table.apply({ type: 'putNode', node: member(nodeId) }, groups);
  return table;
}

function states(table: NodeTable): string {
  return table.present.map(({ nodeId, state = 'first' }) => `${nodeId} ${state}`).join(', ');
}

test('a new node joins, is a member when every group has it, and is gone when none has', () => {
  const table = firstMembers();
  table.apply(join('new'), groups);
  expect(states(table)).toBe('1 first, 2 first, 3 first, 4 joining');
  table.apply({ type: 'placeNode', nodeId: 4, groupId: 1, isIn: true }, groups);
  expect(states(table)).toContain('4 joining');
  table.apply({ type: 'placeNode', nodeId: 4, groupId: 0, isIn: true }, groups);
  expect(states(table)).toContain('4 member');
  table.apply({ type: 'leaveNode', nodeId: 4, force: false }, groups);
  // What an earlier leader said of it is no news.
  table.apply({ type: 'placeNode', nodeId: 4, groupId: 0, isIn: true }, groups);
  table.apply({ type: 'placeNode', nodeId: 4, groupId: 0, isIn: false }, groups);
  expect(states(table)).toContain('4 leaving');
  table.apply({ type: 'placeNode', nodeId: 4, groupId: 1, isIn: false }, groups);
  expect(states(table)).toBe('1 first, 2 first, 3 first');
  expect(table.removed).toMatchObject([{ nodeId: 4, instanceId: 'new' }]);
});

test('the same instance joins under the same id, however often, and a reservation is bound once', () => {
  const table = firstMembers();
  for (let i = 0; i < 3; i++) table.apply(join('new'), groups);
  expect(states(table)).toBe('1 first, 2 first, 3 first, 4 joining');
  for (let i = 0; i < 2; i++) table.apply(join('', { reservation: 'r', peerAddress: 'a:1' }), groups);
  expect(table.present.at(-1)).toMatchObject({ nodeId: 5, instanceId: '', peerAddress: 'a:1' });
  table.apply(join('later', { nodeId: 5, peerAddress: '' }), groups);
  expect(table.present.at(-1)).toMatchObject({ nodeId: 5, instanceId: 'later', peerAddress: 'a:1' });
  expect(table.apply(join('another', { nodeId: 5 }), groups)).toMatchObject({ code: 'ALREADY_EXISTS' });
  expect(table.apply(join('later', { nodeId: 7 }), groups)).toMatchObject({ code: 'ALREADY_EXISTS' });
});

test('a removed node is told so, whatever it asks for, and its id is not given again', () => {
  const table = firstMembers();
  table.apply(join('new'), groups);
  table.apply({ type: 'leaveNode', nodeId: 4, force: false }, groups);
  for (const groupId of groups) table.apply({ type: 'placeNode', nodeId: 4, groupId, isIn: false }, groups);
  expect(table.apply(join('lost', { peerAddress: '' }), groups)).toMatchObject({ code: 'INVALID_REQUEST' });
  const refused = { code: 'PERMISSION_DENIED', message: expect.stringContaining('empty data directory') };
  expect(table.apply(join('new'), groups)).toMatchObject(refused);
  expect(table.apply(join('other', { nodeId: 4 }), groups)).toMatchObject(refused);
  expect(table.apply({ type: 'putNode', node: member(4) }, groups)).toMatchObject(refused);
  table.apply(join('other'), groups);
  expect(states(table)).toBe('1 first, 2 first, 3 first, 5 joining');
});

test('what a node says of itself does not change where it stands', () => {
  const table = firstMembers();
  table.apply({ type: 'replaceNode', nodeId: 3, replacedBy: 0, force: false }, groups);
  table.apply({ type: 'putNode', node: { ...member(3), httpAddress: 'moved:1', state: 'member' } }, groups);
  expect(table.present[2]).toMatchObject({ state: 'leaving', replacedBy: 0, groups, httpAddress: 'moved:1' });
});

test('nobody leaves last, and nobody is replaced by itself, by one that leaves or by nobody known', () => {
  const table = new NodeTable();
  table.apply({ type: 'putNode', node: member(1) }, groups);
  table.apply(join('', { reservation: 'r' }), groups);
  expect(table.apply({ type: 'leaveNode', nodeId: 1, force: true }, groups)).toMatchObject({ code: 'CONFLICT' });
  expect(table.apply({ type: 'leaveNode', nodeId: 9, force: true }, groups)).toMatchObject({ code: 'NOT_FOUND' });
  table.apply(join('second', { nodeId: 2 }), groups);
  const replace = (replacedBy: number) =>
    table.apply({ type: 'replaceNode', nodeId: 1, replacedBy, force: false }, groups);
  expect([replace(1), replace(9)]).toMatchObject([{ code: 'CONFLICT' }, { code: 'NOT_FOUND' }]);
  table.apply({ type: 'leaveNode', nodeId: 2, force: false }, groups);
  expect(replace(2)).toMatchObject({ code: 'CONFLICT' });
});

test('a table has a bound', () => {
  const table = new NodeTable();
  for (let i = 0; i < maxNodes; i++) table.apply(join(`i${i}`), groups);
  expect(table.apply(join('more'), groups)).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
});

const ids = fc.integer({ min: 1, max: 6 });
const command: fc.Arbitrary<NodeTableCommand> = fc.oneof(
  ids.map((nodeId) => ({ type: 'putNode' as const, node: member(nodeId) })),
  fc.tuple(fc.constantFrom(0, 2, 4, 5), fc.constantFrom('a', 'b', 'c', '')).map(([nodeId, instanceId]) => ({
    ...join(instanceId, { nodeId, reservation: instanceId === '' ? 'r' : '' }),
  })),
  ids.map((nodeId) => ({ type: 'leaveNode' as const, nodeId, force: false })),
  fc.tuple(ids, fc.integer({ min: 0, max: 6 })).map(([nodeId, replacedBy]) => ({
    type: 'replaceNode' as const,
    nodeId,
    replacedBy,
    force: false,
  })),
  fc.tuple(ids, fc.constantFrom(0, 1), fc.boolean()).map(([nodeId, groupId, isIn]) => ({
    type: 'placeNode' as const,
    nodeId,
    groupId,
    isIn,
  })),
);

test('whatever is asked for: ids are not given twice, an instance has one line, somebody stays, copies agree', () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const table = firstMembers();
      const removed = new Set<number>();
      for (const change of commands) {
        table.apply(change, groups);
        for (const { nodeId } of table.removed) removed.add(nodeId);
        expect(new Set(table.removed.map(({ nodeId }) => nodeId))).toEqual(removed);
        const instances = table.present.map(({ instanceId }) => instanceId).filter((id) => id !== '');
        const joined = instances.filter((id) => /^[abc]$/.test(id));
        expect(new Set(joined).size).toBe(joined.length);
        expect(table.present.some(({ state, instanceId }) => state !== 'leaving' && instanceId !== '')).toBe(true);
      }
      // Read back, it goes on the same way.
      const copy = new NodeTable();
      for (const entry of [...table.present, ...table.removed]) copy.load(JSON.parse(JSON.stringify(entry)));
      for (const change of commands) expect(copy.apply(change, groups)).toEqual(table.apply(change, groups));
    }),
    { seed, numRuns: 300 },
  );
});
