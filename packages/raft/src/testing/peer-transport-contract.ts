import { crc32 } from '@shanghai/env';
import type { ContractCase } from '@shanghai/env/testing';
import { emptyConfState } from '../core/configuration/configuration.js';
import type { Entry } from '../core/entry.js';
import { createMessage, type Message } from '../core/message.js';
import type { GroupMessage, Peer, PeerFrame, PeerHandlers, PeerTransport } from '../ports/peer-transport.js';
import type { SnapshotFile, SnapshotSink, SnapshotSource } from '../ports/state-machine.js';

/** What a case runs against: the transports of nodes 1 and 2, not opened; nobody has the id 3. */
export interface PeerTransportSubject {
  readonly first: PeerTransport;
  readonly second: PeerTransport;
  /** Both nodes, and node 3 at an address where nobody is. */
  readonly peers: readonly Peer[];
  /** Waits until `isDone`; fails where that does not come. */
  until(isDone: () => boolean): Promise<void>;
}

/** Notes what it is told, and gathers snapshots. */
class Notes implements PeerHandlers {
  readonly messages: GroupMessage[] = [];
  readonly signals: unknown[] = [];
  readonly clocks: unknown[] = [];
  readonly unreachable: number[] = [];
  readonly gone: number[] = [];
  readonly startIds = new Set<string>();
  frames = 0;
  readonly sinks: GatheringSink[] = [];
  readonly offers: GroupMessage[] = [];
  refusal: Error | undefined;
  kept: readonly number[] = [];
  failAt = Number.POSITIVE_INFINITY;

  onFrame(_from: number, startId: string, frame: PeerFrame): void {
    this.frames++;
    this.startIds.add(startId);
    this.messages.push(...frame.messages);
    this.signals.push(...frame.signals);
    if (frame.clock !== undefined) this.clocks.push(frame.clock);
  }

  onUnreachable(nodeId: number): void {
    this.unreachable.push(nodeId);
  }

  onGone(nodeId: number): void {
    this.gone.push(nodeId);
  }

  async onSnapshot(_from: number, offer: GroupMessage): Promise<SnapshotSink> {
    this.offers.push(offer);
    if (this.refusal !== undefined) throw this.refusal;
    const sink = new GatheringSink(this.kept, this.failAt);
    this.sinks.push(sink);
    return sink;
  }
}

class GatheringSink implements SnapshotSink {
  files: readonly SnapshotFile[] = [];
  readonly bytes = new Map<string, number[]>();
  readonly from = new Map<string, number>();
  end: 'completed' | 'abandoned' | undefined;
  #written = 0;
  readonly #kept: readonly number[];
  readonly #failAt: number;

  constructor(kept: readonly number[], failAt: number) {
    this.#kept = kept;
    this.#failAt = failAt;
  }

  async begin(files: readonly SnapshotFile[]): Promise<readonly number[]> {
    this.files = files;
    return files.map((_, i) => this.#kept[i] ?? 0);
  }

  async write(name: string, offset: number, bytes: Uint8Array): Promise<void> {
    this.#written += bytes.length;
    if (this.#written > this.#failAt) throw new Error('the disk failed');
    const known = this.bytes.get(name) ?? [];
    if (known.length === 0) this.from.set(name, offset);
    if ((this.from.get(name) ?? 0) + known.length !== offset) throw new Error(`a gap in ${name} at ${offset}`);
    for (const byte of bytes) known.push(byte);
    this.bytes.set(name, known);
  }

  async complete(): Promise<void> {
    this.end = 'completed';
  }

  async abandon(): Promise<void> {
    this.end ??= 'abandoned';
  }
}

/** Throws unless both are the same as JSON: this file cannot use an assertion library that a user may not have. */
function same(actual: unknown, expected: unknown): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}`);
}

const plainEntry = ({ index, term, type, data }: Entry) => ({ index, term, type, data: [...data] });
const plain = ({ groupId, message }: GroupMessage) => ({
  groupId,
  message: { ...message, entries: message.entries.map(plainEntry) },
});

function append(to: number, index: number, ...sizes: readonly number[]): GroupMessage {
  const entries = sizes.map((size, i): Entry => {
    const data = new Uint8Array(size).map((_, at) => (at * 7 + i) % 251);
    return { index: index + 1 + i, term: 7, type: i % 2 === 0 ? 'EntryNormal' : 'EntryConfChangeV2', data };
  });
  const fields = { to, from: 1, term: 7, logTerm: 6, index, commit: 3, entries };
  return { groupId: index, message: createMessage({ type: 'MsgApp', ...fields }) };
}

function every(to: number): GroupMessage[] {
  const of = (groupId: number, fields: Partial<Message> & Pick<Message, 'type'>) => ({
    groupId,
    message: createMessage({ from: 1, to, term: 2 ** 40, ...fields }),
  });
  return [
    of(0, { type: 'MsgHeartbeat', commit: 9, context: 3 }),
    of(2 ** 31, { type: 'MsgHeartbeatResp', context: 3 }),
    of(1, { type: 'MsgAppResp', index: 2 ** 45 }),
    of(1, { type: 'MsgAppResp', index: 8, reject: true, rejectHint: 5, logTerm: 4 }),
    of(1, { type: 'MsgVote', index: 8, logTerm: 4, context: 1 }),
    of(1, { type: 'MsgVoteResp', reject: true, commit: 4, logTerm: 3 }),
    of(1, { type: 'MsgPreVote', index: 8, logTerm: 4 }),
    of(1, { type: 'MsgPreVoteResp' }),
    of(1, { type: 'MsgTimeoutNow' }),
    of(1, { type: 'MsgTransferLeader' }),
    of(1, { type: 'MsgReadIndex', term: 0, context: 77 }),
    of(1, { type: 'MsgReadIndexResp', index: 9, context: 77 }),
  ];
}

const metadata = { index: 9, term: 2, confState: { ...emptyConfState, voters: [1, 2], learners: [5] } };
const offerTo = (to: number): GroupMessage => ({
  groupId: 4,
  message: createMessage({
    type: 'MsgSnap',
    from: 1,
    to,
    term: 7,
    snapshot: { metadata, data: Uint8Array.of(1, 2, 3) },
  }),
});

function sourceOf(contents: Readonly<Record<string, number>>): SnapshotSource & { readonly reads: string[] } {
  const byte = (name: string, at: number) => (at * 31 + name.length) % 253;
  const bytesOf = (name: string, from: number, length: number) =>
    Uint8Array.from({ length }, (_, i) => byte(name, from + i));
  const reads: string[] = [];
  return {
    reads,
    files: async () =>
      Object.entries(contents).map(([name, bytes]) => ({ name, bytes, crc: crc32(bytesOf(name, 0, bytes)) })),
    read: async (name, offset, length) => {
      reads.push(`${name}@${offset}`);
      return bytesOf(name, offset, length);
    },
    release: async () => {},
  };
}

const never = () => new AbortController().signal;
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

/** What every `PeerTransport` does where nothing goes wrong in between. */
export const peerTransportContract: readonly ContractCase<PeerTransportSubject>[] = [
  contractCase('carries messages whole, both ways', async ({ first, second, until }, one, two) => {
    const sent = [append(2, 4, 3, 0, 200), append(2, 5)];
    await send(first, 2, sent, two, until);
    same(byGroup(two.messages), byGroup(sent));
    const answer = { groupId: 4, message: createMessage({ type: 'MsgAppResp', from: 2, to: 1, term: 7, index: 7 }) };
    await send(second, 1, [answer], one, until);
    same(one.messages.map(plain), [plain(answer)]);
  }),
  contractCase('carries every kind of message, with every field', async ({ first, until }, _one, two) => {
    const sent = every(2);
    await send(first, 2, sent, two, until);
    const sorted = (messages: readonly GroupMessage[]) => messages.map((one) => JSON.stringify(plain(one))).sort();
    same(sorted(two.messages), sorted(sent));
  }),
  contractCase('carries signals, and says who lives by frames with nothing in them', async (subject, _one, two) => {
    const { first, until } = subject;
    const signals = [
      { groupId: 3, type: 'sleep' as const, term: 5, index: 2 ** 41 },
      { groupId: 2 ** 31, type: 'asleep' as const, term: 5, index: 9 },
      { groupId: 3, type: 'rest' as const, term: 5, index: 9 },
      { groupId: 3, type: 'wake' as const, term: 0, index: 0 },
    ];
    await untilHeard(first, 2, two, until);
    first.send(2, { messages: [], signals });
    await until(() => two.signals.length >= signals.length);
    same(two.signals, signals);
    const before = two.frames;
    first.send(2, { messages: [], signals: [] });
    await until(() => two.frames > before);
    same(two.startIds.size, 1);
  }),
  contractCase('carries questions for the time, and their answers', async ({ first, until }, _one, two) => {
    const clocks = [
      { type: 'ask' as const, questionMs: 0 },
      { type: 'answer' as const, questionMs: 2 ** 40, wallMs: 1_704_067_200_000 },
    ];
    await untilHeard(first, 2, two, until);
    for (const clock of clocks) first.send(2, { messages: [], signals: [], clock });
    await until(() => two.clocks.length >= clocks.length);
    same(two.clocks, clocks);
  }),
  contractCase('carries an entry of several megabytes', async ({ first, until }, _one, two) => {
    const sent = [append(2, 4, 3_000_000)];
    await send(first, 2, sent, two, until);
    const [got] = two.messages;
    same(
      [got?.message.entries[0]?.data.length, crc32(got?.message.entries[0]?.data ?? new Uint8Array(0))],
      [3_000_000, crc32(sent[0]?.message.entries[0]?.data ?? new Uint8Array(0))],
    );
  }),
  contractCase('hands nothing out from within send', async ({ first, until }, one, two) => {
    await untilHeard(first, 2, two, until);
    const before = [one.unreachable.length, two.messages.length];
    first.send(2, { messages: [append(2, 1)], signals: [] });
    first.send(3, { messages: [append(3, 1)], signals: [] });
    same([one.unreachable.length, two.messages.length], before);
    await until(() => two.messages.length > (before[1] ?? 0));
  }),
  contractCase('says who cannot be reached', async ({ first, until }, one) => {
    first.send(3, { messages: [append(3, 1)], signals: [] });
    await until(() => one.unreachable.includes(3));
    same([...new Set(one.unreachable)], [3]);
  }),
  contractCase('carries a snapshot with its files', async ({ first, until }, _one, two) => {
    await untilHeard(first, 2, two, until);
    const source = sourceOf({ 'a.data': 100_000, 'sub/b': 0, 'sub/c.x': 300_001 });
    await first.sendSnapshot(2, offerTo(2), source, never());
    const sink = two.sinks.at(-1);
    same(two.offers.map(snapPlain), [snapPlain(offerTo(2))]);
    same([sink?.end, sink?.files], ['completed', await source.files()]);
    for (const { name, bytes, crc } of await source.files()) {
      const got = Uint8Array.from(sink?.bytes.get(name) ?? []);
      same([name, got.length, crc32(got)], [name, bytes, crc]);
    }
  }),
  contractCase('carries a snapshot without files', async ({ first, until }, _one, two) => {
    await untilHeard(first, 2, two, until);
    await first.sendSnapshot(2, offerTo(2), undefined, never());
    same([two.sinks.length, two.sinks[0]?.end, two.sinks[0]?.files], [1, 'completed', []]);
  }),
  contractCase('goes on where a snapshot was broken off', async ({ first, until }, _one, two) => {
    await untilHeard(first, 2, two, until);
    two.kept = [60_000, 10];
    const source = sourceOf({ a: 100_000, b: 10 });
    await first.sendSnapshot(2, offerTo(2), source, never());
    same([two.sinks[0]?.from.get('a'), two.sinks[0]?.bytes.get('a')?.length], [60_000, 40_000]);
    same(two.sinks[0]?.bytes.get('b')?.length ?? 0, 0);
  }),
  contractCase('says that a snapshot is not wanted, or could not be kept', async ({ first, until }, _one, two) => {
    await untilHeard(first, 2, two, until);
    two.refusal = new Error('not wanted');
    const refused = await failureOf(first.sendSnapshot(2, offerTo(2), sourceOf({ a: 5 }), never()));
    two.refusal = undefined;
    two.failAt = 50_000;
    const failed = await failureOf(first.sendSnapshot(2, offerTo(2), sourceOf({ a: 500_000 }), never()));
    same([refused instanceof Error, failed instanceof Error], [true, true]);
    await until(() => two.sinks[0]?.end === 'abandoned');
  }),
  contractCase('a snapshot that is given up is abandoned there too', async ({ first, until }, _one, two) => {
    await untilHeard(first, 2, two, until);
    const abort = new AbortController();
    const source = sourceOf({ a: 5_000_000 });
    const read = source.read;
    source.read = (name, offset, length) => {
      if (offset > 0) abort.abort(new Error('given up'));
      return read(name, offset, length);
    };
    const failed = await failureOf(first.sendSnapshot(2, offerTo(2), source, abort.signal));
    same(failed instanceof Error, true);
    await until(() => two.sinks[0]?.end === 'abandoned');
  }),
  contractCase('a snapshot to nobody is refused', async ({ first }) => {
    same((await failureOf(first.sendSnapshot(3, offerTo(3), undefined, never()))) instanceof Error, true);
  }),
  contractCase('carries nothing more when it is closed, and may be closed again', async (subject, one, two) => {
    const { first, second, until } = subject;
    await untilHeard(first, 2, two, until);
    await second.close();
    await second.close();
    const before = [one.messages.length, two.frames];
    second.send(1, { messages: [append(1, 1)], signals: [] });
    await until(() => {
      first.send(2, { messages: [append(2, 1)], signals: [] });
      return one.unreachable.includes(2);
    });
    same([one.messages.length, two.frames], before);
  }),
];

const snapPlain = ({ groupId, message }: GroupMessage) => ({
  groupId,
  ...message,
  snapshot: { metadata: message.snapshot?.metadata, data: [...(message.snapshot?.data ?? [])] },
});

const byGroup = (messages: readonly GroupMessage[]) => [...messages].sort((a, b) => a.groupId - b.groupId).map(plain);

/** Sends, once there is a connection, and waits for what was sent. */
async function send(
  from: PeerTransport,
  to: number,
  messages: readonly GroupMessage[],
  target: Notes,
  until: PeerTransportSubject['until'],
): Promise<void> {
  await untilHeard(from, to, target, until);
  from.send(to, { messages, signals: [] });
  await until(() => target.messages.length >= messages.length);
}

/** A connection may have to be made first; what is sent before may be lost. */
function untilHeard(from: PeerTransport, to: number, target: Notes, until: PeerTransportSubject['until']) {
  const before = target.frames;
  return until(() => {
    if (target.frames === before) from.send(to, { messages: [], signals: [] });
    return target.frames > before;
  });
}

function contractCase(
  name: string,
  check: (subject: PeerTransportSubject, one: Notes, two: Notes) => Promise<void>,
): ContractCase<PeerTransportSubject> {
  return {
    name,
    run: async (open) => {
      const subject = await open();
      const [one, two] = [new Notes(), new Notes()];
      subject.first.open(one);
      subject.second.open(two);
      subject.first.setPeers(subject.peers.filter(({ nodeId }) => nodeId !== 1));
      subject.second.setPeers(subject.peers.filter(({ nodeId }) => nodeId !== 2));
      try {
        await check(subject, one, two);
      } finally {
        await subject.first.close();
        await subject.second.close();
      }
    },
  };
}
