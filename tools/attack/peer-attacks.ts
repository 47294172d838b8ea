/** At the port for peers: wrong names, names of others, frames that lie, snapshots that never come. */
import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMessage } from '../../packages/raft/src/core/message.js';
import { beatFrame, encodeFrames } from '../../packages/raft/src/wire/frame-codec.js';
import { encodeOffer } from '../../packages/raft/src/wire/snapshot-codec.js';
import { type Attack, atOnce, type Field, scaled, type Target, targetOf } from './attack.js';
import { beginCall, callOnce, endOf, grpcMessage, openSession } from './raw-call.js';

const lanes = ['/shanghai.v1.Peer/Control', '/shanghai.v1.Peer/Log'];
const snapshotLane = '/shanghai.v1.Peer/Snapshot';

/** What `from` says when it dials `to`; anything may be put in its place. */
function hello(from: Target, to: Target, other: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    'shanghai-protocol': '1-2',
    'shanghai-cluster': from.clusterId,
    'shanghai-from': `${from.nodeId}`,
    'shanghai-to': `${to.nodeId}`,
    'shanghai-instance': from.instanceId,
    'shanghai-start': 'another-start',
    ...other,
  };
}

/** Pairs of a node that is attacked and one whose name is used. */
function pair(field: Field, turn: number): { readonly to: Target & { readonly peer: string }; readonly from: Target } {
  const to = targetOf(field, turn);
  if (to.peer === undefined) throw new Error(`node ${to.nodeId} has no port for peers`);
  return { to: { ...to, peer: to.peer }, from: targetOf(field, turn + 1) };
}

const wrongNames: readonly Readonly<Record<string, string>>[] = [
  { 'shanghai-cluster': 'f'.repeat(32) },
  { 'shanghai-cluster': ' ' },
  { 'shanghai-cluster': 'x'.repeat(4_000) },
  { 'shanghai-from': '77' },
  { 'shanghai-from': '0' },
  { 'shanghai-from': '-1' },
  { 'shanghai-from': '9007199254740993' },
  { 'shanghai-from': '1e3' },
  { 'shanghai-to': '77' },
  { 'shanghai-to': '' },
  { 'shanghai-instance': '0'.repeat(32) },
  { 'shanghai-instance': '' },
  { 'shanghai-start': '' },
  { 'shanghai-protocol': '7-9' },
  { 'shanghai-protocol': '1' },
  { 'shanghai-protocol': '9999999-1' },
];

const wrongNamesAttack: Attack = {
  name: 'wrong ids',
  what: 'hellos with a wrong cluster, node, instance, start or version on every lane',
  answers: /^FAILED_PRECONDITION (hello|protocol|cluster|node|unknown|instance)$/,
  async run(field) {
    const all = [...lanes, snapshotLane].flatMap((lane) => wrongNames.map((wrong) => ({ lane, wrong })));
    await atOnce(scaled(field, 4) * all.length, 16, async (number) => {
      const { lane, wrong } = all[number % all.length] as (typeof all)[number];
      const { to, from } = pair(field, number);
      field.told(await callOnce(to.peer, lane, grpcMessage(beatFrame), { headers: hello(from, to, wrong) }));
    });
    // The node's own name, said to itself.
    const { to } = pair(field, 0);
    field.told(await callOnce(to.peer, lanes[0] as string, grpcMessage(beatFrame), { headers: hello(to, to) }));
  },
};

const stolenNameAttack: Attack = {
  name: 'stolen name',
  what: 'two live nodes under one id: the hello of a node that lives, said again and again beside it',
  answers: /^(OK|CANCELLED|left open|reset)$/,
  async run(field) {
    await atOnce(scaled(field, 120), 4, async (number) => {
      const { to, from } = pair(field, number);
      const session = openSession(to.peer);
      const stream = beginCall(session, lanes[number % 2] as string, hello(from, to));
      stream?.resume();
      stream?.write(grpcMessage(beatFrame));
      // What is there longest is taken back by the real one.
      field.told(await endOf(stream, 200));
      session.destroy();
    });
  },
};

/** Frames that are nearly right; each is the first on its stream. */
function lies(from: Target, to: Target): readonly Uint8Array[] {
  const message = createMessage({ type: 'MsgHeartbeat', from: from.nodeId, to: to.nodeId, term: 1 });
  const [whole = new Uint8Array()] = encodeFrames([{ groupId: 1, message }], [], from.nodeId);
  const cut = Array.from({ length: whole.length - 2 }, (_, i) => whole.subarray(0, i + 2));
  const varintOfGigabyte = [0x80, 0x80, 0x80, 0x80, 0x04];
  return [
    ...cut,
    Uint8Array.of(),
    Uint8Array.of(0),
    Uint8Array.of(99, 1, 2, 3),
    // A fragment that is not the first, one of a gigabyte, one of nothing.
    Uint8Array.of(2, 5, 1),
    Uint8Array.of(2, 0, ...varintOfGigabyte, 1),
    Uint8Array.of(2, 0, 0, 1),
    Uint8Array.of(1, 2, ...Array.from({ length: 9 }, () => 0xff)),
    Uint8Array.of(3, 9, 1),
    new Uint8Array(1_048_577).fill(1),
  ].map((bytes) => grpcMessage(bytes));
}

const lyingFramesAttack: Attack = {
  name: 'lying frames',
  what: 'malformed, cut and oversized frames on the lanes of peers, under the name of one that lives',
  answers: /^(INVALID_ARGUMENT|RESOURCE_EXHAUSTED|CANCELLED|INTERNAL|OK)$/,
  async run(field) {
    const { to, from } = pair(field, 0);
    const messages = [
      ...lies(from, to),
      // Longer than any message may be, and one that ends before its end.
      grpcMessage(new Uint8Array(1_000), false, 1_000_000_000),
      grpcMessage(new Uint8Array(3), false, 1_000),
    ];
    await atOnce(messages.length * 2, 2, async (number) => {
      const headers = hello(from, to);
      const bytes = messages[number % messages.length] as Uint8Array;
      field.told(await callOnce(to.peer, lanes[number % 2] as string, bytes, { headers }));
    });
  },
};

/** What a snapshot of the keys would begin with. */
function offer(from: Target, to: Target, names: readonly string[], bytes: number): Buffer {
  const snapshot = {
    data: new Uint8Array(16),
    metadata: {
      index: 1_000_000,
      term: 1,
      confState: { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
    },
  };
  const message = createMessage({ type: 'MsgSnap', from: from.nodeId, to: to.nodeId, term: 1, snapshot });
  // The encoder refuses names that lead astray: they are put in place of harmless ones.
  const files = names.map((name) => ({ name: 'x'.repeat(name.length), bytes, crc: 1 }));
  const encoded = Buffer.from(encodeOffer({ groupId: 1, message }, files, from.nodeId));
  for (const name of names) encoded.write(name, encoded.indexOf('x'.repeat(name.length)), 'latin1');
  return grpcMessage(encoded);
}

const endlessSnapshotsAttack: Attack = {
  name: 'snapshots without end',
  what: 'snapshots of terabytes that are offered and never come, with names that lead out of the directory, ends without a beginning',
  answers: /^(INVALID_ARGUMENT|RESOURCE_EXHAUSTED|ABORTED|CANCELLED|DEADLINE_EXCEEDED|OK|UNAVAILABLE|INTERNAL)$/,
  async run(field) {
    const sessions: ClientHttp2Session[] = [];
    const offers: ((from: Target, to: Target) => Uint8Array)[] = [
      (from, to) => offer(from, to, ['0000000001.data', 'MANIFEST'], 2 ** 40),
      (from, to) => offer(from, to, ['../../node.json'], 10),
      (from, to) => offer(from, to, ['/etc/passwd'], 10),
      (from, to) => offer(from, to, [`${'a/'.repeat(120)}b`], 10),
      () => grpcMessage(Uint8Array.of(18)),
      () => grpcMessage(Uint8Array.of(17, 0, 0)),
      () => new Uint8Array(0),
    ];
    const ends = Array.from({ length: scaled(field, 42) }, async (_, number) => {
      const { to, from } = pair(field, number);
      const session = openSession(to.peer);
      sessions.push(session);
      const stream = beginCall(session, snapshotLane, hello(from, to));
      stream?.resume();
      stream?.write(offers[number % offers.length]?.(from, to) ?? new Uint8Array(0));
      // Half a minute of silence, and what the machine needs.
      field.told(await endOf(stream, 60_000));
    });
    await Promise.all(ends);
    for (const session of sessions) session.destroy();
    await sleep(0);
  },
};

/** All of them. */
export const peerAttacks: readonly Attack[] = [
  wrongNamesAttack,
  stolenNameAttack,
  lyingFramesAttack,
  endlessSnapshotsAttack,
];
