import { createSeededRandom } from '@shanghai/env';
import { createManualClock, type ManualClock } from '@shanghai/env/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MembershipEvent } from '../core/membership-event.js';
import { staticDiscovery } from '../ports/discovery.js';
import type { MembershipMemory, RememberedMembership } from '../ports/membership-memory.js';
import { createMemoryNetwork, type MemoryNetwork } from '../testing/memory-network.js';
import type { Membership, MembershipOptions } from './membership.js';
import { openMembership } from './open-membership.js';

let clock: ManualClock;
let network: MemoryNetwork;
let opened: Membership[] = [];
let events: string[] = [];

beforeEach(() => {
  clock = createManualClock();
  network = createMemoryNetwork({ clock, random: createSeededRandom(11) });
  opened = [];
  events = [];
});
afterEach(async () => {
  for (const one of opened) await one.close();
});

const addressOf = (nodeId: number) => `host:${nodeId}`;
const said = (by: number, event: MembershipEvent) =>
  `${by} ${event.type} ${'member' in event ? event.member.nodeId : ''}`.trim();

async function open(nodeId: number, more: Partial<MembershipOptions> = {}): Promise<Membership> {
  const membership = await openMembership({
    clusterId: 'c',
    self: { nodeId, name: `node-${nodeId}`, address: addressOf(nodeId), instanceId: `i${nodeId}` },
    transport: network.transport(nodeId, addressOf(nodeId)),
    clock,
    random: createSeededRandom(nodeId),
    discovery: staticDiscovery(nodeId === 1 ? [] : [addressOf(1)]),
    onEvent: (event) => events.push(said(nodeId, event)),
    ...more,
  });
  opened.push(membership);
  return membership;
}

async function openThree(): Promise<readonly [Membership, Membership, Membership]> {
  const three = [await open(1), await open(2), await open(3)] as const;
  await clock.advance(3_000);
  return three;
}

const statesSeenBy = (one: Membership) => one.members().map(({ nodeId, state }) => `${nodeId} ${state}`);

function memoryOf(kept?: RememberedMembership): MembershipMemory & { kept: RememberedMembership | undefined } {
  const memory = {
    kept,
    load: async () => memory.kept,
    save: async (remembered: RememberedMembership) => {
      memory.kept = remembered;
    },
  };
  return memory;
}

describe('an open membership', () => {
  it('finds the others through one address, and each is told of once', async () => {
    const three = await openThree();
    for (const one of three) expect(statesSeenBy(one)).toEqual(['1 up', '2 up', '3 up']);
    expect(new Set(three.map((one) => one.status().viewHash)).size).toBe(1);
    for (const nodeId of [2, 3]) {
      expect(events.filter((event) => event.startsWith('1 ') && event.endsWith(` ${nodeId}`))).toEqual([
        `1 joined ${nodeId}`,
        `1 up ${nodeId}`,
      ]);
    }
    expect(new Set(events).size).toBe(events.length);
  });

  it('is told that a crashed node is suspect and then down, once, and up when it comes back', async () => {
    const [, , third] = await openThree();
    events = [];
    await third.close();
    await clock.advance(20_000);
    expect(events.filter((event) => event.startsWith('1 '))).toEqual(['1 suspect 3', '1 down 3']);
    await open(3);
    await clock.advance(3_000);
    expect(events.filter((event) => event.startsWith('1 '))).toEqual([
      '1 suspect 3',
      '1 down 3',
      '1 joined 3',
      '1 up 3',
    ]);
  });

  it('alone is up and not isolated', async () => {
    const one = await open(1);
    await clock.advance(60_000);
    expect([one.self().state, one.status().isIsolated, events]).toEqual(['up', false, []]);
  });

  it('of two nodes sees the other one down by its own vote', async () => {
    const one = await open(1);
    const two = await open(2);
    await clock.advance(3_000);
    events = [];
    await two.close();
    await clock.advance(20_000);
    expect(events).toEqual(['1 suspect 2', '1 isolated', '1 down 2']);
    expect(statesSeenBy(one)).toEqual(['1 up', '2 down']);
  });

  it('that hears nobody says so, accuses nobody, and goes on when it hears somebody', async () => {
    const [first] = await openThree();
    events = [];
    for (const other of [2, 3]) {
      network.cut(1, other, true);
      network.cut(other, 1, true);
    }
    await clock.advance(60_000);
    expect(events.filter((event) => event.startsWith('1 '))).toEqual(['1 isolated']);
    expect(statesSeenBy(opened[1] as Membership)).toEqual(['1 down', '2 up', '3 up']);
    for (const other of [2, 3]) {
      network.cut(1, other, false);
      network.cut(other, 1, false);
    }
    await clock.advance(15_000);
    expect(events.filter((event) => event.startsWith('1 ')).slice(0, 3)).toEqual([
      '1 isolated',
      '1 reconnected',
      '1 refuted',
    ]);
    for (const one of opened) expect(statesSeenBy(one)).toEqual(['1 up', '2 up', '3 up']);
    expect(first.self().incarnation).toBeGreaterThan(clock.nowMs() - 200_000);
  });

  it('a broken link between two nodes alone makes nobody suspect', async () => {
    await openThree();
    events = [];
    network.cut(1, 2, true);
    network.cut(2, 1, true);
    await clock.advance(120_000);
    expect(events).toEqual([]);
  });

  it('says goodbye, and is not awaited', async () => {
    const [first, second] = await openThree();
    events = [];
    const left = second.leave();
    await clock.advance(2_000);
    await left;
    await clock.advance(30_000);
    expect(statesSeenBy(first)).toEqual(['1 up', '2 left', '3 up']);
    expect(events.filter((event) => event.startsWith('1 '))).toEqual(['1 leaving 2', '1 left 2']);
    expect(second.status().isClosed).toBe(true);
    await second.leave();
    expect(() => second.setTags({})).toThrow(/takes part no more/);
  });

  it('that dies while it leaves has left', async () => {
    const [first, second] = await openThree();
    void second.leave();
    await clock.advance(200);
    await second.close();
    await clock.advance(30_000);
    expect(statesSeenBy(first)).toEqual(['1 up', '2 left', '3 up']);
  });

  it('begins a higher incarnation than the one it remembers, and at the wall clock where it remembers none', async () => {
    const memory = memoryOf({ incarnation: 7, addresses: [addressOf(1)] });
    const first = await open(1);
    const second = await open(2, { memory, discovery: staticDiscovery([]) });
    expect([first.self().incarnation, second.self().incarnation]).toEqual([1_704_067_200_000, 8]);
    await clock.advance(3_000);
    expect(statesSeenBy(first)).toEqual(['1 up', '2 up']);
    expect(memory.kept).toEqual({ incarnation: 8, addresses: [addressOf(1)] });
  });

  it('keeps the incarnation under which it refuted before it matters', async () => {
    const memory = memoryOf();
    await open(1);
    const second = await open(2, { memory });
    await open(3);
    await clock.advance(3_000);
    const before = second.self().incarnation;
    for (const other of [1, 3]) network.cut(2, other, true);
    await clock.advance(20_000);
    for (const other of [1, 3]) network.cut(2, other, false);
    await clock.advance(20_000);
    expect(second.self().incarnation).toBeGreaterThan(before);
    expect(memory.kept?.incarnation).toBe(second.self().incarnation);
  });

  it('tells its tags to all, and other ones when they change', async () => {
    const first = await open(1, { tags: { zone: 'a' } });
    const second = await open(2);
    await clock.advance(3_000);
    expect(second.member(1)?.tags).toEqual({ zone: 'a' });
    first.setTags({ zone: 'b', disk: 'ssd' });
    await clock.advance(1_000);
    expect(second.member(1)?.tags).toEqual({ zone: 'b', disk: 'ssd' });
    expect(events.at(-1)).toBe('2 changed 1');
    expect(() => first.setTags({ key: 'v'.repeat(257) })).toThrow(/257 bytes; at most 256/);
  });

  it('of a name that is taken, or another cluster, is refused', async () => {
    await open(1);
    await open(2, { self: { nodeId: 2, name: 'node-1', address: addressOf(2), instanceId: 'i2' } });
    await open(3, { clusterId: 'other' });
    const refusals: MembershipEvent[] = [];
    await open(4, { clusterId: 'd', onEvent: (event) => refusals.push(event) });
    await clock.advance(900);
    expect(events.sort()).toEqual(['2 refused', '3 refused']);
    expect(refusals).toEqual([
      { type: 'refused', by: 1, reason: 'otherCluster', text: "this is cluster 'c', not 'd'; correct the address" },
    ]);
    expect(statesSeenBy(opened[0] as Membership)).toEqual(['1 up']);
  });

  it('that was removed hears of it and takes part no more, and cannot come back', async () => {
    const [first, , third] = await openThree();
    first.remove(3);
    await clock.advance(5_000);
    expect(events).toContain('3 expelled');
    expect(third.status().isClosed).toBe(true);
    events = [];
    await open(3);
    await clock.advance(20_000);
    expect(statesSeenBy(first)).toEqual(['1 up', '2 up', '3 removed']);
    expect(events).toContain('3 expelled');
  });

  it('with a double is superseded where its instance id is less', async () => {
    const [first, second, third] = await openThree();
    const double = await openMembership({
      clusterId: 'c',
      self: { nodeId: 3, name: 'node-3', address: 'elsewhere:3', instanceId: 'i3-copied' },
      transport: network.transport(3, 'elsewhere:3'),
      clock,
      random: createSeededRandom(99),
      discovery: staticDiscovery([addressOf(1)]),
      onEvent: (event) => events.push(said(33, event)),
    });
    opened.push(double);
    await clock.advance(240_000);
    expect(events.filter((event) => event.endsWith('superseded'))).toEqual(['3 superseded']);
    expect([third.status().isClosed, double.status().isClosed]).toEqual([true, false]);
    for (const one of [first, second]) expect(one.member(3)?.address).toBe('elsewhere:3');
  });

  it('waits for a name service that cannot answer, and is not the first then', async () => {
    await open(1);
    let isThere = false;
    const addresses = async () => {
      if (!isThere) throw new Error('no name service');
      return [addressOf(1)];
    };
    const second = await open(2, { discovery: { addresses } });
    await clock.advance(10_000);
    expect(second.self().state).toBe('joining');
    isThere = true;
    await clock.advance(3_000);
    expect(second.self().state).toBe('up');
  });

  it('tells fewer events where that is wanted', async () => {
    const coalesced: MembershipEvent[] = [];
    await open(1, { coalesce: { quietMs: 2_000, longestMs: 30_000 }, onEvent: (event) => coalesced.push(event) });
    const second = await open(2);
    await open(3);
    await clock.advance(5_000);
    expect(coalesced.map((event) => said(1, event)).sort()).toEqual(['1 up 2', '1 up 3']);
    coalesced.length = 0;
    await second.close();
    await open(2);
    await clock.advance(30_000);
    expect(coalesced.map((event) => said(1, event))).toEqual([]);
  });

  it('drops what it cannot read and says so', async () => {
    const unreadable: string[] = [];
    const first = await open(1, {
      listener: { unreadable: (from, error) => unreadable.push(`${from}: ${error.message}`) },
    });
    const stranger = network.transport(9, 'host:9');
    stranger.open({ onFrame: () => undefined });
    stranger.send({ nodeId: 1, address: addressOf(1) }, Uint8Array.of(2, 1, 1));
    await clock.advance(100);
    expect(unreadable).toEqual(['9: a frame of 3 bytes has 1 bytes too many, at byte 2']);
    expect(first.status().framesReceived).toBe(1);
    await stranger.close();
  });
});
