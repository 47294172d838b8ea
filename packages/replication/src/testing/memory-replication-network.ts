/**
 * Transports in memory, of any number of nodes. What is sent arrives in its order after a delay, lane by lane; links can be
 * cut, then sessions over them end, on both sides after a while; and nothing is dialled over them.
 */
import type { Clock, Timer } from '@shanghai/env';
import type { ControlMessage, DataMessage } from '../core/message.js';
import type {
  ReplicationPeer,
  ReplicationTransport,
  SessionHandlers,
  TransportHandlers,
  TransportSession,
} from '../ports/replication-transport.js';

/** How a network in memory carries. */
export interface MemoryReplicationNetworkOptions {
  readonly clock: Clock;
  /** Until something arrives; asked for each message. Default 0: soon. */
  readonly delayMs?: (from: number, to: number) => number;
  /** Until a lost session is noticed, and between two attempts to dial. Default 50. */
  readonly retryMs?: number;
  /** Messages of data that may be under way in a session. Default 64. */
  readonly maxUnderWay?: number;
  /** Sees what is sent; sessions are numbered as they begin. */
  readonly onMessage?: (from: number, to: number, message: ControlMessage | DataMessage, session: number) => void;
}

/** The network between nodes. Every node is reached by its id; addresses mean nothing. */
export class MemoryReplicationNetwork {
  readonly options: Required<MemoryReplicationNetworkOptions>;
  readonly #nodes = new Map<number, MemoryReplicationTransport>();
  readonly #cut = new Set<string>();
  readonly #sessions = new Set<MemorySession>();
  #begun = 0;

  constructor(options: MemoryReplicationNetworkOptions) {
    const onMessage = () => undefined;
    this.options = { delayMs: () => 0, retryMs: 50, maxUnderWay: 64, onMessage, ...options };
  }

  /** The transport of a node; another one for each of its starts. */
  transport(nodeId: number): ReplicationTransport {
    return new MemoryReplicationTransport(this, nodeId);
  }

  /** Nothing passes between these two any more. */
  cut(a: number, b: number): void {
    this.#cut.add(pairOf(a, b));
    this.endSessions((session) => session.joins(a, b));
  }

  /** It passes again. */
  heal(a: number, b: number): void {
    this.#cut.delete(pairOf(a, b));
  }

  /** Ends sessions as a broken connection does; they are dialled anew. */
  endSessions(which: (session: MemorySession) => boolean): void {
    for (const session of [...this.#sessions]) if (which(session)) session.break('the connection broke');
  }

  passes(a: number, b: number): boolean {
    return !this.#cut.has(pairOf(a, b));
  }

  /** Only for the transports of this network. */
  attach(transport: MemoryReplicationTransport): void {
    this.#nodes.set(transport.nodeId, transport);
  }

  /** Only for the transports of this network. */
  detach(transport: MemoryReplicationTransport): void {
    if (this.#nodes.get(transport.nodeId) === transport) this.#nodes.delete(transport.nodeId);
    this.endSessions((session) => session.has(transport));
  }

  /** Only for the transports of this network. */
  dial(follower: MemoryReplicationTransport, sourceId: number): MemorySession | undefined {
    const source = this.#nodes.get(sourceId);
    if (source === undefined || !this.passes(follower.nodeId, sourceId)) return undefined;
    const session = new MemorySession(this, ++this.#begun, follower, source, () => this.#sessions.delete(session));
    this.#sessions.add(session);
    session.begin();
    return session;
  }
}

function pairOf(a: number, b: number): string {
  return `${Math.min(a, b)}-${Math.max(a, b)}`;
}

class MemoryReplicationTransport implements ReplicationTransport {
  readonly nodeId: number;
  handlers: TransportHandlers | undefined;
  readonly #network: MemoryReplicationNetwork;
  readonly #dialled = new Map<number, MemorySession | undefined>();
  readonly #timers = new Map<number, Timer>();

  constructor(network: MemoryReplicationNetwork, nodeId: number) {
    this.#network = network;
    this.nodeId = nodeId;
  }

  open(handlers: TransportHandlers): void {
    this.handlers = handlers;
    this.#network.attach(this);
  }

  setPeers(peers: readonly ReplicationPeer[]): void {
    const wanted = new Set(peers.map((peer) => peer.nodeId));
    for (const [nodeId, session] of [...this.#dialled]) {
      if (wanted.has(nodeId)) continue;
      this.#dialled.delete(nodeId);
      this.#timers.get(nodeId)?.cancel();
      session?.break('let go');
    }
    for (const nodeId of wanted) if (!this.#dialled.has(nodeId)) this.#dialLater(nodeId, 0);
  }

  async close(): Promise<void> {
    this.handlers = undefined;
    this.#dialled.clear();
    for (const timer of this.#timers.values()) timer.cancel();
    this.#network.detach(this);
  }

  /** A dialled session is over. */
  ended(session: MemorySession, peer: number): void {
    if (this.#dialled.get(peer) === session) this.#dialLater(peer, this.#network.options.retryMs);
  }

  #dialLater(nodeId: number, delayMs: number): void {
    this.#dialled.set(nodeId, undefined);
    const timer = this.#network.options.clock.setTimer(delayMs, () => {
      if (!this.#dialled.has(nodeId)) return;
      const session = this.#network.dial(this, nodeId);
      if (session === undefined) this.#dialLater(nodeId, this.#network.options.retryMs);
      else this.#dialled.set(nodeId, session);
    });
    this.#timers.set(nodeId, timer);
  }
}

type Lane = 'toSource' | 'toFollower' | 'data';

/** A session of this network. */
export class MemorySession {
  /** Of the sessions of this network. */
  readonly number: number;
  readonly #network: MemoryReplicationNetwork;
  readonly #follower: MemoryReplicationTransport;
  readonly #source: MemoryReplicationTransport;
  readonly #onOver: () => void;
  readonly #lastMs: Record<Lane, number> = { toSource: 0, toFollower: 0, data: 0 };
  readonly #queues: Record<Lane, (() => void)[]> = { toSource: [], toFollower: [], data: [] };
  #atFollower: SessionHandlers | undefined;
  #atSource: SessionHandlers | undefined;
  #isOver = false;
  #underWay = 0;
  #isFull = false;

  constructor(
    network: MemoryReplicationNetwork,
    number: number,
    follower: MemoryReplicationTransport,
    source: MemoryReplicationTransport,
    onOver: () => void,
  ) {
    this.number = number;
    this.#network = network;
    this.#follower = follower;
    this.#source = source;
    this.#onOver = onOver;
  }

  joins(a: number, b: number): boolean {
    return pairOf(a, b) === pairOf(this.#follower.nodeId, this.#source.nodeId);
  }

  has(transport: MemoryReplicationTransport): boolean {
    return this.#follower === transport || this.#source === transport;
  }

  begin(): void {
    this.#atSource = this.#source.handlers?.onSession(this.#endOf('source'));
    if (!this.#isOver) this.#atFollower = this.#follower.handlers?.onSession(this.#endOf('follower'));
  }

  /** As a connection breaks: both ends hear of it later, what is under way is lost. */
  break(
    reason: string,
    told: { readonly follower: boolean; readonly source: boolean } = { follower: true, source: true },
  ): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver();
    const { clock } = this.#network.options;
    const { nodeId } = this.#source;
    clock.soon(() => {
      if (told.source && this.#source.handlers !== undefined) this.#atSource?.onEnd(reason);
      if (told.follower && this.#follower.handlers !== undefined) this.#atFollower?.onEnd(reason);
      this.#follower.ended(this, nodeId);
    });
  }

  #endOf(role: 'follower' | 'source'): TransportSession {
    const isFollower = role === 'follower';
    const peer = isFollower ? this.#source.nodeId : this.#follower.nodeId;
    return {
      peer,
      role,
      sendControl: (message) => {
        this.#note(role, message);
        if (isFollower) this.#carry('toSource', () => this.#atSource?.onControl(message));
        else this.#carry('toFollower', () => this.#atFollower?.onControl(message));
      },
      sendData: (message) => this.#sendData(message),
      close: (reason) => this.break(reason, { follower: !isFollower, source: isFollower }),
    };
  }

  #sendData(message: DataMessage): boolean {
    if (this.#isOver) return true;
    this.#note('source', message);
    this.#underWay++;
    this.#carry('data', () => {
      this.#underWay--;
      this.#atFollower?.onData(message);
      if (!this.#isFull || this.#underWay > this.#network.options.maxUnderWay / 2) return;
      this.#isFull = false;
      this.#atSource?.onDrain();
    });
    this.#isFull ||= this.#underWay >= this.#network.options.maxUnderWay;
    return !this.#isFull;
  }

  #note(role: 'follower' | 'source', message: ControlMessage | DataMessage): void {
    const [from, to] = role === 'source' ? [this.#source, this.#follower] : [this.#follower, this.#source];
    if (!this.#isOver) this.#network.options.onMessage(from.nodeId, to.nodeId, message, this.number);
  }

  #carry(lane: Lane, arrive: () => void): void {
    const { clock, delayMs } = this.#network.options;
    const [from, to] = lane === 'toSource' ? [this.#follower, this.#source] : [this.#source, this.#follower];
    const ms = delayMs(from.nodeId, to.nodeId);
    // Two that arrive at one time keep their order, whatever the clock makes of them.
    this.#queues[lane].push(arrive);
    const then = () => {
      const first = this.#queues[lane].shift();
      if (!this.#isOver) first?.();
    };
    const nowMs = clock.monotonicMs();
    const atMs = Math.max(nowMs + ms, this.#lastMs[lane]);
    this.#lastMs[lane] = atMs;
    if (atMs <= nowMs) clock.soon(then);
    else clock.setTimer(atMs - nowMs, then);
  }
}
