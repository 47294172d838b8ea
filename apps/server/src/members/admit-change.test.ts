import { expect, test } from 'vitest';
import type { Catalogue } from '../apply/catalogue.js';
import type { CatalogueCommand, NodeEntry } from '../apply/catalogue-command.js';
import { type AdmissionView, admitChange } from './admit-change.js';

const node = (nodeId: number, more: Partial<NodeEntry> = {}): NodeEntry => ({
  ...{ nodeId, name: '', instanceId: `i${nodeId}`, grpcAddress: '', httpAddress: '', peerAddress: '' },
  ...more,
});

function outcome(
  change: CatalogueCommand,
  more: Partial<AdmissionView> & { nodes?: readonly NodeEntry[] } = {},
): string {
  const { nodes = [1, 2, 3].map((id) => node(id)), ...view } = more;
  const replicas = [
    { nodeId: 2, matchIndex: 9, isActive: false },
    { nodeId: 3, matchIndex: 9, isActive: true },
  ];
  const group = {
    ...{ groupId: 0, selfId: 1, voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [] },
    ...{ autoLeave: false, lastIndex: 9, replicas },
  };
  try {
    admitChange(change, {
      catalogue: { nodes } as unknown as Catalogue,
      group,
      isSynced: true,
      ownAddress: 'p:1',
      ...view,
    });
    return 'taken';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const join = { type: 'joinNode', nodeId: 0, name: '', instanceId: 'n', peerAddress: 'p:4', reservation: '' } as const;
const leave = (nodeId: number, force = false) => ({ type: 'leaveNode', nodeId, force }) as const;

test('another instance under the id of a node of several is refused, of a node alone and of a new id it is taken', () => {
  expect(outcome({ type: 'putNode', node: node(2) })).toBe('taken');
  expect(outcome({ type: 'putNode', node: node(2, { instanceId: 'other' }) })).toBe('PERMISSION_DENIED');
  expect(outcome({ type: 'putNode', node: node(1, { instanceId: 'other' }) }, { nodes: [node(1)] })).toBe('taken');
  expect(outcome({ type: 'putNode', node: node(7) })).toBe('taken');
});

test('nobody joins a node that others cannot reach, or that answers before it has synced', () => {
  expect(outcome(join)).toBe('taken');
  expect(outcome(join, { ownAddress: '' })).toBe('CONFLICT');
  expect(outcome(join, { isSynced: false })).toBe('CONFLICT');
});

test('a leave is refused where those who remain have no majority that is up, or another node leaves, but by force', () => {
  expect([outcome(leave(2)), outcome(leave(3)), outcome(leave(3, true))]).toEqual(['taken', 'CONFLICT', 'taken']);
  expect(outcome({ type: 'replaceNode', nodeId: 3, replacedBy: 0, force: false })).toBe('taken');
  const busy = { nodes: [node(1), node(2, { state: 'leaving' }), node(3)] };
  expect([outcome(leave(3), busy), outcome(leave(2), busy), outcome(leave(3, true), busy)]).toEqual([
    'CONFLICT',
    'taken',
    'taken',
  ]);
});
