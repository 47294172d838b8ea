import type { Destination } from '../core/message.js';

/** What a transport hands to its node. Never from within one of its own methods, and never after `close`. */
export interface TransportHandlers {
  /** A frame of a node of this cluster. May be lost, late, doubled and out of order. The receiver may keep it. */
  onFrame(from: number, frame: Uint8Array): void;
}

/** Carries frames between nodes. `@shanghai/membership/grpc` is the real form, `./testing` has one in memory. */
export interface MembershipTransport {
  /** Begins to hand out what comes. Called once. */
  open(handlers: TransportHandlers): void;
  /** Takes a frame over. Returns at once and never fails: what cannot be carried is lost. Queues are bounded. */
  send(to: Destination, frame: Uint8Array): void;
  /** Carries nothing more, in either direction. Idempotent; what was sent just before still has a moment to go. */
  close(): Promise<void>;
}
