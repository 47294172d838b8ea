/**
 * `node replication-source.js <directory> <follower> <entries a second, 0 = as many as go>`: prints its address, then writes
 * entries until it is killed: so many a second, or so many at once, never too far ahead of its follower.
 */
import { valueBytes } from './entry-size.js';
import { openReplicationNode } from './replication-node.js';

const [directory, follower, rate] = process.argv.slice(2);
if (directory === undefined || follower === undefined || rate === undefined) {
  throw new TypeError('usage: replication-source.js <directory> <follower> <entries a second>');
}

const batchEntries = 100;
const callers = 16;
const maxAhead = 200_000;
const turnMs = 10;
const logId = 1;

const node = await openReplicationNode(directory, 1);
node.replicator.setMembers([
  { nodeId: 1, address: node.address },
  { nodeId: 2, address: follower },
]);
console.log(node.address);
const batch = Array.from({ length: batchEntries }, () => new Uint8Array(valueBytes).fill(7));
const stream = { logId, origin: 1, epoch: node.store.ownEpoch() };
if (Number(rate) > 0) setInterval(writeTurn, turnMs, (Number(rate) * turnMs) / 1_000 / batchEntries);
else for (let i = 0; i < callers; i++) void write();

function writeTurn(batches: number): void {
  for (let i = 0; i < batches; i++) void node.store.append(logId, batch);
}

async function write(): Promise<void> {
  for (;;) {
    const first = await node.store.append(logId, batch);
    while (first - node.replicator.heldBy(stream, 'all') > maxAhead) await new Promise((r) => setTimeout(r, 1));
  }
}
