import type { Message } from '../core/message.js';
import type { SnapshotSink, SnapshotSource } from './state-machine.js';

/** A message of one group. */
export interface GroupMessage {
  readonly groupId: number;
  readonly message: Message;
}

/**
 * What hosts say about a group beside the core's messages. `sleep`: a leader asks to let the group rest, bound to its
 * term and last entry; `asleep`: a voter agrees; `rest`: all have agreed, it sleeps now; `wake`: there is something to do.
 */
export interface GroupSignal {
  readonly groupId: number;
  readonly type: 'sleep' | 'asleep' | 'rest' | 'wake';
  readonly term: number;
  readonly index: number;
}

/**
 * A node asks another for the time, and the other answers. The question is for who asked: its own monotonic time, in whole
 * milliseconds. May get lost, or not be understood by the other side, which is as if it were lost.
 */
export type ClockMessage =
  | { readonly type: 'ask'; readonly questionMs: number }
  | { readonly type: 'answer'; readonly questionMs: number; readonly wallMs: number };

/** What goes from one node to another at once. An empty one says no more than that its sender lives: a beat. */
export interface PeerFrame {
  readonly messages: readonly GroupMessage[];
  readonly signals: readonly GroupSignal[];
  readonly clock?: ClockMessage;
}

/** Another node and how to reach it. */
export interface Peer {
  readonly nodeId: number;
  /** `host:port` of its peer listener. */
  readonly address: string;
}

/** What a transport hands to its node. Never called from within one of its own methods, and never after `close`. */
export interface PeerHandlers {
  /**
   * Part or all of a frame, as it was sent. Messages may be lost, late, doubled and out of order. `startId` is other after
   * each start of the sender.
   */
  onFrame(from: number, startId: string, frame: PeerFrame): void;
  /** What was sent to a node last did not arrive, or may not have. */
  onUnreachable(nodeId: number): void;
  /**
   * The process of a node that was connected has ended: the connection broke, and nobody listens at its address any more.
   * A hint: never told where the network is silent, and not necessarily once.
   */
  onGone(nodeId: number): void;
  /**
   * A peer begins to send, or goes on sending, the snapshot of this `MsgSnap`: where it is gathered. Rejects where it is not
   * wanted. The transport calls `begin`, also with no files, and then either `complete`, by which the message is received,
   * or `abandon`.
   */
  onSnapshot(from: number, offer: GroupMessage): Promise<SnapshotSink>;
}

/** Carries what the groups of a node send to other nodes. One for all groups. `@shanghai/raft/grpc` is the real form. */
export interface PeerTransport {
  /** Begins to hand out what comes. Called once. */
  open(handlers: PeerHandlers): void;
  /** Whom there is to reach, by the node table. Those not named any more are let go. */
  setPeers(peers: readonly Peer[]): void;
  /** Takes a frame over. Returns at once and does not fail: what cannot be carried is told to `onUnreachable`. */
  send(nodeId: number, frame: PeerFrame): void;
  /**
   * Carries a `MsgSnap` and the files it stands for. Resolves when the peer has all of it durably and takes the message
   * as received; rejects when that failed, or the signal aborts. Sent again, it goes on where it was broken off.
   */
  sendSnapshot(
    nodeId: number,
    offer: GroupMessage,
    source: SnapshotSource | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** Carries nothing more, in either direction. Idempotent. */
  close(): Promise<void>;
}
