import { decodeMessage, encodeMessage, type Member, MembershipError, type Message } from '@shanghai/membership';
import type { FuzzTarget } from '../fuzz-target.js';

const record: Member = {
  nodeId: 300,
  name: 'node-300',
  address: 'host:9190',
  instanceId: 'instance',
  incarnation: 1_700_000_000_000,
  state: 'up',
  tags: { disk: 'ssd', zone: 'a' },
};
const messages: readonly Message[] = [
  { type: 'heartbeat', incarnation: 7, viewHash: 0x0102_0304 },
  { type: 'ack', number: 7, subject: 300 },
  { type: 'accuse', subject: 300, incarnation: 7 },
  { type: 'gossip', records: [record, { ...record, nodeId: 2, state: 'down' }] },
  { type: 'digest', hashes: Array.from({ length: 32 }, (_, i) => i) },
  { type: 'versions', buckets: 5, versions: [record, { ...record, nodeId: 64 }] },
  { type: 'records', wanted: [1, 2, 300], records: [record] },
  { type: 'join', clusterId: 'cluster', record },
  { type: 'refusal', reason: 'nameTaken', text: 'take another name' },
];

/** What members say to each other. */
export const membershipTargets: readonly FuzzTarget[] = [
  {
    name: 'membership: frame',
    examples: () => messages.map((message) => new Uint8Array(encodeMessage(message))),
    decode: (bytes) => decodeMessage(bytes),
    // A kind that is not known is passed over; any other one stands for it.
    encode: (message: Message | undefined) => (message === undefined ? Uint8Array.of(255) : encodeMessage(message)),
    refusals: [MembershipError],
  },
];
