/**
 * Transports in memory, of any number of nodes. Frames arrive soon, or after a delay; links can be cut in one direction
 * or both, and frames looked at, and lost, on their way.
 */
import type { Clock } from '@shanghai/env';
import type { GroupMessage, Peer, PeerFrame, PeerHandlers, PeerTransport } from '../ports/peer-transport.js';
import type { SnapshotSink, SnapshotSource } from '../ports/state-machine.js';

const chunkBytes = 65_536;

/** How a network in memory carries. */
export interface MemoryPeerNetworkOptions {
  readonly clock: Clock;
  /** Until a frame arrives. Default 0: soon. */
  readonly delayMs?: number;
}

/** The network between nodes. Every node is reached by its id; addresses mean nothing. */
export class MemoryPeerNetwork {
  /** Frames handed over by nodes so far, and those of them that were not empty. */
  framesSent = 0;
  messageFramesSent = 0;
  /** Questions for the time and their answers, which are not among the frames above. */
  clockFramesSent = 0;
  /** Sees each frame before it leaves; `false` loses it, another frame takes its place. */
  filter: ((from: number, to: number, frame: PeerFrame) => PeerFrame | boolean) | undefined;
  /** Called before each piece of a snapshot's file; a rejection breaks the stream. */
  beforeChunk: ((from: number, to: number, name: string, offset: number) => Promise<void>) | undefined;
  readonly #clock: Clock;
  readonly #delayMs: number;
  readonly #nodes = new Map<number, MemoryTransport>();
  readonly #cut = new Set<string>();
  #starts = 0;

  constructor({ clock, delayMs = 0 }: MemoryPeerNetworkOptions) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** The transport of a node; another one for each of its starts. */
  transport(nodeId: number): PeerTransport {
    return new MemoryTransport(this, nodeId, `${nodeId}-${++this.#starts}`);
  }

  /** Nothing gets from one to the other any more. */
  cutOneWay(from: number, to: number): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** Nothing reaches these nodes, nor leaves them. */
  cut(...nodeIds: readonly number[]): void {
    for (const nodeId of nodeIds) this.#cut.add(`${nodeId}`);
  }

  /** Everything passes again. */
  heal(): void {
    this.#cut.clear();
  }

  /** Whether a node hears at once that the process of another has ended, as by a connection that is refused. Default no. */
  tellsOfEnds = false;

  /** The process of a node is gone: nothing reaches it, and nothing that it still does reaches anybody. */
  async detachNode(nodeId: number): Promise<void> {
    await this.#nodes.get(nodeId)?.close();
    for (const { nodeId: other, handlers } of [...this.#nodes.values()]) {
      if (this.tellsOfEnds && this.passes(nodeId, other)) handlers?.onGone(nodeId);
    }
  }

  /** Tells a node that the process of another has ended, be it so or not. */
  tell(nodeId: number, gone: number): void {
    this.#nodes.get(nodeId)?.handlers?.onGone(gone);
  }

  /** Whether something sent now would arrive. */
  passes(from: number, to: number): boolean {
    return !this.#cut.has(`${from}>${to}`) && !this.#cut.has(`${from}`) && !this.#cut.has(`${to}`);
  }

  /** Only for the transports of this network. */
  attach(transport: MemoryTransport): void {
    this.#nodes.set(transport.nodeId, transport);
  }

  /** Only for the transports of this network. */
  detach(transport: MemoryTransport): void {
    if (this.#nodes.get(transport.nodeId) === transport) this.#nodes.delete(transport.nodeId);
  }

  /** The node's handlers, where it is there and can be reached. */
  reach(from: number, to: number): PeerHandlers | undefined {
    return this.passes(from, to) ? this.#nodes.get(to)?.handlers : undefined;
  }

  /** Only for the transports of this network. */
  carry(sender: MemoryTransport, to: number, frame: PeerFrame): void {
    if (frame.clock === undefined) this.framesSent++;
    else this.clockFramesSent++;
    if (frame.messages.length > 0 || frame.signals.length > 0) this.messageFramesSent++;
    const kept = this.filter?.(sender.nodeId, to, frame) ?? true;
    if (kept === false) return;
    const sent = kept === true ? frame : kept;
    const arrive = () => {
      const target = this.reach(sender.nodeId, to);
      if (target !== undefined) target.onFrame(sender.nodeId, sender.startId, sent);
      else sender.handlers?.onUnreachable(to);
    };
    if (this.#delayMs === 0) this.#clock.soon(arrive);
    else this.#clock.setTimer(this.#delayMs, arrive);
  }
}

class MemoryTransport implements PeerTransport {
  readonly nodeId: number;
  readonly startId: string;
  handlers: PeerHandlers | undefined;
  readonly #network: MemoryPeerNetwork;

  constructor(network: MemoryPeerNetwork, nodeId: number, startId: string) {
    this.#network = network;
    this.nodeId = nodeId;
    this.startId = startId;
  }

  open(handlers: PeerHandlers): void {
    this.handlers = handlers;
    this.#network.attach(this);
  }

  setPeers(_peers: readonly Peer[]): void {
    // Everybody can be reached.
  }

  send(nodeId: number, frame: PeerFrame): void {
    if (this.handlers !== undefined) this.#network.carry(this, nodeId, frame);
  }

  async sendSnapshot(
    nodeId: number,
    offer: GroupMessage,
    source: SnapshotSource | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const target = this.handlers === undefined ? undefined : this.#network.reach(this.nodeId, nodeId);
    if (target === undefined) throw new Error(`node ${nodeId} cannot be reached`);
    const sink = await target.onSnapshot(this.nodeId, offer);
    try {
      await this.#carryFiles(nodeId, source, sink, signal);
      await sink.complete();
    } catch (error) {
      await sink.abandon();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#network.detach(this);
    this.handlers = undefined;
  }

  async #carryFiles(to: number, source: SnapshotSource | undefined, sink: SnapshotSink, signal: AbortSignal) {
    const files = (await source?.files()) ?? [];
    const kept = await sink.begin(files);
    for (const [i, { name, bytes }] of files.entries()) {
      for (let offset = kept[i] ?? 0; offset < bytes; offset += chunkBytes) {
        await this.#network.beforeChunk?.(this.nodeId, to, name, offset);
        signal.throwIfAborted();
        if (this.#network.reach(this.nodeId, to) === undefined) throw new Error(`node ${to} was lost`);
        const chunk = await source?.read(name, offset, Math.min(chunkBytes, bytes - offset));
        if (chunk !== undefined) await sink.write(name, offset, chunk);
      }
    }
    signal.throwIfAborted();
  }
}
