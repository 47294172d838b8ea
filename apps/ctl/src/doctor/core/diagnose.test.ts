import { describe, expect, test } from 'vitest';
import type { GroupState } from '../../connection.js';
import { diagnose } from './diagnose.js';
import { worstOf } from './finding.js';
import type { NodeObservation, ObservedDiagnostics } from './observation.js';

const checkNames = ['accepting', 'storage', 'space', 'disk', 'cluster', 'leader', 'applied', 'peers', 'clock'];
const checks = checkNames.map((name) => ({ name, ok: true, detail: 'well', sinceMs: 1 }));
const failing = (name: string) => ({
  checks: checks.map((check) => (check.name === name ? { ...check, ok: false, detail: 'it is not' } : check)),
});

/** A copy of group 1 of voters 1, 2, 3, led by node 1. */
function copy(nodeId: number, more: Partial<GroupState> = {}): GroupState {
  const member = (id: number) => ({
    nodeId: id,
    matchIndex: 10,
    state: 'replicate',
    isLearner: false,
    isActive: true,
    snapshotSent: undefined,
  });
  return {
    groupId: 1,
    role: nodeId === 1 ? 'leader' : 'follower',
    leaderNodeId: 1,
    term: 4,
    commitIndex: 10,
    appliedIndex: 10,
    durableAppliedIndex: 10,
    firstIndex: 1,
    lastIndex: 10,
    state: 'open',
    isLearner: false,
    isAsleep: false,
    leaderHeardMsAgo: 10,
    configuration: { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [] },
    replicas: nodeId === 1 ? [member(2), member(3)] : [],
    ...more,
  };
}

/** A node that is well, but for what is given. */
function observed(nodeId: number, more: Partial<ObservedDiagnostics> = {}): NodeObservation {
  const node = {
    nodeId,
    name: `node-${nodeId}`,
    instanceId: `i${nodeId}`,
    grpcAddress: `10.0.0.${nodeId}:9090`,
    httpAddress: '',
    peerAddress: '',
    state: 'up',
    membership: 'member',
    highestClusterVersion: 2,
  };
  const diagnostics: ObservedDiagnostics = {
    nodeId,
    clusterId: 'c1',
    instanceId: `i${nodeId}`,
    version: '1.0.0',
    runtimeVersion: 'v24.0.0',
    uptimeMs: 100_000,
    state: 'healthy',
    reasons: [],
    checks,
    walSync: { count: 100, p50Ms: 0.4, p99Ms: 3, maxMs: 9 },
    fileSystem: { type: 'ext4', totalBytes: 100 * 2 ** 30, availableBytes: 60 * 2 ** 30 },
    process: {
      openFiles: 60,
      maxOpenFiles: 65_536,
      residentBytes: 1,
      heapBytes: 50,
      maxHeapBytes: 1000,
      eventLoopP99Ms: 2,
    },
    groups: [copy(nodeId)],
    diskStalls: 0,
    waitingMs: 0,
    durability: 'always',
    clusterVersion: 2,
    clock: { offsetMs: undefined, alarm: false },
    ...more,
  };
  return { node, diagnostics, clock: { offsetMs: 3, uncertaintyMs: 1 } };
}

const limits = observed(1).diagnostics?.process as ObservedDiagnostics['process'];

/** Three nodes, of which node 2 is as given. */
function threeWith(more: Partial<ObservedDiagnostics>): readonly NodeObservation[] {
  return [observed(1), observed(2, more), observed(3)];
}

const found = (nodes: readonly NodeObservation[]) =>
  diagnose(nodes).map(({ severity, code, nodeId, groupId }) => [severity, code, nodeId ?? 0, groupId ?? 0]);

test('nothing is found where nothing is wrong, with three nodes and with one', () => {
  expect(diagnose(threeWith({}))).toEqual([]);
  const alone = copy(1, {
    configuration: { voters: [1], votersOutgoing: [], learners: [], learnersNext: [] },
    replicas: [],
  });
  expect(diagnose([observed(1, { groups: [alone] })])).toEqual([]);
});

describe('of one node', () => {
  test.each<[string, Partial<ObservedDiagnostics>, string, string]>([
    ['a node that stops', failing('accepting'), 'warning', 'NODE_STOPPING'],
    ['storage that failed', failing('storage'), 'error', 'STORAGE_FAILED'],
    ['a full disk', failing('space'), 'error', 'DISK_FULL'],
    ['a silent disk', failing('disk'), 'error', 'DISK_STALLED'],
    ['a cluster that is not made', failing('cluster'), 'error', 'CLUSTER_NOT_MADE'],
    ['a replica that is behind', failing('applied'), 'warning', 'REPLICA_LAGGING'],
    ['no listener for peers', failing('peers'), 'error', 'NO_PEER_LISTENER'],
    ['a clock alarm', failing('clock'), 'error', 'CLOCK_WRONG'],
    ['slow syncs', { walSync: { count: 100, p50Ms: 9, p99Ms: 100, maxMs: 200 } }, 'warning', 'DISK_SLOW'],
    ['very slow syncs', { walSync: { count: 100, p50Ms: 90, p99Ms: 500, maxMs: 900 } }, 'error', 'DISK_SLOW'],
    ['stalls before', { diskStalls: 2 }, 'warning', 'DISK_STALLED_BEFORE'],
    [
      'memory as a disk',
      { fileSystem: { type: 'tmpfs', totalBytes: 10, availableBytes: 9 } },
      'error',
      'DISK_VOLATILE',
    ],
    ['a network disk', { fileSystem: { type: 'nfs', totalBytes: 10, availableBytes: 9 } }, 'warning', 'DISK_REMOTE'],
    [
      'a container layer',
      { fileSystem: { type: 'overlayfs', totalBytes: 10, availableBytes: 9 } },
      'warning',
      'DISK_OF_CONTAINER',
    ],
    [
      'little space',
      { fileSystem: { type: 'xfs', totalBytes: 1000, availableBytes: 99 } },
      'warning',
      'DISK_NEARLY_FULL',
    ],
    [
      'hardly any space',
      { fileSystem: { type: 'xfs', totalBytes: 1000, availableBytes: 29 } },
      'error',
      'DISK_NEARLY_FULL',
    ],
    ['a low limit of files', { process: { ...limits, maxOpenFiles: 1024 } }, 'warning', 'FEW_OPEN_FILES'],
    ['a limit of files that is near', { process: { ...limits, openFiles: 60_000 } }, 'error', 'FEW_OPEN_FILES'],
    ['a heap that is nearly full', { process: { ...limits, heapBytes: 901 } }, 'warning', 'MEMORY_NEARLY_FULL'],
    ['a late event loop', { process: { ...limits, eventLoopP99Ms: 100 } }, 'warning', 'PROCESS_LATE'],
    ['no syncs', { durability: 'never' }, 'info', 'NOT_SYNCED'],
    ['another instance', { instanceId: 'x' }, 'error', 'INSTANCE_DIFFERS'],
  ])('%s is found', (_, more, severity, code) => {
    expect(found(threeWith(more))).toEqual([[severity, code, 2, 0]]);
  });

  test.each<[string, Partial<ObservedDiagnostics>]>([
    ['a few slow syncs', { walSync: { count: 19, p50Ms: 90, p99Ms: 900, maxMs: 900 } }],
    [
      'what is not known',
      {
        fileSystem: { type: '', totalBytes: 0, availableBytes: 0 },
        process: { ...limits, maxOpenFiles: 0, openFiles: 0 },
      },
    ],
    ['no leader, which is said of the group', failing('leader')],
  ])('%s is not', (_, more) => {
    expect(found(threeWith(more))).toEqual([]);
  });

  test('a node that does not answer is found once, and so is one that never came', () => {
    const silent = { ...observed(3), diagnostics: undefined, clock: undefined };
    const { diagnostics, clock, ...gone } = { ...silent, problem: 'connection refused' };
    const reserved = { node: { ...gone.node, nodeId: 4, instanceId: '' } };
    const inactive = copy(1, { replicas: copy(1).replicas.map((one) => ({ ...one, isActive: one.nodeId !== 3 })) });
    const nodes = [observed(1, { groups: [inactive] }), observed(2), gone, reserved];
    expect(found(nodes)).toEqual([
      ['error', 'NODE_UNREACHABLE', 3, 0],
      ['warning', 'NODE_NEVER_CAME', 4, 0],
    ]);
    expect(diagnose(nodes)[0]).toMatchObject({ todo: expect.stringContaining('shanghaictl node replace 3') });
    expect(diagnostics ?? clock).toBeUndefined();
  });
});

describe('of clocks', () => {
  const withOffsets = (...offsetsMs: readonly number[]) =>
    offsetsMs.map((offsetMs, i) => ({ ...observed(i + 1), clock: { offsetMs, uncertaintyMs: 100 } }));

  test('one that differs from the others by more than half a second is found, by more than ten it is wrong', () => {
    expect(found(withOffsets(0, 0, 600))).toEqual([]);
    expect(found(withOffsets(0, 0, 601))).toEqual([['warning', 'CLOCK_OFFSET', 3, 0]]);
    expect(found(withOffsets(0, -10_101, 0))).toEqual([['error', 'CLOCK_OFFSET', 2, 0]]);
  });

  test('that of the machine which asks does not matter', () => {
    expect(found(withOffsets(90_000, 90_010, 90_020))).toEqual([]);
  });
});

describe('of groups', () => {
  test('no leader is an error, unless it may be one that did not answer', () => {
    const orphan = (leaderNodeId: number) => copy(2, { leaderNodeId });
    expect(found([observed(2, { groups: [orphan(0)] })])).toEqual([['error', 'GROUP_WITHOUT_LEADER', 0, 1]]);
    expect(found([observed(2, { groups: [orphan(9)] })])).toEqual([['warning', 'GROUP_WITHOUT_LEADER', 0, 1]]);
  });

  const voters = (now: readonly number[], outgoing: readonly number[] = []) => ({
    groups: [
      copy(1, {
        configuration: { voters: now, votersOutgoing: outgoing, learners: [], learnersNext: [] },
        replicas: [],
      }),
    ],
  });
  test.each([
    ['two voters', voters([1, 2]), 'warning', 'FEW_VOTERS'],
    ['four voters', voters([1, 2, 3, 4]), 'info', 'EVEN_VOTERS'],
    ['a change of voters', voters([1, 2, 4], [1, 2, 3]), 'info', 'GROUP_CHANGING'],
  ])('%s are found', (_, more, severity, code) => {
    expect(found([observed(1, more), observed(2), observed(3)])).toEqual([[severity, code, 0, 1]]);
  });

  const members = (change: object, more: Partial<GroupState> = {}) => ({
    groups: [
      copy(1, { ...more, replicas: copy(1).replicas.map((one) => (one.nodeId === 3 ? { ...one, ...change } : one)) }),
    ],
  });
  test.each([
    ['a member that the leader does not hear', members({ isActive: false }), 'error', 'MEMBER_NOT_HEARD'],
    ['a member that gets a snapshot', members({ state: 'snapshot', snapshotSent: 0.5 }), 'warning', 'MEMBER_BEHIND'],
    ['a member far behind', members({}, { commitIndex: 20_000 }), 'warning', 'MEMBER_BEHIND'],
    ['a group that rests and should not', members({ matchIndex: 9 }, { isAsleep: true }), 'error', 'ASLEEP_BEHIND'],
  ])('%s is found', (_, more, severity, code) => {
    expect(found([observed(1, more), observed(2), observed(3)])).toContainEqual([severity, code, 3, 1]);
  });

  test.each<[string, Partial<GroupState>, string, string]>([
    ['failed', { state: 'failed' }, 'error', 'REPLICA_FAILED'],
    ['led by somebody else', { leaderNodeId: 3, term: 3 }, 'warning', 'LEADER_DISPUTED'],
  ])('a copy that is %s is found', (_, more, severity, code) => {
    expect(found(threeWith({ groups: [copy(2, more)] }))).toEqual([[severity, code, 2, 1]]);
  });

  test('a copy that has much to apply is found', () => {
    const leading = observed(1, { groups: [copy(1, { commitIndex: 10_011, appliedIndex: 10_011, replicas: [] })] });
    expect(found([leading, observed(2)])).toEqual([['warning', 'REPLICA_LAGGING', 2, 1]]);
  });
});

describe('between nodes', () => {
  test('different versions, other clusters and a cluster version that is behind are found', () => {
    expect(found(threeWith({ version: '1.1.0' }))).toEqual([['warning', 'VERSIONS_MIXED', 0, 0]]);
    expect(found(threeWith({ clusterId: 'c2' }))).toEqual([['error', 'CLUSTERS_MIXED', 0, 0]]);
    const behind = [1, 2, 3].map((nodeId) => observed(nodeId, { clusterVersion: 1 }));
    expect(found(behind)).toEqual([['info', 'CLUSTER_VERSION_BEHIND', 0, 0]]);
  });
});

test('the worst is told first, and decides', () => {
  const nodes = threeWith({ ...failing('space'), durability: 'never', diskStalls: 1 });
  expect(diagnose(nodes).map(({ severity }) => severity)).toEqual(['error', 'warning', 'info']);
  expect(worstOf(diagnose(nodes))).toBe('error');
  expect(worstOf([])).toBeUndefined();
});
