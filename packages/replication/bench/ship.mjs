/**
 * How many entries go from one process to another, each with a log on a disk, synced on both sides, over gRPC.
 *
 *   node packages/replication/bench/ship.mjs [--entries 1000000] [--size 128] [--batch 256] [--appends 4] [--window 1024] [--directory dir]
 *
 * The source appends batches, some at a time; time runs from the first append until the follower has told that it holds
 * the last entry durably. Entries a second, and processor time of each process.
 */
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeClock, nodeRandom } from '@shanghai/env';
import { openReplicator } from '@shanghai/replication';
import { createGrpcReplication } from '@shanghai/replication/grpc';
import { openWalEntryStore } from '@shanghai/replication/wal';
import { openWal } from '@shanghai/wal';

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    size: { type: 'string', default: '128' },
    batch: { type: 'string', default: '256' },
    appends: { type: 'string', default: '4' },
    window: { type: 'string', default: '1024' },
    directory: { type: 'string', default: tmpdir() },
    follower: { type: 'string' },
  },
});
const [entries, size, batch, appends, window] = ['entries', 'size', 'batch', 'appends', 'window'].map((name) =>
  Number(values[name]),
);

async function openNode(nodeId, directory) {
  const clock = nodeClock();
  const wal = await openWal({ directory: join(directory, `${nodeId}`) });
  const store = await openWalEntryStore({ wal, nodeId, clock });
  const transport = createGrpcReplication({
    self: { clusterId: 'bench', nodeId, instanceId: `instance-${nodeId}` },
    book: { check: () => 'known' },
    clock,
    random: nodeRandom(),
  });
  const address = await transport.listen('127.0.0.1', 0);
  const open = (members) =>
    openReplicator({
      nodeId,
      store,
      transport,
      clock,
      members,
      limits: { windowEntries: window },
      onFatal: (error) => {
        throw error;
      },
    });
  return { wal, store, address, open };
}

function processorMs(from) {
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1_000;
}

if (values.follower !== undefined) {
  const { address, open } = await openNode(2, values.follower);
  process.on('message', (message) => {
    if (message.members !== undefined) open(message.members);
    else process.send({ processorMs: processorMs() });
  });
  process.send({ address });
} else {
  const directory = await mkdtemp(join(values.directory, 'shanghai-ship-'));
  const args = ['--follower', directory, '--window', values.window];
  const child = fork(new URL(import.meta.url), args);
  const told = () => new Promise((resolve) => child.once('message', resolve));
  const { address: followerAddress } = await told();
  const { wal, store, address, open } = await openNode(1, directory);
  const members = [
    { nodeId: 1, address },
    { nodeId: 2, address: followerAddress },
  ];
  child.send({ members });
  const replicator = open(members);
  await store.append(1, [new Uint8Array(size)]);
  const stream = { logId: 1, origin: 1, epoch: store.ownEpoch() };
  await replicator.whenHeldBy(stream, 1, 'all');
  const data = Array.from({ length: batch }, () => new Uint8Array(size));
  const before = process.cpuUsage();
  child.send({});
  const { processorMs: followerBefore } = await told();
  const startMs = performance.now();
  let written = 1;
  const writer = async () => {
    while (written < entries) {
      written += batch;
      await store.append(1, data);
    }
  };
  await Promise.all(Array.from({ length: appends }, writer));
  const appendedMs = performance.now() - startMs;
  const last = store.positions()[0].lastSequence;
  await replicator.whenHeldBy(stream, last, 'all');
  const elapsedMs = performance.now() - startMs;
  child.send({});
  const { processorMs: followerAfter } = await told();
  const perEntryUs = (ms) => ((ms * 1_000) / last).toFixed(2);
  console.log(
    `${last} entries of ${size} B in ${elapsedMs.toFixed(0)} ms: ${Math.round((last / elapsedMs) * 1_000)} entries/s ` +
      `(appended after ${appendedMs.toFixed(0)} ms); processor time an entry: source ${perEntryUs(processorMs(before))} us, ` +
      `follower ${perEntryUs(followerAfter - followerBefore)} us; ${wal.info().syncs} syncs of ${wal.info().lastSyncMs.toFixed(2)} ms at the source`,
  );
  child.kill();
  await replicator.close();
  await wal.close();
  await rm(directory, { recursive: true });
}
