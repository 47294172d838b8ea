import type { ConfChangeSingle } from '@shanghai/raft';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  caughtUpEntries,
  type GroupView,
  hasMajority,
  placesToReport,
  planGroup,
  type TableView,
} from './plan-group.js';

const seed = 20_261_121;

function group(voters: readonly number[], more: Partial<GroupView> = {}): GroupView {
  const {
    learners = [],
    selfId = voters[0] ?? 1,
    down = [],
    match = 5000,
  } = more as Partial<GroupView> & {
    down?: readonly number[];
    match?: number;
  };
  const others = [...voters, ...learners].filter((id) => id !== selfId);
  return {
    ...{ groupId: 1, selfId, voters, votersOutgoing: [], learners, learnersNext: [], autoLeave: false },
    lastIndex: 5000,
    replicas: others.map((nodeId) => ({ nodeId, matchIndex: match, isActive: !down.includes(nodeId) })),
    ...more,
  };
}

type Line = TableView['nodes'][number];

function table(
  lines: readonly (number | (Partial<Line> & { nodeId: number }))[],
  more: Partial<TableView> = {},
): TableView {
  const nodes = lines.map((line) => ({ instanceId: 'i', ...(typeof line === 'number' ? { nodeId: line } : line) }));
  return { nodes, removed: new Set(), factor: 3, isFactorChosen: true, ...more };
}

function changesOf(view: GroupView, wanted: TableView): readonly ConfChangeSingle[] | string {
  const step = planGroup(view, wanted);
  if (step === undefined) return 'nothing';
  if (step.type === 'transfer') return `transfer to ${step.to}`;
  return step.type === 'wait' ? 'wait' : step.changes;
}

const joining = (nodeId: number) => ({ nodeId, state: 'joining', groups: [] }) as const;
const leaving = (nodeId: number, replacedBy?: number) =>
  ({ nodeId, state: 'leaving', ...(replacedBy === undefined ? {} : { replacedBy }) }) as const;
const add = (nodeId: number) => ({ type: 'addNode', nodeId }) as const;
const learn = (nodeId: number) => ({ type: 'addLearner', nodeId }) as const;
const remove = (nodeId: number) => ({ type: 'removeNode', nodeId }) as const;

test('first members that are not registered yet are left alone', () => {
  expect(changesOf(group([1, 2, 3]), table([1]))).toBe('nothing');
});

test('who is new learns first, and an id that was only set aside does not', () => {
  expect(changesOf(group([1, 2, 3]), table([1, 2, 3, joining(4)]))).toEqual([learn(4)]);
  expect(changesOf(group([1, 2, 3]), table([1, 2, 3, { ...joining(4), instanceId: '' }]))).toBe('nothing');
});

test('a learner votes when it has caught up and the factor asks for it [T43]', () => {
  const wanted = table([1, joining(2)]);
  expect(changesOf(group([1], { learners: [2], match: 0 } as never), wanted)).toBe('wait');
  expect(changesOf(group([1], { learners: [2], match: 4999 - caughtUpEntries } as never), wanted)).toBe('wait');
  expect(changesOf(group([1], { learners: [2], match: 5000 - caughtUpEntries } as never), wanted)).toEqual([add(2)]);
  expect(changesOf(group([1], { learners: [2], down: [2] } as never), wanted)).toBe('wait');
  expect(changesOf(group([1, 2, 3], { learners: [4] }), table([1, 2, 3, { nodeId: 4, state: 'member' }]))).toBe(
    'nothing',
  );
});

test('a voter that leaves is taken out in one joint change with the learner that takes its place', () => {
  const four = { nodeId: 4, state: 'member' } as const;
  expect(changesOf(group([1, 2, 3], { learners: [4] }), table([1, 2, leaving(3), four]))).toEqual([add(4), remove(3)]);
  expect(changesOf(group([1, 2, 3]), table([1, 2, leaving(3)]))).toEqual([remove(3)]);
  // Who was taken out of the table already is taken out of the group as well.
  expect(changesOf(group([1, 2, 3]), table([1, 2], { removed: new Set([3]) }))).toEqual([remove(3)]);
});

test('one that is to be replaced keeps its place until somebody has caught up', () => {
  const dead = { down: [3] } as never;
  expect(changesOf(group([1, 2, 3], dead), table([1, 2, leaving(3, 0)]))).toBe('wait');
  const slow = group([1, 2, 3], { learners: [4], match: 1 } as never);
  expect(changesOf(slow, table([1, 2, leaving(3, 0), joining(4)]))).toBe('wait');
  const able = group([1, 2, 3], { learners: [4, 5], down: [3] } as never);
  expect(changesOf(able, table([1, 2, leaving(3, 5), joining(4), joining(5)]))).toEqual([add(5), remove(3)]);
  // The one that was named votes already.
  expect(changesOf(group([1, 2, 3, 4]), table([1, 2, leaving(3, 4), 4]))).toEqual([remove(3)]);
});

test('in the system group nobody is waited for who votes already, once all other groups found the replacement', () => {
  const gone = { ...leaving(3, 0), groups: [0] };
  const four = { nodeId: 4, state: 'member' } as const;
  const five = { factor: 5 };
  expect(changesOf(group([1, 2, 3, 4], { groupId: 0 }), table([1, 2, gone, four], five))).toEqual([remove(3)]);
  // One that still learns takes the place, in every other group somebody has to be there.
  const slow = group([1, 2, 3], { groupId: 0, learners: [4], match: 1 } as never);
  expect(changesOf(slow, table([1, 2, gone, four], five))).toBe('wait');
  // The one that was named took the place in the others, and leaves by now.
  const named = { ...leaving(3, 4), groups: [0] };
  const lost = table([1, 2, named, { ...leaving(4, 0), groups: [0, 1] }]);
  expect(changesOf(group([1, 2, 3, 4], { groupId: 0 }), lost)).toEqual([remove(3)]);
  const kept = { ...leaving(3, 0), groups: [0, 1] };
  expect(changesOf(group([1, 2, 3, 4], { groupId: 0 }), table([1, 2, kept, four], five))).toBe('wait');
  expect(changesOf(group([1, 2, 3, 4]), table([1, 2, kept, four], five))).toBe('wait');
});

test('a leader that leaves hands over first, and where nobody else votes lets a learner vote first [T41]', () => {
  expect(changesOf(group([1, 2, 3], { selfId: 3 }), table([1, 2, leaving(3)]))).toBe('transfer to 1');
  expect(changesOf(group([1], { learners: [2] }), table([leaving(1), { nodeId: 2, state: 'member' }]))).toEqual([
    add(2),
  ]);
  expect(changesOf(group([1, 2]), table([leaving(1), 2]))).toBe('transfer to 2');
});

test('nobody is taken out where those who remain have no majority', () => {
  const view = group([1, 2, 3], { down: [3] } as never);
  expect(changesOf(view, table([1, leaving(2), 3]))).toBe('wait');
  expect(changesOf(view, table([1, 2, leaving(3)]))).toEqual([remove(3)]);
});

test('voters beyond a factor that was chosen learn, those who are down first', () => {
  const five = [1, 2, 3, 4, 5];
  expect(changesOf(group(five), table(five))).toEqual([learn(5)]);
  expect(changesOf(group(five, { down: [2] } as never), table(five))).toEqual([learn(2)]);
  expect(changesOf(group(five), table(five, { isFactorChosen: false }))).toBe('nothing');
});

test('while a configuration is joint nothing else is begun, and one that is not left by itself is left [T44]', () => {
  const joint = { votersOutgoing: [1, 2, 3] };
  expect(changesOf(group([1, 2, 4], { ...joint, autoLeave: true }), table([1, 2, leaving(3), 4, joining(5)]))).toBe(
    'wait',
  );
  expect(changesOf(group([1, 2, 4], joint), table([1, 2, leaving(3), 4]))).toEqual([]);
  expect(placesToReport(group([1, 2, 4], joint), table([1, 2, leaving(3), 4]))).toEqual([]);
});

test('the table is told who has caught up and who is out, once for each group', () => {
  const wanted = table([1, 2, leaving(3), joining(4), { ...joining(5), groups: [1] }, joining(6)]);
  const view = group([1, 2], { learners: [4, 5] });
  expect(placesToReport(view, wanted)).toEqual([
    { nodeId: 3, isIn: false },
    { nodeId: 4, isIn: true },
  ]);
});

/** What applying a change gives; joint changes are left by themselves. */
function applied(view: GroupView, changes: readonly ConfChangeSingle[]): GroupView {
  const voters = new Set(view.voters);
  const learners = new Set(view.learners);
  for (const { type, nodeId } of changes) {
    voters.delete(nodeId);
    learners.delete(nodeId);
    if (type === 'addNode') voters.add(nodeId);
    if (type === 'addLearner') learners.add(nodeId);
  }
  return { ...view, voters: [...voters], learners: [...learners] };
}

const nodeIds = [1, 2, 3, 4, 5, 6, 7];
const world = fc.record({
  lines: fc.uniqueArray(
    fc.record({
      nodeId: fc.constantFrom(...nodeIds),
      state: fc.constantFrom('joining', 'member', 'leaving', undefined),
      replacedBy: fc.constantFrom(undefined, 0, ...nodeIds),
    }),
    { selector: ({ nodeId }) => nodeId, minLength: 1 },
  ),
  voters: fc.uniqueArray(fc.constantFrom(...nodeIds), { minLength: 1, maxLength: 5 }),
  learners: fc.uniqueArray(fc.constantFrom(...nodeIds), { maxLength: 4 }),
  down: fc.uniqueArray(fc.constantFrom(...nodeIds), { maxLength: 3 }),
  removed: fc.uniqueArray(fc.constantFrom(...nodeIds), { maxLength: 2 }),
  factor: fc.integer({ min: 1, max: 5 }),
});

test('from any state: each step keeps a majority that is up, never votes out its leader, and it comes to rest', () => {
  fc.assert(
    fc.property(world, ({ lines, voters, learners, down, removed, factor }) => {
      const selfId = voters[0] as number;
      const wanted = table(
        lines
          .filter(({ nodeId }) => !removed.includes(nodeId))
          .map(({ state, replacedBy, ...line }) => ({
            ...line,
            ...(state === undefined ? {} : { state, groups: state === 'joining' ? [] : [1] }),
            ...(state === 'leaving' && replacedBy !== undefined ? { replacedBy } : {}),
          })),
        { factor, removed: new Set(removed) },
      );
      const isDown = (id: number) => down.includes(id) && id !== selfId;
      const withReplicas = (view: GroupView): GroupView => ({
        ...view,
        replicas: nodeIds
          .filter((id) => id !== view.selfId)
          .map((nodeId) => ({ nodeId, matchIndex: 5000, isActive: !isDown(nodeId) })),
      });
      let view = withReplicas(group(voters, { learners: learners.filter((id) => !voters.includes(id)), selfId }));
      for (let steps = 0; ; steps++) {
        expect(steps).toBeLessThan(40);
        const step = planGroup(view, wanted);
        if (step === undefined || step.type === 'wait') break;
        if (step.type === 'transfer') {
          expect(view.voters).toContain(step.to);
          expect(isDown(step.to)).toBe(false);
          view = withReplicas({ ...view, selfId: step.to });
          continue;
        }
        const next = applied(view, step.changes);
        expect(next.voters).toContain(view.selfId);
        const isPromotionOnly = step.changes.every(({ type }) => type === 'addLearner' || type === 'removeNode');
        const votersChange = next.voters.join() !== view.voters.join();
        if (votersChange) expect(hasMajority(view, next.voters)).toBe(true);
        // A plain change moves one voter at most.
        if (step.changes.length === 1 && isPromotionOnly) {
          expect(Math.abs(next.voters.length - view.voters.length)).toBeLessThanOrEqual(1);
        }
        view = next;
      }
      if (planGroup(view, wanted) !== undefined) return;
      // At rest, the group is what the table says.
      const gone = new Set([
        ...removed,
        ...wanted.nodes.filter(({ state }) => state === 'leaving').map((one) => one.nodeId),
      ]);
      for (const id of [...view.voters, ...view.learners]) expect(gone.has(id)).toBe(false);
      expect(view.voters.length).toBeLessThanOrEqual(Math.max(factor, 1));
    }),
    { seed, numRuns: 1000 },
  );
});

test('the system group is left last: a leader of another one that were out of it would never learn that it is to go', () => {
  const system = group([1, 2, 3], { groupId: 0, learners: [4] });
  const inBoth = table([1, 2, { ...leaving(3, 0), groups: [0, 1] }, 4]);
  expect(changesOf(system, inBoth)).toBe('wait');
  expect(changesOf(group([1, 2, 3], { learners: [4] }), inBoth)).toEqual([add(4), remove(3)]);
  expect(changesOf(system, table([1, 2, { ...leaving(3, 0), groups: [0] }, 4]))).toEqual([add(4), remove(3)]);
});
