import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Member, memberStates } from './member.js';
import { memberLimits } from './member-limits.js';
import { MemberView } from './member-view.js';

const seed = 7_150_801;

function member(nodeId: number, fields: Partial<Member> = {}): Member {
  const said = { name: `n${nodeId}`, address: `a:${nodeId}`, instanceId: `i${nodeId}`, tags: {} };
  return { nodeId, incarnation: 1, state: 'up', ...said, ...fields };
}

const version = fc.record({
  nodeId: fc.integer({ min: 1, max: 5 }),
  incarnation: fc.integer({ min: 1, max: 3 }),
  state: fc.constantFrom(...memberStates),
});

describe('a view', () => {
  it('becomes the same in whatever order, and how often, it learns the same', () => {
    const shuffled = fc
      .array(version)
      .chain((versions) =>
        fc.tuple(
          fc.constant(versions),
          fc.shuffledSubarray([...versions, ...versions], { minLength: 2 * versions.length }),
        ),
      );
    fc.assert(
      fc.property(shuffled, ([first, second]) => {
        const [one, other] = [new MemberView(), new MemberView()];
        for (const { nodeId, ...fields } of first) one.take(member(nodeId, fields));
        for (const { nodeId, ...fields } of second) other.take(member(nodeId, fields));
        // Removed is the end of a record, whatever the incarnation under which it was said.
        const known = (view: MemberView) =>
          [...view.all()]
            .map(({ record: { nodeId, state, incarnation } }) => [nodeId, state, state === 'removed' || incarnation])
            .sort();
        expect(known(other)).toEqual(known(one));
      }),
      { seed },
    );
  });

  it('has the same hashes as another one exactly where they know the same', () => {
    const [one, other] = [new MemberView(), new MemberView()];
    for (let nodeId = 1; nodeId <= 100; nodeId++) one.take(member(nodeId));
    for (let nodeId = 100; nodeId >= 1; nodeId--) other.take(member(nodeId));
    expect([other.hash, other.bucketsOtherThan(one.hashes)]).toEqual([one.hash, 0]);
    other.take(member(40, { state: 'suspect' }));
    expect(other.hash).not.toBe(one.hash);
    expect(one.bucketsOtherThan(other.hashes)).toBe(1 << (40 % 32));
    expect(one.versionsIn(1 << 8).map(({ nodeId }) => nodeId)).toEqual([8, 40, 72]);
  });

  it('remembers of those who have gone the highest ids only', () => {
    const view = new MemberView();
    for (let nodeId = 2_000; nodeId >= 1; nodeId--) view.take(member(nodeId, { state: 'left' }));
    expect(view.size).toBe(memberLimits.goneMembers);
    expect(view.get(2_000 - memberLimits.goneMembers)).toBeUndefined();
    view.take(member(5_000, { state: 'removed' }));
    expect([view.size, view.get(1_001), view.get(1_002)?.record.state]).toEqual([1_000, undefined, 'left']);
  });

  it('takes no more members than the limit', () => {
    const view = new MemberView();
    for (let nodeId = 1; nodeId <= memberLimits.members + 5; nodeId++) view.take(member(nodeId));
    expect(view.size).toBe(memberLimits.members);
  });

  it('knows who holds a name, and forgets who has gone', () => {
    const view = new MemberView();
    view.take(member(1, { name: 'same' }));
    expect(view.holderOf('same', 2)?.nodeId).toBe(1);
    expect(view.holderOf('same', 1)).toBeUndefined();
    view.take(member(1, { name: 'same', state: 'down' }));
    expect(view.holderOf('same', 2)).toBeUndefined();
  });
});
