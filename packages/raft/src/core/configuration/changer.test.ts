import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JointVoters } from '../quorum/joint.js';
import { RaftError } from '../raft-error.js';
import { Changer, type Membership, restoreMembership } from './changer.js';
import type { ConfChangeSingle } from './conf-change.js';
import { confStateHas, confStateOf, emptyConfiguration, isJoint } from './configuration.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_905);
const numRuns = process.env['SHANGHAI_DEEP'] === '1' ? 20_000 : 600;

const inflightLimits = { maxMessages: 4, maxBytes: 0 };
const empty: Membership = { configuration: emptyConfiguration, progress: new Map() };
const changer = (membership: Membership, lastIndex = 10) => new Changer({ ...membership, lastIndex, inflightLimits });

const single: fc.Arbitrary<ConfChangeSingle> = fc.record({
  type: fc.constantFrom('addNode', 'addNode', 'addLearner', 'removeNode', 'updateNode'),
  nodeId: fc.integer({ min: 0, max: 6 }),
});
const step = fc.record({
  how: fc.constantFrom('simple', 'implicit', 'explicit', 'leave'),
  changes: fc.array(single, { maxLength: 4 }),
});
type Step = { readonly how: string; readonly changes: readonly ConfChangeSingle[] };

function change(membership: Membership, { how, changes }: Step): Membership {
  const one = changer(membership);
  if (how === 'leave') return one.leaveJoint();
  return how === 'simple' ? one.simple(changes) : one.enterJoint(how === 'implicit', changes);
}

/** Sets of voters that can decide something, one by one. */
function quorums({ incoming, outgoing }: JointVoters): number[][] {
  const all = [...new Set([...incoming, ...outgoing])];
  const subsets = Array.from({ length: 2 ** all.length }, (_, bits) => all.filter((_, i) => (bits >> i) & 1));
  const holds = (ids: ReadonlySet<number>, some: readonly number[]) =>
    ids.size === 0 || some.filter((id) => ids.has(id)).length * 2 > ids.size;
  return subsets.filter((some) => holds(incoming, some) && holds(outgoing, some));
}

/** What has to hold of every configuration, told apart from the code that makes them. */
function check({ configuration, progress }: Membership): void {
  const { voters, learners, learnersNext, autoLeave } = configuration;
  const members = new Set([...voters.incoming, ...voters.outgoing, ...learners]);
  expect([...progress.keys()].sort()).toEqual([...members].sort());
  for (const id of learners) expect(voters.incoming.has(id) || voters.outgoing.has(id)).toBe(false);
  for (const id of learnersNext) expect([voters.outgoing.has(id), voters.incoming.has(id)]).toEqual([true, false]);
  for (const [id, one] of progress) expect(one.isLearner, `${id}`).toBe(learners.has(id));
  if (!isJoint(configuration)) expect([autoLeave, learnersNext.size]).toEqual([false, 0]);
  expect(voters.incoming.size).toBeGreaterThan(0);
}

test(`random changes keep what must hold; each two configurations in a row have overlapping quorums (seed ${seed})`, () => {
  const first = changer(empty).simple([{ type: 'addNode', nodeId: 1 }]);
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      let membership = first;
      for (const one of steps) {
        const before = JSON.stringify([confStateOf(membership.configuration), [...membership.progress]]);
        let next: Membership;
        try {
          next = change(membership, one);
        } catch (error) {
          expect(error).toBeInstanceOf(RaftError);
          // A refused change leaves no trace.
          expect(JSON.stringify([confStateOf(membership.configuration), [...membership.progress]])).toBe(before);
          continue;
        }
        check(next);
        const others = quorums(next.configuration.voters);
        for (const quorum of quorums(membership.configuration.voters)) {
          for (const other of others) expect(quorum.some((id) => other.includes(id))).toBe(true);
        }
        membership = next;
      }
    }),
    { seed, numRuns },
  );
});

test(`a stored configuration is restored as it was, everybody's progress fresh (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let membership = changer(empty).simple([{ type: 'addNode', nodeId: 1 }]);
      for (const one of steps) {
        try {
          membership = change(membership, one);
        } catch (error) {
          expect(error).toBeInstanceOf(RaftError);
        }
        const stored = confStateOf(membership.configuration);
        const restored = restoreMembership(stored, 7, inflightLimits);
        expect(confStateOf(restored.configuration)).toEqual(stored);
        check(restored);
        for (const progress of restored.progress.values()) expect(progress).toMatchObject({ match: 0, next: 7 });
        for (let id = 1; id <= 6; id++) expect(confStateHas(stored, id)).toBe(membership.progress.has(id));
      }
    }),
    { seed, numRuns },
  );
});

test('a change keeps what is known of those who stay, and their windows', () => {
  const before = changer(empty).simple([{ type: 'addNode', nodeId: 1 }]);
  const progress = before.progress.get(1);
  progress?.becomeReplicate();
  progress?.maybeUpdate(5);
  progress?.sentEntries(2, 1);
  const after = changer(before).simple([{ type: 'addNode', nodeId: 2 }]);
  expect(after.progress.get(1)).toMatchObject({ match: 5, state: 'StateReplicate' });
  expect(after.progress.get(1)?.inflights).toBe(progress?.inflights);
  expect(after.progress.get(2)).toMatchObject({ match: 0, next: 10, recentActive: true });
  expect(before.progress.has(2)).toBe(false);
});

test('refusals say what is wrong', () => {
  const one = changer(empty).simple([{ type: 'addNode', nodeId: 1 }]);
  const joint = changer(one).enterJoint(false, [{ type: 'addNode', nodeId: 2 }]);
  const two = [2, 3].map((nodeId) => ({ type: 'addNode', nodeId }) as const);
  expect(() => changer(one).leaveJoint()).toThrow("can't leave a non-joint config");
  expect(() => changer(joint).enterJoint(false, [])).toThrow('config is already joint');
  expect(() => changer(joint).simple([])).toThrow("can't apply simple config change in joint config");
  expect(() => changer(empty).enterJoint(false, [])).toThrow("can't make a zero-voter config joint");
  expect(() => changer(one).simple(two)).toThrow('more than one voter changed');
  expect(() => changer(one).simple([{ type: 'removeNode', nodeId: 1 }])).toThrow('removed all voters');
});
