import { createSeededRandom } from '@shanghai/env';
import { describe, expect, it } from 'vitest';
import type { Member } from './member.js';
import { MembershipCore, type MembershipInput } from './membership-core.js';
import { defaultMembershipSettings as settings } from './membership-options.js';
import type { Message } from './message.js';

type Without<T> = T extends unknown ? Omit<T, 'nowMs'> : never;

function member(nodeId: number, more: Partial<Member> = {}): Member {
  const said = { name: `n${nodeId}`, address: `h:${nodeId}`, instanceId: `i${nodeId}`, tags: {} };
  return { nodeId, incarnation: 1, state: 'up', ...said, ...more };
}

/** Node 1 of several, alone with what it is handed; what it sends is kept. */
class Lone {
  readonly core: MembershipCore;
  readonly sent: { readonly to: readonly number[]; readonly message: Message }[] = [];
  readonly told: string[] = [];
  nowMs = 0;

  constructor(nodes: number) {
    const { state: _, ...self } = member(1);
    this.core = new MembershipCore({ clusterId: 'c', self, settings, random: createSeededRandom(nodes) });
    this.step({ type: 'start', seeds: [] });
    const records = Array.from({ length: nodes - 1 }, (_one, i) => member(i + 2));
    this.step({ type: 'receive', from: 2, message: { type: 'gossip', records } });
  }

  step(input: Without<MembershipInput>): void {
    for (const effect of this.core.step({ ...input, nowMs: this.nowMs } as MembershipInput)) {
      if (effect.type === 'send') {
        this.sent.push({ to: effect.to.map(({ nodeId }) => nodeId), message: effect.message });
      } else if (effect.type === 'tell') {
        const { event } = effect;
        this.told.push('member' in event ? `${event.type} ${event.member.nodeId}` : event.type);
      }
    }
  }

  hear(from: number, message: Message = { type: 'heartbeat', incarnation: 1, viewHash: 0 }): void {
    this.step({ type: 'receive', from, message });
  }

  /** Lets time pass in steps of a tenth of a second, hearing from some all the time. */
  pass(ms: number, hearing: readonly number[], answer?: (sent: Message) => Message | undefined): void {
    for (let i = 0; i < ms / 100; i++) {
      this.nowMs += 100;
      const before = this.sent.length;
      this.step({ type: 'tick', delayMs: 0 });
      for (const from of hearing) this.hear(from);
      for (const { to, message } of this.sent.slice(before)) {
        const reply = answer?.(message);
        for (const nodeId of to) if (reply !== undefined && hearing.includes(nodeId)) this.hear(nodeId, reply);
      }
    }
  }

  count(type: Message['type']): number {
    return this.sent.filter(({ message }) => message.type === type).length;
  }

  state(nodeId: number): string | undefined {
    return this.core.view.get(nodeId)?.record.state;
  }
}

/** A helper that reaches nobody. */
const nack = (sent: Message): Message | undefined =>
  sent.type === 'ask' ? { type: 'nack', number: sent.number, subject: sent.subject } : undefined;
const accuse = (incarnation: number): Message => ({ type: 'accuse', subject: 4, incarnation });

describe('an observer', () => {
  it('pings after 6.5 s of silence, asks others a second later, and does nothing before', () => {
    const node = new Lone(4);
    node.pass(6_400, [2, 3]);
    expect([node.count('ping'), node.count('ask')]).toEqual([0, 0]);
    node.pass(200, [2, 3]);
    expect([node.count('ping'), node.count('ask')]).toEqual([1, 0]);
    node.pass(1_000, [2, 3]);
    expect([node.count('ping'), node.count('ask')]).toEqual([2, 1]);
    const asked = node.sent.find(({ message }) => message.type === 'ask');
    expect([...(asked?.to ?? [])].sort()).toEqual([2, 3]);
  });

  it('votes only when somebody else says that it cannot reach the node either', () => {
    const node = new Lone(4);
    node.pass(30_000, [2, 3]);
    expect([node.count('accuse'), node.told.includes('suspect 4'), node.state(4)]).toEqual([0, false, 'up']);
    node.pass(2_000, [2, 3], nack);
    expect(node.count('accuse')).toBeGreaterThan(0);
  });

  it('makes a node suspect with the vote of another observer, and down later', () => {
    const node = new Lone(4);
    node.pass(12_000, [2, 3], nack);
    expect([node.count('accuse') > 0, node.state(4)]).toEqual([true, 'up']);
    node.hear(2, accuse(1));
    expect(node.state(4)).toBe('suspect');
    node.pass(2_500, [2, 3], nack);
    expect(node.state(4)).toBe('suspect');
    node.pass(1_000, [2, 3], nack);
    expect([node.state(4), node.told.slice(-2)]).toEqual(['down', ['suspect 4', 'down 4']]);
  });

  it('does not count votes on an earlier incarnation, nor on one that was refuted meanwhile', () => {
    const node = new Lone(4);
    node.pass(12_000, [2, 3], nack);
    node.hear(2, accuse(0));
    expect(node.state(4)).toBe('up');
    node.hear(2, { type: 'gossip', records: [member(4, { incarnation: 2 })] });
    node.hear(3, accuse(1));
    expect(node.state(4)).toBe('up');
    node.pass(1_100, [2, 3], nack);
    expect(node.state(4)).toBe('up');
    node.hear(3, accuse(2));
    expect(node.state(4)).toBe('suspect');
  });

  it('takes its vote back when it hears from the node', () => {
    const node = new Lone(4);
    node.pass(12_000, [2, 3], nack);
    node.hear(4);
    node.hear(2, accuse(1));
    node.hear(3, accuse(1));
    node.pass(3_000, [2, 3], nack);
    expect(node.state(4)).toBe('up');
  });

  it('counts an answer that somebody else got from the node as heard when the question went out', () => {
    const node = new Lone(4);
    const ack = (sent: Message): Message | undefined =>
      sent.type === 'ask' ? { type: 'ack', number: sent.number, subject: sent.subject } : undefined;
    node.pass(60_000, [2, 3], ack);
    expect([node.count('accuse'), node.state(4)]).toEqual([0, 'up']);
    const heardMs = node.core.view.get(4)?.heardMs ?? 0;
    expect(node.nowMs - heardMs).toBeLessThan(8_000);
    node.hear(2, { type: 'ack', number: 1, subject: 4 });
    expect(node.core.view.get(4)?.heardMs).toBe(heardMs);
  });

  it('that was held up waits so much longer, asks anew before it accuses, and says so', () => {
    const node = new Lone(4);
    node.pass(5_000, [2, 3, 4], nack);
    node.nowMs += 20_000;
    node.step({ type: 'tick', delayMs: 20_000 });
    expect(node.told).toContain('stalled');
    node.hear(2, accuse(1));
    node.hear(3, accuse(1));
    expect([node.count('accuse'), node.count('ping'), node.state(4)]).toEqual([0, 0, 'up']);
    node.pass(6_000, [2, 3], nack);
    expect(node.count('ping')).toBe(0);
    node.pass(6_000, [2, 3], nack);
    node.hear(2, accuse(1));
    expect(node.state(4)).toBe('suspect');
  });

  it('pings a node for another one, and tells what came of it; but not of what it may have missed', () => {
    const node = new Lone(4);
    const answers = () =>
      node.sent.flatMap(({ message }) => (message.type === 'nack' || message.type === 'ack' ? [message] : []));
    const pingsTo4 = () =>
      node.sent.flatMap(({ to, message }) => (message.type === 'ping' && to[0] === 4 ? [message.number] : []));
    node.hear(2, { type: 'ask', number: 77, subject: 4 });
    node.hear(4, { type: 'ack', number: pingsTo4()[0] ?? 0, subject: 4 });
    node.hear(2, { type: 'ask', number: 78, subject: 4 });
    node.pass(700, [2, 3]);
    expect(answers()).toEqual([{ type: 'ack', number: 77, subject: 4 }]);
    node.pass(200, [2, 3]);
    expect(answers().slice(1)).toEqual([{ type: 'nack', number: 78, subject: 4 }]);
    node.hear(2, { type: 'ask', number: 79, subject: 4 });
    node.nowMs += 2_000;
    node.step({ type: 'tick', delayMs: 2_000 });
    node.pass(2_000, [2, 3]);
    node.hear(2, { type: 'ask', number: 80, subject: 9 });
    node.pass(2_000, [2, 3]);
    expect(answers()).toHaveLength(2);
  });

  it('tells who it holds for dead, and who speaks all the same, how it is seen; once a second', () => {
    const node = new Lone(4);
    node.hear(2, { type: 'gossip', records: [member(4, { state: 'down' })] });
    node.hear(4);
    node.hear(4);
    const told = () => node.sent.filter(({ to, message }) => message.type === 'records' && to[0] === 4);
    expect(told()).toHaveLength(1);
    expect(told()[0]?.message).toMatchObject({ records: [{ nodeId: 4, state: 'down' }] });
    node.pass(1_100, [2, 3]);
    node.hear(4);
    expect(told()).toHaveLength(2);
  });

  it('observes ten of many, and those only', () => {
    const node = new Lone(40);
    node.pass(100, []);
    expect(node.core.observed).toHaveLength(10);
    const heartbeats = () => node.sent.filter(({ message }) => message.type === 'heartbeat');
    node.pass(5_000, []);
    expect(heartbeats().map(({ to }) => to.length)).toEqual([10]);
    expect(heartbeats()[0]?.to).toEqual(node.core.view.ring.after(1, 10));
  });

  it('lets one that is leaving and falls silent have left', () => {
    const node = new Lone(3);
    node.hear(2, { type: 'gossip', records: [member(3, { state: 'leaving' })] });
    node.pass(12_000, [2], nack);
    node.hear(2, { type: 'accuse', subject: 3, incarnation: 1 });
    expect(node.state(3)).toBe('left');
  });
});
