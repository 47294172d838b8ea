import { invariant } from '@shanghai/env';
import type { ContractCase } from '@shanghai/env/testing';
import type { ControlMessage, DataMessage } from '../core/message.js';
import { packEntries } from '../core/run.js';
import type {
  ReplicationPeer,
  ReplicationTransport,
  SessionHandlers,
  TransportHandlers,
  TransportSession,
} from '../ports/replication-transport.js';

/** What a case runs against: the transports of nodes 1 and 2, not opened; nobody has the id 3. Closed by the case. */
export interface ReplicationTransportSubject {
  readonly first: ReplicationTransport;
  readonly second: ReplicationTransport;
  /** Both nodes, and node 3 at an address where nobody is. */
  readonly peers: readonly ReplicationPeer[];
  /** Waits until `isDone`; fails where that does not come. */
  until(isDone: () => boolean): Promise<void>;
}

/** A session and what it was told. */
class Noted implements SessionHandlers {
  readonly control: ControlMessage[] = [];
  readonly data: DataMessage[] = [];
  readonly ends: string[] = [];
  drains = 0;
  readonly session: TransportSession;

  constructor(session: TransportSession) {
    this.session = session;
  }

  onControl(message: ControlMessage): void {
    this.control.push(message);
  }

  onData(message: DataMessage): void {
    this.data.push(message);
  }

  onDrain(): void {
    this.drains++;
  }

  onEnd(reason: string): void {
    this.ends.push(reason);
  }
}

/** A node that notes what it is told. */
class NotedNode implements TransportHandlers {
  readonly sessions: Noted[] = [];

  onSession(session: TransportSession): SessionHandlers {
    const noted = new Noted(session);
    this.sessions.push(noted);
    return noted;
  }

  /** The latest session in a role that has not ended. */
  of(role: 'follower' | 'source'): Noted | undefined {
    return this.sessions.findLast(({ session, ends }) => session.role === role && ends.length === 0);
  }
}

async function meet(subject: ReplicationTransportSubject) {
  const follower = new NotedNode();
  const source = new NotedNode();
  subject.first.open(follower);
  subject.second.open(source);
  subject.first.setPeers(subject.peers.slice(1));
  await subject.until(() => follower.of('follower') !== undefined && source.of('source') !== undefined);
  return { follower, source };
}

async function close({ first, second }: ReplicationTransportSubject): Promise<void> {
  await first.close();
  await second.close();
}

function runOf(firstSequence: number, ...sizes: number[]): DataMessage {
  const bytes = packEntries(sizes.map((size, at) => new Uint8Array(size).fill(firstSequence + at)));
  const stream = { logId: 7, origin: 2, epoch: 3 };
  return {
    type: 'run',
    run: { stream, firstSequence, count: sizes.length, lastHlc: { ms: 2 ** 40 + 5, counter: 9 }, bytes },
  };
}

/** Bytes are the same whatever kind of array has them. */
function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, item]) => `${key}(${textOf(item)})`)
    .join();
}

function sameAs(a: unknown, b: unknown): boolean {
  return textOf(a) === textOf(b);
}

const positions = [
  {
    stream: { logId: 2 ** 40, origin: 1, epoch: 70_000 },
    firstSequence: 3,
    lastSequence: 2,
    lastHlc: { ms: 0, counter: 0 },
  },
  {
    stream: { logId: 1, origin: 2, epoch: 1 },
    firstSequence: 1,
    lastSequence: 2 ** 52,
    lastHlc: { ms: 2 ** 47, counter: 65_535 },
  },
];
const mark = { origin: 2, hlc: { ms: 5, counter: 1 }, behind: [{ logId: 9, hlc: { ms: 4, counter: 65_535 } }] };
const control: readonly ControlMessage[] = [
  { type: 'positions', positions, isComplete: false },
  { type: 'positions', positions: [], isComplete: true },
  { type: 'marks', marks: [mark, { ...mark, behind: [] }] },
  { type: 'grant', entries: 1_024, bytes: 2 ** 33 },
  { type: 'want', origins: [1, 2 ** 40] },
];
const data: readonly DataMessage[] = [
  runOf(1, 5, 0, 128),
  { type: 'mark', mark },
  runOf(4, 3_000_000),
  { type: 'rows', logId: 8, rows: new Uint8Array([1, 2, 3]) },
  { type: 'trimmed', stream: { logId: 7, origin: 2, epoch: 3 }, firstSequence: 2 ** 45 },
  runOf(5, 1),
];

/** What every `ReplicationTransport` promises. */
export const replicationTransportContract: readonly ContractCase<ReplicationTransportSubject>[] = [
  {
    name: 'a session stands between who dials and who is dialled, one for each direction',
    async run(open) {
      const subject = await open();
      const { follower, source } = await meet(subject);
      invariant(follower.of('follower')?.session.peer === 2, 'the follower is told of another peer');
      invariant(source.of('source')?.session.peer === 1, 'the source is told of another peer');
      invariant(source.of('follower') === undefined, 'a node follows whom it was not told to');
      subject.second.setPeers(subject.peers.filter(({ nodeId }) => nodeId !== 2));
      await subject.until(() => source.of('follower') !== undefined && follower.of('source') !== undefined);
      await close(subject);
    },
  },
  {
    name: 'what is sent arrives whole and in order, on each lane and in each direction',
    async run(open) {
      const subject = await open();
      const { follower, source } = await meet(subject);
      const at = follower.of('follower') as Noted;
      const from = source.of('source') as Noted;
      for (const message of control) at.session.sendControl(message);
      from.session.sendControl(control[0] as ControlMessage);
      for (const message of data) from.session.sendData(message);
      await subject.until(
        () => at.data.length === data.length && from.control.length === control.length && at.control.length === 1,
      );
      invariant(sameAs(from.control, control), 'control was changed on its way to the source');
      invariant(sameAs(at.control, control.slice(0, 1)), 'control was changed on its way to the follower');
      invariant(sameAs(at.data, data), 'data was changed on its way');
      await close(subject);
    },
  },
  {
    name: 'a source is told to wait when more is under way than there is place, and when there is place again',
    async run(open) {
      const subject = await open();
      const { follower, source } = await meet(subject);
      const { session } = source.of('source') as Noted;
      let sent = 0;
      while (sent < 10_000 && session.sendData(runOf(++sent, 100_000)));
      invariant(sent < 10_000, 'a gigabyte is under way');
      await subject.until(() => (source.of('source')?.drains ?? 0) > 0);
      await subject.until(() => follower.of('follower')?.data.length === sent);
      await close(subject);
    },
  },
  {
    name: 'a session that one end closes is over for the other, which is told once, and it is dialled anew',
    async run(open) {
      const subject = await open();
      const { follower, source } = await meet(subject);
      for (const [closing, other] of [
        [follower, source],
        [source, follower],
      ] as const) {
        const before = [closing.sessions.length, other.sessions.length];
        const [mine, theirs] = [closing.sessions.at(-1) as Noted, other.sessions.at(-1) as Noted];
        mine.session.close('for a test');
        await subject.until(() => theirs.ends.length > 0);
        await subject.until(
          () => closing.sessions.length > (before[0] as number) && other.sessions.length > (before[1] as number),
        );
        invariant(mine.ends.length === 0, 'who closes is told');
        invariant(theirs.ends.length === 1, 'the other end is told more than once');
      }
      await close(subject);
    },
  },
  {
    name: 'who is not named any more is let go, and a transport that was closed tells nothing',
    async run(open) {
      const subject = await open();
      const { follower, source } = await meet(subject);
      const [mine, theirs] = [follower.of('follower') as Noted, source.of('source') as Noted];
      subject.first.setPeers([]);
      await subject.until(() => theirs.ends.length > 0);
      subject.first.setPeers(subject.peers.slice(1, 2));
      await subject.until(() => source.of('source') !== undefined && follower.of('follower') !== mine);
      const last = follower.sessions.at(-1) as Noted;
      await subject.first.close();
      await subject.until(() => source.of('source') === undefined);
      invariant(last.ends.length === 0, 'a closed transport tells of an end');
      last.session.sendControl(control[4] as ControlMessage);
      last.session.close('again');
      await subject.first.close();
      await subject.second.close();
    },
  },
];
