import { describe, expect, test } from 'vitest';
import type { ClusterEntry } from '../apply/catalogue.js';
import type { NodeEntry } from '../apply/catalogue-command.js';
import type { LogSettings } from '../logs/log-requests.js';
import { lowestProtocol, supportedVersions, supports, versionOfChange, versionToRaiseTo } from './cluster-version.js';
import { requireJoinable, requireSupported, requireVersion, requireVersionFor } from './version-gate.js';

const node = (nodeId: number, highest: number, more: Partial<NodeEntry> = {}): NodeEntry => ({
  nodeId,
  name: `node-${nodeId}`,
  instanceId: `i${nodeId}`,
  grpcAddress: '',
  httpAddress: '',
  peerAddress: '',
  ...(highest === 1 ? {} : { versions: { program: `0.${highest}.0`, lowest: 1, highest } }),
  ...more,
});
const cluster = (clusterVersion: number) => ({ clusterVersion }) as ClusterEntry;
const catalogue = (clusterVersion: number, ...nodes: NodeEntry[]) => ({ cluster: cluster(clusterVersion), nodes });
const two = { lowest: 1, highest: 2 };

describe('the version a cluster is raised to', () => {
  test('is the next one, when all nodes support it, and one step at a time', () => {
    expect(versionToRaiseTo(catalogue(1, node(1, 2), node(2, 2)), [1, 2], two)).toBe(2);
    expect(versionToRaiseTo(catalogue(1, node(1, 4), node(2, 3)), [1, 2], { lowest: 1, highest: 4 })).toBe(2);
    expect(versionToRaiseTo(catalogue(2, node(1, 2), node(2, 2)), [1, 2], two)).toBeUndefined();
  });

  test('waits for nodes that do not support it, have not said, or are in a group and not in the table', () => {
    expect(versionToRaiseTo(catalogue(1, node(1, 2), node(2, 1)), [1, 2], two)).toBeUndefined();
    expect(versionToRaiseTo(catalogue(1, node(1, 2)), [1, 2], two)).toBeUndefined();
    const later = node(2, 2, { versions: { program: '9.0.0', lowest: 3, highest: 4 } });
    expect(versionToRaiseTo(catalogue(1, node(1, 2), later), [1, 2], two)).toBeUndefined();
    expect(versionToRaiseTo({ cluster: undefined, nodes: [] }, [], two)).toBeUndefined();
  });

  test('does not wait for a node that leaves, nor for an id that is only set aside', () => {
    const leaves = node(2, 1, { state: 'leaving' });
    const setAside = node(3, 1, { instanceId: '', state: 'joining' });
    expect(versionToRaiseTo(catalogue(1, node(1, 2), leaves, setAside), [1, 2], two)).toBe(2);
  });
});

describe('a change that came in a later version', () => {
  const join = { type: 'joinNode', nodeId: 0, name: '', instanceId: 'x', peerAddress: '', reservation: '' } as const;

  test('is refused until the cluster works in that version, and the refusal names who is to be upgraded', () => {
    const mixed = catalogue(1, node(1, 2), node(2, 1), node(3, 1));
    expect(() => requireVersionFor(join, mixed)).toThrow(
      expect.objectContaining({
        code: 'UNSUPPORTED',
        message: expect.stringMatching(/works in 0\.1; nothing was done; upgrade node 2 \(first release\), node 3/),
        details: { clusterVersion: 1, neededClusterVersion: 2, nodes: [2, 3] },
      }),
    );
    expect(() => requireVersionFor(join, catalogue(2, node(1, 2)))).not.toThrow();
    expect(() => requireVersionFor({ type: 'createKeyspace', name: 'k' }, mixed)).not.toThrow();
  });

  test('may take out the one node that is in its own way', () => {
    const leave = (nodeId: number) => ({ type: 'leaveNode', nodeId, force: true }) as const;
    const oneOld = catalogue(1, node(1, 2), node(2, 2), node(3, 1));
    expect(() => requireVersionFor(leave(3), oneOld)).not.toThrow();
    expect(() => requireVersionFor(leave(2), oneOld)).toThrow(/upgrade node 3/);
    const placed = { type: 'placeNode', nodeId: 3, groupId: 1, isIn: false } as const;
    expect(() => requireVersionFor(placed, oneOld)).not.toThrow();
  });
});

test('a program outside the range of the cluster neither joins nor starts, and is told what to do', () => {
  expect(() => requireJoinable(two, 2)).not.toThrow();
  expect(() => requireJoinable(two, 9)).toThrow(
    /works in version number 9, this program supports 0\.1 to 0\.2; start a newer/,
  );
  expect(() => requireJoinable({ lowest: 3, highest: 4 }, 2)).toThrow(/start a program between the two first/);
  expect(() => requireSupported('/d', 2, two)).not.toThrow();
  expect(() => requireSupported('/d', 3, two)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_FORMAT' }));
});

test('programs of the first release are known by the protocol they speak, once the cluster needs more', () => {
  expect([undefined, 1, 2, 9].map((version) => lowestProtocol(version))).toEqual([1, 1, 2, 2]);
  expect(supports({}, 1)).toBe(true);
  expect(supports({}, 2)).toBe(false);
  expect(supportedVersions.lowest).toBe(1);
});

test('logs that an older program would not keep as they are meant need the version in which they came', () => {
  const settings = { mode: 'quorum', acknowledgement: 'quorum', retentionMs: 0, retentionBytes: 0 } as const;
  const create = (more: Partial<LogSettings>) =>
    ({ type: 'createLog', name: 'l', settings: { ...settings, cleanupPolicy: 'delete', ...more }, origin: 1 }) as const;
  expect(versionOfChange(create({}))).toBe(1);
  expect(versionOfChange(create({ retentionEntries: 5 }))).toBe(3);
  expect(versionOfChange(create({ cleanupPolicy: 'compact' }))).toBe(3);
  const mixed = catalogue(2, node(1, 3), node(2, 2));
  expect(() => requireVersionFor(create({ cleanupPolicy: 'compact' }), mixed)).toThrow(/upgrade node 2/);
  expect(() => requireVersion('positions', 3, mixed)).toThrow(
    expect.objectContaining({
      code: 'UNSUPPORTED',
      details: { clusterVersion: 2, neededClusterVersion: 3, nodes: [2] },
    }),
  );
  expect(() => requireVersion('positions', 3, catalogue(3, node(1, 3)))).not.toThrow();
});
