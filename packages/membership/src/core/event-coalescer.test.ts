import { describe, expect, it } from 'vitest';
import { EventCoalescer } from './event-coalescer.js';
import type { MemberState } from './member.js';
import type { MemberEvent } from './membership-event.js';

function event(type: MemberEvent['type'], before?: MemberState, nodeId = 1): MemberEvent {
  const state = type === 'joined' ? 'joining' : type;
  const said = { name: 'n', address: 'a:1', instanceId: 'i', tags: {} };
  return { type, member: { nodeId, incarnation: 1, state, ...said }, ...(before === undefined ? {} : { before }) };
}

const options = { quietMs: 1_000, longestMs: 5_000 };

describe('coalescing', () => {
  it('makes one event of what happens to a member within the window: where it ended', () => {
    const coalescer = new EventCoalescer(options);
    expect(coalescer.take(event('suspect', 'up'), 0)).toBeUndefined();
    expect(coalescer.take(event('down', 'suspect'), 500)).toBeUndefined();
    expect([coalescer.dueMs, coalescer.due(1_400)]).toEqual([1_500, []]);
    expect(coalescer.due(1_500)).toEqual([event('down', 'up')]);
    expect(coalescer.dueMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('tells nothing of a member that is as it was', () => {
    const coalescer = new EventCoalescer(options);
    coalescer.take(event('suspect', 'up'), 0);
    coalescer.take(event('up', 'suspect'), 800);
    expect(coalescer.due(1_800)).toEqual([]);
  });

  it('waits no longer than the longest time, however often it changes', () => {
    const coalescer = new EventCoalescer(options);
    for (let nowMs = 0; nowMs < 5_000; nowMs += 500) {
      coalescer.take(nowMs % 1_000 === 0 ? event('suspect', 'up') : event('up', 'suspect'), nowMs);
    }
    coalescer.take(event('suspect', 'up'), 4_900);
    expect(coalescer.due(5_000)).toEqual([event('suspect', 'up')]);
  });

  it('keeps members apart, and lets everything else pass', () => {
    const coalescer = new EventCoalescer(options);
    coalescer.take(event('down', 'up', 1), 0);
    coalescer.take(event('down', 'up', 2), 600);
    expect(coalescer.take({ type: 'isolated' }, 700)).toEqual({ type: 'isolated' });
    expect(coalescer.due(1_000)).toEqual([event('down', 'up', 1)]);
    expect(coalescer.due(1_600)).toEqual([event('down', 'up', 2)]);
  });

  it('is refused where the times do not fit', () => {
    expect(() => new EventCoalescer({ quietMs: 2, longestMs: 1 })).toThrow(RangeError);
  });
});
