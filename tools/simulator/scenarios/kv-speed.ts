/** How quick requests are that come one after the other, in virtual time: what they wait for, not what they cost. */
import { expect } from 'vitest';
import type { KvClerk } from './kv-clerk.js';
import type { KvCluster } from './kv-cluster.js';

/** What many appends took. */
export interface Speed {
  readonly appends: number;
  readonly elapsedMs: number;
  /** Between nodes. */
  readonly frames: number;
}

/**
 * Ways there and back from client to leader and from leader to followers of 1.1 ms on the average, and two syncs of 1 ms
 * each: about 6 ms. Who waits for a tick waits for 50.
 */
const mostMs = 10;
/** To two followers and back, in two kinds each, and the commit index now and then. */
const mostFrames = 12;

/** Appends to one key, and looks whether all of it is there. */
export async function appendMany(cluster: KvCluster, clerk: KvClerk, appends: number): Promise<Speed> {
  await cluster.through('a read', clerk.get('x'));
  const { nowMs } = cluster.world;
  const { carried } = cluster.network.counts;
  let expected = '';
  const all = async () => {
    for (let i = 0; i < appends; i++) {
      await clerk.append('x', `x 0 ${i} y`);
      expected += `x 0 ${i} y`;
    }
  };
  await cluster.through('the appends', all());
  const speed = { appends, elapsedMs: cluster.world.nowMs - nowMs, frames: cluster.network.counts.carried - carried };
  expect(await cluster.through('a read', clerk.get('x'))).toBe(expected);
  return speed;
}

/** No append has waited for a timer, or sent more than it needs. */
export function expectSpeed({ appends, elapsedMs, frames }: Speed): void {
  expect(elapsedMs / appends).toBeLessThan(mostMs);
  expect(frames / appends).toBeLessThan(mostFrames);
}
