import { expect, test } from 'vitest';
import type { NodeObservation } from '../doctor/core/observation.js';
import { createMemoryNode } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

const node = {
  nodeId: 1,
  name: 'node-1',
  instanceId: 'i1',
  grpcAddress: '10.0.0.1:9090',
  httpAddress: '',
  peerAddress: '',
  state: 'up',
  membership: 'member',
};

const well: NodeObservation = {
  node,
  clock: { offsetMs: 5, uncertaintyMs: 0.5 },
  diagnostics: {
    nodeId: 1,
    clusterId: 'c1',
    instanceId: 'i1',
    version: '1.0.0',
    runtimeVersion: 'v24.0.0',
    uptimeMs: 1000,
    state: 'healthy',
    reasons: [],
    checks: [],
    walSync: { count: 50, p50Ms: 0.4, p99Ms: 3, maxMs: 4 },
    fileSystem: { type: 'ext4', totalBytes: 100, availableBytes: 50 },
    process: { openFiles: 1, maxOpenFiles: 9999, residentBytes: 1, heapBytes: 1, maxHeapBytes: 9, eventLoopP99Ms: 1 },
    groups: [],
    diskStalls: 0,
    waitingMs: 0,
    durability: 'always',
    clusterVersion: 1,
    clock: { offsetMs: undefined, alarm: false },
  },
};

const run = (observations: readonly NodeObservation[], ...flags: readonly string[]) =>
  runCommand(['doctor', ...flags], { node: { ...createMemoryNode(), observations } });

test('a cluster that is well has a line a node and exit code 0', async () => {
  const { code, stdout } = await run([well]);
  expect(code).toBe(0);
  expect(stdout).toBe(
    'Node 1    ready · version 1.0.0 · sync 0.4 ms p50, 3.0 ms p99 · disk ext4 50 % free · clock +0.0 ms ± 0.5 ms\n' +
      'Findings  none\n',
  );
});

test('what is wrong is told with why and what to do, and the worst decides the exit code', async () => {
  const stalled = { ...well, diagnostics: { ...well.diagnostics, diskStalls: 3 } } as NodeObservation;
  const warned = await run([stalled]);
  expect(warned).toMatchObject({ code: 21, stderr: 'shanghaictl: 1 warning found (WARNINGS_FOUND)\n' });
  expect(warned.stdout).toMatch(/^warning DISK_STALLED_BEFORE\n {2}what .* 3 times .*\n {2}why .*\n {2}do .*iostat/m);
  const gone = { node: { ...node, nodeId: 2 }, problem: 'connection refused' };
  const failed = await run([stalled, gone], '--output', 'json');
  expect(failed.code).toBe(22);
  expect(JSON.parse(failed.stdout)).toMatchObject({
    nodes: [
      { nodeId: 1, isAnswering: true },
      { nodeId: 2, isAnswering: false, problem: 'connection refused' },
    ],
    findings: [{ severity: 'error', code: 'NODE_UNREACHABLE', nodeId: 2 }, { code: 'DISK_STALLED_BEFORE' }],
  });
});
