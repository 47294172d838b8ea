import type { Message } from '../core/message.js';

/** What a transport hands to the node it belongs to. Never called from within `send`, and never after `close`. */
export interface TransportHandlers {
  /** A message for this node, whole, as it was sent. Messages may be lost, late, doubled and out of order. */
  onMessage(message: Message): void;
  /** What was sent to a node last did not arrive, or may not have: `reportUnreachable` of the core. */
  onUnreachable(id: number): void;
  /** How the carrying of a snapshot ended, once for each `MsgSnap`: `reportSnapshot` of the core. */
  onSnapshotSent(id: number, isSent: boolean): void;
}

/** Carries the messages of one node to the other members of its group. */
export interface Transport {
  /** Begins to hand out what comes. Called once. */
  open(handlers: TransportHandlers): void;
  /** Takes messages over. Returns at once and does not fail: what cannot be carried is told to `onUnreachable`. */
  send(messages: readonly Message[]): void;
  /** Carries nothing more, in either direction. May be called again. */
  close(): Promise<void>;
}
