import type { ControlMessage, DataMessage } from '../core/message.js';

/** Another node and how to reach it. */
export interface ReplicationPeer {
  readonly nodeId: number;
  /** `host:port`, as its transport listens. */
  readonly address: string;
}

/**
 * Sessions between nodes: for each ordered pair one at a time, dialled by the follower, who fetches, from the source, who
 * ships. A session has two lanes, each in order and without loss as long as it lasts: control (both ways) and data (source
 * to follower). What is said on control never waits behind data. A transport knows who is at the other end (cluster, node,
 * instance) and lets nobody else in. `@shanghai/replication/grpc` is the real form.
 */
export interface ReplicationTransport {
  /** Begins to hand out sessions. Called once. */
  open(handlers: TransportHandlers): void;
  /** Whose follower this node is: dials them, again whenever a session ends, waiting longer each time. Others are let go. */
  setPeers(peers: readonly ReplicationPeer[]): void;
  /** Ends all sessions, without telling. Idempotent. */
  close(): Promise<void>;
}

/** What a transport hands to its node. Never from within one of its own methods, and never after `close`. */
export interface TransportHandlers {
  /** A session stands. What it brings is handed to the handlers that are given back; nothing before. */
  onSession(session: TransportSession): SessionHandlers;
}

/** One session, as one of its ends sees it. Its methods do nothing once it has ended. */
export interface TransportSession {
  readonly peer: number;
  /** What this node is in it. */
  readonly role: 'follower' | 'source';
  /** Takes a message over; control is small, and bounded by what the protocol has to say. */
  sendControl(message: ControlMessage): void;
  /**
   * Takes a message over; only a source does. `false`: it is full, `onDrain` is called when there is place. One message
   * more is taken all the same.
   */
  sendData(message: DataMessage): boolean;
  /** Ends it. `reason`: for the other end's and people's eyes. Nothing is told of it any more. A dialled one is dialled anew later. */
  close(reason: string): void;
}

/** What is told of a session, never from within its own methods. */
export interface SessionHandlers {
  onControl(message: ControlMessage): void;
  onData(message: DataMessage): void;
  onDrain(): void;
  /** It is over, and not by `close`: once, and the last that is told. */
  onEnd(reason: string): void;
}
