import type { LeaderAddress } from './leader-address.js';

/** What accompanies every request through the server. */
export interface RequestContext {
  /** Aborts when the caller gave up, its deadline passed, or its connection went. */
  readonly signal: AbortSignal;
  /** Whether `signal` has aborted, or would have by now: requests of one answer ask here, and need no signal made. */
  readonly isCancelled: boolean;
  readonly correlationId: string;
  /** The W3C trace context that the request came with. */
  readonly traceparent?: string | undefined;
  /** When the caller stops waiting, in milliseconds since 1970; absent: it did not say. */
  readonly deadlineMs?: number | undefined;
  /** Whether a node that does not lead may pass the request on to the one that does. Absent: no, it refuses and names it. */
  readonly mayForward?: boolean;
  /** Told, before it happens, to which node the request is passed on. */
  passedOn?(leader: LeaderAddress): void;
}

/** How fresh a read must be, and how it was routed. */
export interface ReadContext {
  /** Default keyspace is `''`. */
  readonly keyspace: string;
  readonly level: 'linearizable' | 'session' | 'stale';
  /** Level `session`: from an earlier answer. */
  readonly token?: Uint8Array;
  readonly routed?: RoutedBy;
}

/** Whose write this is, and how it was routed. */
export interface WriteContext {
  readonly keyspace: string;
  readonly session?: SessionRequest;
  readonly routed?: RoutedBy;
}

/** A request's place in its session; `retry` marks a repetition. */
export interface SessionRequest {
  readonly sessionId: number;
  /** ≥ 1. */
  readonly requestNumber: number;
  readonly retry: boolean;
}

/** The slot a client computed and the epoch of the table it used. */
export interface RoutedBy {
  readonly slot: number;
  readonly epoch: number;
}

/** An answer with what a later `session` read needs, and how old the answering replica's news of its leader is (0: it leads, or the read was linearizable). */
export interface Answered<T> {
  readonly value: T;
  readonly token: Uint8Array;
  readonly staleMs: number;
}
