/** One node's clock is wrong: what log time does then, and what nodes say of it. */
import type { Clock } from '@shanghai/env';
import { afterEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import { group, TestCluster } from './cluster-harness.js';
import { by, bytes, get, put, request } from './core-harness.js';

const hourMs = 3_600_000;
let cluster: TestCluster;

afterEach(async () => {
  await cluster.close();
});

/** Three nodes whose wall clocks can be set one by one, and the one that leads the data. */
async function threeWithClocks() {
  cluster = new TestCluster(3);
  const aheadMs = new Map<number, number>();
  const clockOf = (nodeId: number): Clock => ({
    nowMs: () => cluster.clock.nowMs() + (aheadMs.get(nodeId) ?? 0),
    monotonicMs: () => cluster.clock.monotonicMs(),
    setTimer: (delayMs, callback) => cluster.clock.setTimer(delayMs, callback),
    soon: (callback) => cluster.clock.soon(callback),
  });
  for (const nodeId of cluster.ids) await cluster.start(nodeId, { clock: clockOf(nodeId) });
  await cluster.until('somebody leads, and all clocks are known', () =>
    [...cluster.nodes.values()].every((node) => isKnown(node) && group(node, 1).leaderNodeId !== 0 && isMade(node)),
  );
  return { aheadMs, leaderId: cluster.leader(1) as number };
}

const isKnown = (node: ShanghaiNode) => node.status().clockPeersHeard === 2;
const isMade = (node: ShanghaiNode) => node.readiness().every(({ ok }) => ok);
const logTimes = () => [...cluster.nodes.values()].map((node) => group(node, 1).logTimeMs);
const alarms = () => [...cluster.nodes.values()].map((node) => node.status().clockAlarm);

/** Puts `x` under a key that lives for a while. */
async function putFor(node: ShanghaiNode, key: string, ttlMs: number): Promise<void> {
  const operations = [{ type: 'put' as const, key: bytes(key), value: bytes('x'), ttlMs }];
  await cluster.during(node.keyValue.write({ kind: 'independent', operations }, by(), request()));
}

test('a leader whose clock jumps an hour ahead ends no key and no session early, on no replica', async () => {
  const { aheadMs, leaderId } = await threeWithClocks();
  const leader = cluster.node(leaderId);
  const { value: session } = await cluster.during(leader.keyValue.openSession(60_000, request()));
  await putFor(leader, 'kept', 60_000);
  aheadMs.set(leaderId, hourMs);
  await put(leader, 'other', 'y');
  await cluster.clock.advance(30_000);
  await put(leader, 'other', 'z');
  for (const node of cluster.nodes.values()) expect(await cluster.during(get(node, 'kept'))).toBe('x');
  expect(Math.max(...logTimes())).toBeLessThanOrEqual(cluster.clock.nowMs());
  await put(leader, 'with a session', '1', { sessionId: session.sessionId, requestNumber: 1, retry: false });
  expect(leader.status()).toMatchObject({ clockAlarm: true, clockOffsetMs: expect.closeTo(hourMs, -2) });
  expect(alarms().filter(Boolean)).toHaveLength(1);
  // And time has not stood still: when it is over, it is over.
  await cluster.clock.advance(31_000);
  await put(leader, 'other', 'z');
  for (const node of cluster.nodes.values()) expect(await cluster.during(get(node, 'kept'))).toBeUndefined();
  aheadMs.set(leaderId, 0);
  await cluster.until('the clock is believed again', () => leader.status().clockAlarm === false);
});

test('a leader whose clock falls an hour behind keeps log time going', async () => {
  const { aheadMs, leaderId } = await threeWithClocks();
  const leader = cluster.node(leaderId);
  await putFor(leader, 'short', 10_000);
  aheadMs.set(leaderId, -hourMs);
  await cluster.clock.advance(11_000);
  await put(leader, 'other', 'y');
  for (const node of cluster.nodes.values()) expect(await cluster.during(get(node, 'short'))).toBeUndefined();
  expect(leader.status().clockAlarm).toBe(true);
});

test('who takes over with a wrong clock goes on with log time from where it was', async () => {
  const { aheadMs, leaderId } = await threeWithClocks();
  await putFor(cluster.node(leaderId), 'kept', 120_000);
  const next = cluster.ids.find((nodeId) => nodeId !== leaderId) as number;
  const third = cluster.ids.find((nodeId) => nodeId !== leaderId && nodeId !== next) as number;
  aheadMs.set(next, hourMs);
  await cluster.clock.advance(5_000);
  await cluster.stop(leaderId);
  await cluster.until('another one leads', () => [next, third].includes(cluster.leader(1) ?? 0));
  const leader = cluster.node(cluster.leader(1) as number);
  await cluster.during(put(leader, 'other', 'y'));
  expect(await cluster.during(get(leader, 'kept'))).toBe('x');
  expect(Math.max(...logTimes())).toBeLessThanOrEqual(cluster.clock.nowMs());
});
