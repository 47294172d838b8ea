/** A cluster whose nodes go from one program to the next, one after the other. */
import { expect } from 'vitest';
import type { Machine } from '../cluster/machine.js';
import type { ServerProcess } from '../cluster/server-process.js';
import { KvCluster } from './kv-cluster.js';
import { scenario } from './kv-scenario.js';

const before = { lowest: 1, highest: 1 };
const after = { lowest: 1, highest: 2 };
const clerks = 3;
/** Between a clerk's requests. */
const pauseMs = 25;
const drainMs = 1000;

const versionAt = ({ process }: Machine<ServerProcess>) => process?.node.status().clusterVersion;
const isReady = ({ process }: Machine<ServerProcess>) => process?.node.readiness().every(({ ok }) => ok) === true;

scenario('a rolling upgrade fails no request, and the cluster version rises after the last node', async (seeded) => {
  const isOld = new Set([1, 2, 3]);
  const versionsOf = (nodeId: number) => (isOld.has(nodeId) ? before : after);
  const cluster = new KvCluster({ ...seeded, nodes: 3, versionsOf });
  await cluster.run(async () => {
    let isOver = false;
    let requests = 0;
    const work = Array.from({ length: clerks }, async (_, i) => {
      const clerk = cluster.clerk();
      for (let n = 0; !isOver; n++) {
        await clerk.append(`key-${i % 2}`, `${i}.${n} `);
        await clerk.get(`key-${i % 2}`);
        requests += 2;
        await new Promise<void>((resolve) => cluster.world.queue.after(pauseMs, resolve));
      }
    });
    for (const machine of cluster.machines) {
      await cluster.pass(250);
      expect(cluster.machines.map(versionAt)).toEqual([1, 1, 1]);
      isOld.delete(machine.id);
      const { process } = machine;
      await cluster.through('the node closes', process?.node.close(drainMs) as Promise<void>);
      machine.shutDown();
      await cluster.until('it is back', () => machine.process !== process && cluster.machines.every(isReady));
    }
    await cluster.until('all know the new version', () => cluster.machines.every((one) => versionAt(one) === 2));
    await cluster.pass(250);
    isOver = true;
    await cluster.through('the clerks', Promise.all(work));
    expect(requests).toBeGreaterThan(100);
    expect(cluster.checkHistory()).toBeGreaterThanOrEqual(requests);
    expect(await cluster.checkAgreement()).toBe(6);
  });
});
