// Writes the data directory that every later version must open. Run once per version, against dist:
//   npx tsc -b apps/server && node apps/server/testdata/make-data-directory.mjs apps/server/testdata/v1-data-directory
// What it holds is repeated in test/core-data-directory.test.ts.
import { rm } from 'node:fs/promises';
import { openNode } from '../dist/open-node.js';

const dataDirectory = process.argv[2];
if (dataDirectory === undefined) throw new Error('name the directory to write');
await rm(dataDirectory, { recursive: true, force: true });
const node = await openNode({
  dataDirectory,
  nodeId: 3,
  slots: 16,
  wal: { segmentBytes: 65_536, firstSegmentBytes: 65_536, segmentsAhead: 0 },
  store: { segmentBytes: 4096, merge: { enabled: false } },
  logs: { segmentBytes: 65_536, firstSegmentBytes: 65_536 },
});
const context = { signal: new AbortController().signal, correlationId: 'make' };
const bytes = (text) => Buffer.from(text);
const write = (keyspace, operations, session) =>
  node.keyValue.write(
    { kind: 'independent', operations },
    session === undefined ? { keyspace } : { keyspace, session },
    context,
  );

const { sessionId } = (await node.keyValue.openSession(7 * 24 * 3_600_000, context)).value;
for (let i = 0; i < 20; i++) await write('', [{ type: 'put', key: bytes(`key-${i}`), value: bytes(`value-${i}`) }]);
await write('', [{ type: 'delete', key: bytes('key-7') }]);
await write('users', [{ type: 'put', key: bytes('ann'), value: bytes('1') }]);
await write('', [{ type: 'put', key: bytes('brief'), value: bytes('x'), ttlMs: 1 }]);
const piece = [{ type: 'append', key: bytes('pieces'), value: bytes('once') }];
await write('', piece, { sessionId, requestNumber: 1, retry: false });
const settings = {
  mode: 'quorum',
  acknowledgement: 'quorum',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
};
const record = (text) => ({ key: bytes('k'), value: bytes(text), headers: [{ name: 'h', value: bytes('v') }] });
await node.logs.create('events', settings, context);
await node.logs.create('local', { ...settings, mode: 'multi-master', acknowledgement: 'local' }, context);
const producer = { producerId: 9, epoch: 1, sequence: 1 };
await node.logs.append({ log: 'events', records: [record('one'), record('two')], producer }, context);
await node.checkpoint();
// What follows is only in the write-ahead log and in files that were not made durable by a checkpoint.
await node.logs.append({ log: 'events', records: [record('three')] }, context);
await node.logs.append({ log: 'local', records: [record('here')] }, context);
await write('', [{ type: 'put', key: bytes('last'), value: bytes('word') }]);
await node.close(1000);
