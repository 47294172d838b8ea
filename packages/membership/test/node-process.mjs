// A member in a process of its own, for processes.test.ts: says what it sees on standard output, one JSON line a change,
// and takes commands on standard input: `refuse 2,3` swallows what goes to and comes from these nodes, `leave` leaves.
import { createInterface } from 'node:readline';
import { nodeClock, nodeRandom } from '@shanghai/env';
import { openMembership, staticDiscovery } from '@shanghai/membership';
import { openGrpcTransport } from '@shanghai/membership/grpc';

const [nodeId = 0, port = 0, ...seeds] = process.argv.slice(2).map(Number);
const clock = nodeClock();
const identity = { clusterId: 'processes', nodeId, instanceId: `process-${process.pid}` };
const grpc = await openGrpcTransport({ self: identity, clock, host: '127.0.0.1', port });
let refused = new Set();
const nodeAt = new Map();
const transport = {
  open: ({ onFrame }) => grpc.open({ onFrame: (from, frame) => refused.has(from) || onFrame(from, frame) }),
  send: (to, frame) => refused.has(to.nodeId || nodeAt.get(to.address)) || grpc.send(to, frame),
  close: () => grpc.close(),
};
const say = () => {
  const members = membership.members();
  for (const { nodeId: id, address } of members) nodeAt.set(address, id);
  const states = Object.fromEntries(members.map((member) => [member.nodeId, member.state]));
  process.stdout.write(`${JSON.stringify({ states, isIsolated: membership.status().isIsolated })}\n`);
};
const membership = await openMembership({
  clusterId: 'processes',
  self: { nodeId, name: `node-${nodeId}`, address: grpc.address, instanceId: identity.instanceId },
  transport,
  clock,
  random: nodeRandom(),
  discovery: staticDiscovery(seeds.map((seed) => `127.0.0.1:${seed}`)),
  tuning: { profile: 'local' },
  // Not from within the call that tells it.
  onEvent: () => queueMicrotask(say),
});
const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const [command, ids = ''] = line.split(' ');
  if (command === 'refuse') refused = new Set(ids.split(',').map(Number));
  if (command === 'leave') void membership.leave().then(() => process.exit(0));
});
input.on('close', () => process.exit(0));
say();
