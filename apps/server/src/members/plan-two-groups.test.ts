/**
 * Two groups and one node table: each group is brought in line apart, in any order, while operators wish for more. When
 * nothing is left to be done nobody is half gone: whoever has left one group has left the other, and the cluster.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NodeTable, type NodeTableCommand } from '../apply/node-table.js';
import { type GroupView, placesToReport, planGroup, type TableView } from './plan-group.js';

const seed = 20_261_121;
const groupIds = [0, 1] as const;

/** A cluster whose nodes are all up and always caught up. */
class Cluster {
  readonly table = new NodeTable();
  readonly groups: GroupView[] = groupIds.map((groupId) => viewOf(groupId, 1, [1, 2, 3], []));
  factor = 3;
  isFactorChosen = false;

  constructor() {
    for (const nodeId of [1, 2, 3]) {
      this.tell({ type: 'putNode', node: { nodeId, name: '', instanceId: `i${nodeId}`, ...addresses } });
    }
  }

  tell(change: NodeTableCommand): void {
    this.table.apply(change, groupIds);
  }

  /** One step of a group, if there is one. */
  advance(groupId: number): boolean {
    const view = this.groups[groupId] as GroupView;
    const reports = placesToReport(view, this.wanted);
    for (const { nodeId, isIn } of reports) this.tell({ type: 'placeNode', nodeId, groupId, isIn });
    const step = planGroup(view, this.wanted);
    if (step === undefined || step.type === 'wait') return reports.length > 0;
    if (step.type === 'transfer') {
      this.groups[groupId] = viewOf(groupId, step.to, view.voters, view.learners);
      return true;
    }
    const voters = new Set(view.voters);
    const learners = new Set(view.learners);
    for (const { type, nodeId } of step.changes) {
      voters.delete(nodeId);
      learners.delete(nodeId);
      if (type === 'addNode') voters.add(nodeId);
      if (type === 'addLearner') learners.add(nodeId);
    }
    this.groups[groupId] = viewOf(groupId, view.selfId, [...voters], [...learners]);
    return true;
  }

  get wanted(): TableView {
    const { factor, isFactorChosen } = this;
    const removed = new Set(this.table.removed.map(({ nodeId }) => nodeId));
    return { nodes: this.table.present, removed, factor, isFactorChosen };
  }

  membersOf(groupId: number): readonly number[] {
    const { voters, learners } = this.groups[groupId] as GroupView;
    return [...voters, ...learners].sort((a, b) => a - b);
  }
}

const addresses = { grpcAddress: '', httpAddress: '', peerAddress: 'host:1' };

function viewOf(groupId: number, selfId: number, voters: readonly number[], learners: readonly number[]): GroupView {
  const others = [...voters, ...learners].filter((id) => id !== selfId);
  return {
    ...{ groupId, selfId, voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false, lastIndex: 9 },
    replicas: others.map((nodeId) => ({ nodeId, matchIndex: 9, isActive: true })),
  };
}

type Event =
  | { readonly what: 'advance'; readonly groupId: number }
  | { readonly what: 'join' }
  | { readonly what: 'leave'; readonly nodeId: number }
  | { readonly what: 'replace'; readonly nodeId: number; readonly replacedBy: number }
  | { readonly what: 'factor'; readonly factor: number };

const anyNode = fc.integer({ min: 1, max: 7 });
const events: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('advance'), groupId: fc.constantFrom(...groupIds) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('join') }) },
  fc.record({ what: fc.constant('leave'), nodeId: anyNode }),
  fc.record({ what: fc.constant('replace'), nodeId: anyNode, replacedBy: fc.constantFrom(0, 0, 4, 5, 6) }),
  fc.record({ what: fc.constant('factor'), factor: fc.constantFrom(1, 3, 5) }),
);

function happen(cluster: Cluster, event: Event): void {
  switch (event.what) {
    case 'advance':
      cluster.advance(event.groupId);
      return;
    case 'join': {
      const instanceId = `i${cluster.table.present.length + cluster.table.removed.length + 1}`;
      cluster.tell({ type: 'joinNode', nodeId: 0, name: '', instanceId, peerAddress: 'host:1', reservation: '' });
      return;
    }
    case 'leave':
      cluster.tell({ type: 'leaveNode', nodeId: event.nodeId, force: false });
      return;
    case 'replace':
      // One that is joining still may be in one group only, and waits there for who takes its place.
      if (cluster.table.present.some(({ nodeId, state }) => nodeId === event.nodeId && state === 'joining')) return;
      cluster.tell({ type: 'replaceNode', nodeId: event.nodeId, replacedBy: event.replacedBy, force: false });
      return;
    case 'factor':
      cluster.factor = event.factor;
      cluster.isFactorChosen = true;
      return;
  }
}

test('whatever operators wish for meanwhile, it comes to rest with every node in both groups or in neither', () => {
  fc.assert(
    fc.property(fc.array(events, { minLength: 5, maxLength: 60 }), (happened) => {
      const cluster = new Cluster();
      for (const event of happened) happen(cluster, event);
      for (let rounds = 0; groupIds.filter((id) => cluster.advance(id)).length > 0; rounds++) {
        expect(rounds).toBeLessThan(100);
      }
      expect(cluster.membersOf(0)).toEqual(cluster.membersOf(1));
      // Those who still leave wait for somebody who takes their place.
      for (const { state, replacedBy } of cluster.table.present) {
        if (state === 'leaving') expect(replacedBy).toBeDefined();
      }
    }),
    { seed, numRuns: process.env['SHANGHAI_DEEP'] === '1' ? 50_000 : 500 },
  );
});
