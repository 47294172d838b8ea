import { type Clock, nodeClock, nodeRandom, type Random } from '@shanghai/env';
import { createMessage, type MessageFields } from '../src/core/message.js';
import type {
  GrpcPeersLimits,
  GrpcPeersListener,
  PeerBook,
  PeerLane,
  PeerSelf,
} from '../src/grpc/grpc-peers-options.js';
import { type GrpcPeers, openGrpcPeers } from '../src/grpc/open-grpc-peers.js';
import type { GroupMessage, PeerFrame, PeerHandlers } from '../src/ports/peer-transport.js';
import type { SnapshotSink } from '../src/ports/state-machine.js';

/** What a node's peers are opened with in a test, beside what every node has. */
export interface NodeOptions {
  readonly self?: Partial<PeerSelf>;
  readonly book?: PeerBook;
  readonly limits?: Partial<GrpcPeersLimits>;
  readonly port?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly onSnapshot?: PeerHandlers['onSnapshot'];
}

/** A node that notes what it is told. */
export class NotedNode implements PeerHandlers {
  readonly frames: { readonly from: number; readonly startId: string; readonly frame: PeerFrame }[] = [];
  readonly unreachable: number[] = [];
  readonly gone: number[] = [];
  /** Events of the connections, `kind nodeId lane direction`, with the reason where there is one. */
  readonly events: string[] = [];
  readonly listener: GrpcPeersListener;
  peers!: GrpcPeers;
  #snapshot: PeerHandlers['onSnapshot'] | undefined;
  #watchers: (() => void)[] = [];

  private constructor(onSnapshot: PeerHandlers['onSnapshot'] | undefined) {
    this.#snapshot = onSnapshot;
    const note =
      (kind: string) =>
      ({ nodeId, lane, direction, reason }: { nodeId: number; lane: PeerLane; direction: string; reason?: string }) => {
        this.events.push(`${kind} ${nodeId} ${lane} ${direction}${reason === undefined ? '' : `: ${reason}`}`);
        this.#changed();
      };
    this.listener = {
      connected: note('connected'),
      disconnected: note('disconnected'),
      unreachable: note('unreachable'),
      refused: note('refused'),
      blocked: note('blocked'),
    };
  }

  /** Opens a node that takes part. */
  static async open(nodeId: number, options: NodeOptions = {}): Promise<NotedNode> {
    const node = new NotedNode(options.onSnapshot);
    node.peers = await openGrpcPeers({
      host: '127.0.0.1',
      port: options.port ?? 0,
      self: {
        clusterId: 'test',
        nodeId,
        instanceId: `instance-${nodeId}`,
        startId: `start-${nodeId}`,
        ...options.self,
      },
      book: options.book ?? {
        check: (id, instanceId) => (instanceId === `instance-${id}` ? 'known' : 'otherInstance'),
      },
      clock: options.clock ?? nodeClock(),
      random: options.random ?? nodeRandom(),
      limits: { retryMinMs: 5, retryMaxMs: 20, refusedRetryMs: 40, ...options.limits },
      listener: node.listener,
    });
    node.peers.open(node);
    return node;
  }

  get messages(): GroupMessage[] {
    return this.frames.flatMap(({ frame }) => frame.messages);
  }

  onFrame(from: number, startId: string, frame: PeerFrame): void {
    this.frames.push({ from, startId, frame });
    this.#changed();
  }

  onUnreachable(nodeId: number): void {
    this.unreachable.push(nodeId);
    this.#changed();
  }

  onGone(nodeId: number): void {
    this.gone.push(nodeId);
    this.#changed();
  }

  onSnapshot(from: number, offer: GroupMessage): Promise<SnapshotSink> {
    if (this.#snapshot === undefined) return Promise.reject(new Error('no snapshots here'));
    return this.#snapshot(from, offer);
  }

  /** Waits for something that is noted. */
  async until(isSo: (node: NotedNode) => boolean): Promise<void> {
    while (!isSo(this)) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  /** Waits for an event that begins like that. */
  untilEvent(beginning: string): Promise<void> {
    return this.until(({ events }) => events.some((event) => event.startsWith(beginning)));
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const wake of watchers) wake();
  }
}

/** Lets two nodes know each other, and waits until both can send. */
export async function introduce(first: NotedNode, firstId: number, second: NotedNode, secondId: number): Promise<void> {
  first.peers.setPeers([{ nodeId: secondId, address: second.peers.address }]);
  second.peers.setPeers([{ nodeId: firstId, address: first.peers.address }]);
  for (const lane of ['control', 'log']) {
    await first.untilEvent(`connected ${secondId} ${lane} out`);
    await second.untilEvent(`connected ${firstId} ${lane} out`);
  }
}

/** A message of a group. */
export function inGroup(groupId: number, fields: MessageFields): GroupMessage {
  return { groupId, message: createMessage(fields) };
}
