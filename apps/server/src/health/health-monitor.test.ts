import { createManualClock, type ManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { GroupStatus, NodeStatus, ReadinessCheck } from '../node.js';
import type { NodeReport } from './core/cluster-sight.js';
import { HealthMonitor } from './health-monitor.js';
import type { HealthCalls } from './health-ports.js';

const group: GroupStatus = {
  groupId: 1,
  role: 'follower',
  leaderNodeId: 2,
  term: 1,
  commitIndex: 5,
  appliedIndex: 5,
  durableAppliedIndex: 5,
  firstIndex: 1,
  lastIndex: 5,
  revision: 1,
  logTimeMs: 0,
  sessions: 0,
  slots: 1,
};

const entry = (nodeId: number) => ({
  nodeId,
  name: `node-${nodeId}`,
  instanceId: `i${nodeId}`,
  grpcAddress: `node-${nodeId}:9090`,
  httpAddress: '',
  peerAddress: '',
});

const status = { nodeId: 1, startedAtMs: 0, groups: [group], nodes: [entry(1), entry(2)], heard: [], electionMs: 1000 };

/** A monitor of node 1 of two, which asks `answer`. */
function monitored(clock: ManualClock, answer: HealthCalls['ask']) {
  const checks: ReadinessCheck[] = [{ name: 'space', ok: true, detail: 'there is space' }];
  const told: string[] = [];
  const asked: string[] = [];
  const monitor = new HealthMonitor({
    node: { status: () => status as unknown as NodeStatus, readiness: () => checks, peerAddress: 'node-1:9190' },
    calls: {
      ask(address) {
        asked.push(address);
        return answer(address);
      },
      keepOnly: () => undefined,
      close: () => undefined,
    },
    clock,
    listener: {
      clusterChanged: ({ state, reasons }) => void told.push([state, ...reasons.map((one) => one.text)].join(', ')),
    },
  });
  return { monitor, checks, told, asked };
}

const well: Omit<NodeReport, 'ageMs'> = { nodeId: 2, instanceId: 'i2', groups: [], checks: [] };

test('a node that answers is up, one that stops answering is down some seconds later', async () => {
  const clock = createManualClock(10_000);
  let answers = true;
  const { monitor, asked } = monitored(clock, async () => {
    if (answers) return well;
    throw new Error('no answer');
  });
  monitor.start();
  await clock.advance(1000);
  const condition = () => monitor.cluster(status as unknown as NodeStatus).nodes.get(2);
  expect(condition()).toBe('up');
  answers = false;
  await clock.advance(2000);
  expect(condition()).toBe('up');
  await clock.advance(2000);
  expect(condition()).toBe('down');
  expect(new Set(asked)).toEqual(new Set(['node-2:9090']));
  monitor.stop();
  const count = asked.length;
  await clock.advance(5000);
  expect(asked).toHaveLength(count);
});

test('a question that is not answered is not asked twice', async () => {
  const clock = createManualClock(10_000);
  const { monitor, asked } = monitored(clock, () => new Promise(() => undefined));
  monitor.start();
  await clock.advance(10_000);
  expect(asked).toHaveLength(1);
  monitor.stop();
});

test('what another node answers at the address does not count', async () => {
  const clock = createManualClock(10_000);
  const { monitor } = monitored(clock, async () => ({ ...well, nodeId: 7 }));
  monitor.start();
  await clock.advance(1000);
  expect(monitor.reports()).toEqual([]);
  monitor.stop();
});

test('checks say since when they are as they are, and readiness is told when it changes', async () => {
  const clock = createManualClock(10_000);
  const { monitor, checks, told } = monitored(clock, async () => well);
  const ready: boolean[] = [];
  monitor.onReadiness((isReady) => void ready.push(isReady));
  monitor.start();
  await clock.advance(3_000);
  checks[0] = { name: 'space', ok: false, detail: 'the disk is full' };
  await clock.advance(3_000);
  expect(monitor.checks().find(({ name }) => name === 'space')).toMatchObject({ ok: false, sinceMs: 14_000 });
  expect(monitor.checks().find(({ name }) => name === 'peers')).toMatchObject({ ok: true, sinceMs: 10_000 });
  expect(ready).toEqual([true, false]);
  expect(told.at(-1)).toBe('degraded, node 1 (space): the disk is full');
  monitor.stop();
});
