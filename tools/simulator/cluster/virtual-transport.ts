/**
 * The peer transport of one process on the virtual network: a lane for entries and one for everything else, as the real
 * one has streams, and snapshots file by file. What arrives is handed out in the process's own time.
 */
import type {
  GroupMessage,
  Peer,
  PeerFrame,
  PeerHandlers,
  PeerTransport,
  SnapshotSink,
  SnapshotSource,
} from '@shanghai/raft';
import type { VirtualClock } from './virtual-clock.js';
import type { VirtualNetwork } from './virtual-network.js';

const chunkBytes = 16 * 1024;

/** Where processes are found by the ids of their nodes. */
export type TransportDirectory = Map<number, VirtualTransport>;

/** What a transport belongs to. */
export interface TransportOwner {
  readonly nodeId: number;
  /** Other after each start. */
  readonly startId: string;
  readonly clock: VirtualClock;
}

/** See above. */
export class VirtualTransport implements PeerTransport {
  readonly #owner: TransportOwner;
  readonly #network: VirtualNetwork;
  readonly #directory: TransportDirectory;
  #handlers: PeerHandlers | undefined;
  #peers: ReadonlySet<number> = new Set();
  #isClosed = false;
  /** Rejects when the process has gone: for those that wait for it. */
  readonly #gone = new Ending();

  constructor(owner: TransportOwner, network: VirtualNetwork, directory: TransportDirectory) {
    this.#owner = owner;
    this.#network = network;
    this.#directory = directory;
  }

  open(handlers: PeerHandlers): void {
    this.#handlers = handlers;
    this.#directory.set(this.#owner.nodeId, this);
  }

  setPeers(peers: readonly Peer[]): void {
    this.#peers = new Set(peers.map(({ nodeId }) => nodeId));
  }

  send(nodeId: number, frame: PeerFrame): void {
    if (this.#isClosed || !this.#peers.has(nodeId)) return;
    const logs = frame.messages.filter(({ message }) => message.entries.length > 0);
    const others = logs.length === 0 ? frame.messages : frame.messages.filter((one) => !logs.includes(one));
    if (logs.length > 0) this.#carry(nodeId, 'log', { messages: logs, signals: [] });
    const isMore = others.length > 0 || frame.signals.length > 0 || frame.clock !== undefined;
    if (isMore || logs.length === 0) this.#carry(nodeId, 'control', { ...frame, messages: others });
  }

  async sendSnapshot(
    nodeId: number,
    offer: GroupMessage,
    source: SnapshotSource | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const peer = this.#directory.get(nodeId);
    const { nodeId: own } = this.#owner;
    if (this.#isClosed || peer === undefined) throw new Error(`node ${nodeId} cannot be reached from ${own}`);
    const ends = [this.#gone, peer.#gone];
    const places = { from: { id: own, clock: this.#owner.clock }, to: { id: nodeId, clock: peer.#owner.clock } };
    const journey = new SnapshotJourney(this.#network, places, ends, signal);
    let sink: SnapshotSink | undefined;
    try {
      sink = await journey.there(() => peer.#begin(own, offer));
      const files = source === undefined ? [] : await source.files();
      const toSink = sink;
      const kept = await journey.there(() => toSink.begin(files));
      for (const [i, { name, bytes }] of files.entries()) {
        for (let at = kept[i] ?? 0; at < bytes; at += chunkBytes) {
          const part = await (source as SnapshotSource).read(name, at, Math.min(chunkBytes, bytes - at));
          await journey.there(() => toSink.write(name, at, part));
        }
      }
      // Whoever gave the sink takes the message as received then.
      await journey.there(() => toSink.complete());
      sink = undefined;
    } catch (error) {
      // What was begun there ends first: a sink is used by one call at a time.
      await Promise.race([journey.working, peer.#gone.promise]).catch(() => {});
      if (sink !== undefined && !peer.#isClosed) await sink.abandon().catch(() => {});
      throw error;
    } finally {
      journey.end();
    }
  }

  async close(): Promise<void> {
    this.stop();
  }

  /** The process is gone. */
  stop(): void {
    this.#isClosed = true;
    if (this.#directory.get(this.#owner.nodeId) === this) this.#directory.delete(this.#owner.nodeId);
    this.#gone.reject(new Error(`node ${this.#owner.nodeId} has gone`));
  }

  #carry(to: number, lane: string, frame: PeerFrame): void {
    const { nodeId, startId } = this.#owner;
    const onLost = () => this.#inOwnTime(() => this.#handlers?.onUnreachable(to));
    const deliver = () => {
      // Whoever has the name now: what waited for a connection goes out on the next one.
      const peer = this.#directory.get(to);
      if (peer === undefined) {
        onLost();
        this.#inOwnTime(() => this.#handlers?.onGone(to));
      } else peer.#receive(nodeId, startId, frame);
    };
    this.#network.carry(nodeId, to, lane, deliver, onLost);
  }

  #receive(from: number, startId: string, frame: PeerFrame): void {
    this.#inOwnTime(() => {
      if (this.#peers.has(from)) this.#handlers?.onFrame(from, startId, frame);
    });
  }

  async #begin(from: number, offer: GroupMessage): Promise<SnapshotSink> {
    if (this.#handlers === undefined || !this.#peers.has(from)) throw new Error(`node ${from} is not known`);
    return this.#handlers.onSnapshot(from, offer);
  }

  #inOwnTime(action: () => void): void {
    if (this.#isClosed) return;
    if (!this.#owner.clock.isPaused) action();
    else this.#owner.clock.soon(() => this.#isClosed || action());
  }
}

/** Something that ends once, for those that wait for something else meanwhile. */
class Ending {
  readonly promise: Promise<never>;
  reject: (reason: unknown) => void = () => {};

  constructor() {
    this.promise = new Promise((_, reject) => {
      this.reject = reject;
    });
    this.promise.catch(() => {});
  }
}

interface Place {
  readonly id: number;
  readonly clock: VirtualClock;
}

/** Calls to another process on one connection: there, whatever it does, and back. */
class SnapshotJourney {
  readonly #network: VirtualNetwork;
  readonly #from: Place;
  readonly #to: Place;
  readonly #connection: number;
  readonly #ends: readonly Promise<never>[];
  /** Ends when the last call there has. */
  working: Promise<unknown> = Promise.resolve();
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;

  constructor(
    network: VirtualNetwork,
    { from, to }: { from: Place; to: Place },
    ends: readonly Ending[],
    signal: AbortSignal,
  ) {
    this.#network = network;
    this.#from = from;
    this.#to = to;
    this.#connection = network.connectionOf(from.id, to.id);
    const aborted = new Ending();
    this.#ends = [...ends, aborted].map(({ promise }) => promise);
    this.#signal = signal;
    this.#onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  async there<T>(action: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted();
    await this.#pass(this.#from, this.#to);
    const working = action();
    this.working = working.catch(() => {});
    const result = await this.#unlessEnded(working);
    await this.#pass(this.#to, this.#from);
    return result;
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  async #pass(from: Place, to: Place): Promise<void> {
    await this.#unlessEnded(this.#network.pass(from.id, to.id, this.#connection));
    const { clock } = to;
    if (clock.isPaused) await this.#unlessEnded(new Promise<void>((resolve) => clock.soon(resolve)));
  }

  #unlessEnded<T>(work: Promise<T>): Promise<T> {
    work.catch(() => {});
    return Promise.race([work, ...this.#ends]);
  }
}
