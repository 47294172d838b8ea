import type { StreamId } from '../core/entry-id.js';
import type { StreamPosition } from '../core/stream-position.js';

/** What a replicator tells of. Every method is optional and must not throw. */
export interface ReplicationListener {
  /** A session stands; `role` is this node's. */
  connected?(peer: number, role: 'follower' | 'source'): void;
  /** It has ended, whoever ended it. */
  disconnected?(peer: number, role: 'follower' | 'source', reason: string): void;
  /** A follower has lacked entries of an origin for `laggingMs`, or for `staleMs`: once each until it has caught up. */
  behind?(origin: number, follower: number, state: 'lagging' | 'stale', lagEntries: number): void;
  /** It was told to be behind and lacks nothing any more. */
  caughtUp?(origin: number, follower: number): void;
  /** There is something to ship and no credit for it; and there is some again. */
  blocked?(follower: number): void;
  unblocked?(follower: number, blockedMs: number): void;
  /** Streams of any origin, this node's own among them, are durable here up to there. */
  advanced?(positions: readonly StreamPosition[]): void;
  /** Bytes of entries that went out, and that came in and are durable. */
  shipped?(follower: number, entries: number, bytes: number): void;
  received?(source: number, entries: number, bytes: number): void;
  /** Entries of an origin are now fetched from another source; `undefined`: from nobody. */
  sourceChanged?(origin: number, source: number | undefined): void;
  /** What is missing before `firstSequence` was trimmed everywhere this node could ask, and was passed over. */
  skipped?(stream: StreamId, firstSequence: number, source: number): void;
  /** An entry could not be read for a follower. Other streams go on; this one is tried again. Told once until it can be read. */
  unreadable?(stream: StreamId, sequence: number, follower: number, error: unknown): void;
  /** A peer holds entries of this node that it does not hold itself: its directory was put back. It goes on in a new epoch. */
  reverted?(stream: StreamId, ownSequence: number, peer: number, peerSequence: number, newEpoch: number): void;
  /** Two nodes hold another entry under the same name, which a promise of their stores excludes. The session was ended. */
  diverged?(stream: StreamId, sequence: number, peer: number): void;
}
