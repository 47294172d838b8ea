// Writes the data directories of a cluster of three that every later version must be able to take over, node by node.
// Run once per cluster version, with the program of that release (tools/old-release/main.ts builds it):
//   npx tsx tools/old-release/main.ts 1 /tmp/release-1
//   node apps/server/testdata/make-cluster-directories.mjs /tmp/release-1 apps/server/testdata/v1-cluster
// What they hold is repeated in test/cluster-upgrade.test.ts.
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [release, target] = process.argv.slice(2);
if (release === undefined || target === undefined) throw new Error('name the release and the directory to write');
const { openNode } = await import(pathToFileURL(join(resolve(release), 'apps/server/dist/open-node.js')).href);
await rm(target, { recursive: true, force: true });
const initialMembers = [1, 2, 3].map((nodeId) => ({ nodeId, peerAddress: `127.0.0.1:${23_400 + nodeId}` }));
// Nobody listens for clients here: what goes on to the leader of the system group is handed to it.
const leaderCalls = () => ({
  proposeCatalogue: (leader, change) => nodes[leader.nodeId - 1].proposeCatalogue(change),
  close: () => undefined,
});
const nodes = await Promise.all(
  initialMembers.map(({ nodeId }) =>
    openNode({
      dataDirectory: join(target, String(nodeId)),
      nodeId,
      initialMembers,
      leaderCalls,
      slots: 16,
      addresses: { grpc: `node-${nodeId}:9090`, http: `node-${nodeId}:8080` },
      wal: { segmentBytes: 65_536, firstSegmentBytes: 65_536, segmentsAhead: 0 },
      store: { segmentBytes: 4096, merge: { enabled: false } },
      logs: { segmentBytes: 65_536, firstSegmentBytes: 65_536 },
    }),
  ),
);
const pause = () => new Promise((done) => setTimeout(done, 50));
while (!nodes.every((node) => node.readiness().every(({ ok }) => ok))) await pause();
while (!nodes.every((node) => node.status().nodes.length === 3)) await pause();
const leads = (node) => node.status().groups.some(({ groupId, role }) => groupId === 1 && role === 'leader');
const leader = nodes.find(leads);
const context = { signal: new AbortController().signal, correlationId: 'make' };
const bytes = (text) => Buffer.from(text);
const write = (keyspace, operations, session) =>
  leader.keyValue.write(
    { kind: 'independent', operations },
    session === undefined ? { keyspace } : { keyspace, session },
    context,
  );

const { sessionId } = (await leader.keyValue.openSession(7 * 24 * 3_600_000, context)).value;
for (let i = 0; i < 20; i++) await write('', [{ type: 'put', key: bytes(`key-${i}`), value: bytes(`value-${i}`) }]);
await write('', [{ type: 'delete', key: bytes('key-7') }]);
await write('users', [{ type: 'put', key: bytes('ann'), value: bytes('1') }]);
await write('', [{ type: 'append', key: bytes('pieces'), value: bytes('once') }], {
  sessionId,
  requestNumber: 1,
  retry: false,
});
const settings = {
  mode: 'quorum',
  acknowledgement: 'quorum',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
};
const record = (text) => ({ key: bytes('k'), value: bytes(text), headers: [{ name: 'h', value: bytes('v') }] });
await leader.logs.create('events', settings, context);
await leader.logs.append({ log: 'events', records: [record('one'), record('two')] }, context);
for (const node of nodes) await node.checkpoint();
// What follows is only in the write-ahead logs and in files that were not made durable by a checkpoint.
await leader.logs.append({ log: 'events', records: [record('three')] }, context);
await write('', [{ type: 'put', key: bytes('last'), value: bytes('word') }]);
await pause();
// All at once, so that nobody is elected meanwhile.
await Promise.all(nodes.map((node) => node.close(0)));
