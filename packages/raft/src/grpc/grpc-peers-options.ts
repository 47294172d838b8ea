import type { ChannelCredentials, Server, ServerCredentials } from '@grpc/grpc-js';
import type { Clock, Random } from '@shanghai/env';
import type { Refusal } from './hello.js';

/** Who a node says it is. Each string has 1 to 128 printable ASCII characters without spaces. */
export interface PeerSelf {
  readonly clusterId: string;
  readonly nodeId: number;
  /** The data directory's: other where it was replaced, restored or copied. */
  readonly instanceId: string;
  /** Other after each start of the process. */
  readonly startId: string;
}

/** What the node table knows. Asked at every connection, and again of those that stand whenever the peers are set. */
export interface PeerBook {
  check(nodeId: number, instanceId: string): 'known' | 'unknown' | 'otherInstance' | 'removed';
  /** The lowest version of the protocol that may be spoken: whoever speaks less is too old for the cluster. Default 1. */
  lowestProtocol?(): number;
}

/** What peers are opened with. */
export interface GrpcPeersOptions {
  /** Where to listen: an address, or a name, of which the first address is taken. */
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly self: PeerSelf;
  readonly book: PeerBook;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<GrpcPeersLimits>;
  readonly listener?: GrpcPeersListener;
  /** Adds services of others to the listener, before it listens. They judge by themselves who may use them. */
  readonly extend?: (server: Server, connections: SharedConnections) => void;
  /** Without them nothing is encrypted and nobody is authenticated. */
  readonly credentials?: { readonly client: ChannelCredentials; readonly server: ServerCredentials };
}

/** Connections on which something else than consensus is carried. */
export interface SharedConnections {
  /** A stream was let in on the connection from `address`, as gRPC names it: it is not cut as idle. */
  keep(address: string): void;
  /** Such a stream has ended. */
  release(address: string): void;
}

/** Times and bounds. Milliseconds and bytes. */
export interface GrpcPeersLimits {
  /** A peer that has not answered the hello by then is dialled anew. Default 2,000. */
  readonly connectTimeoutMs: number;
  /** Between attempts: doubles from the first to the second with each failure, less up to half of it. Defaults 50 and 1,000. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** After a refusal, which only a person can change. Default 5,000. */
  readonly refusedRetryMs: number;
  /** Silence after which a peer is asked for a sign of life, and how long it has for that. Defaults 2,000 and 3,000. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** A connection without a stream is hung up on. Default 10,000. */
  readonly idleConnectionMs: number;
  /** What may wait to be written to a peer; what comes beyond it is dropped. Defaults 1 MiB and 32 MiB. */
  readonly controlBufferBytes: number;
  readonly logBufferBytes: number;
  /** The largest entry; the same on all nodes. Default 32 MiB. */
  readonly maxEntryBytes: number;
  /** All snapshots that are sent together. Default 64 MiB. */
  readonly snapshotBytesPerSecond: number;
  /** Bytes of a snapshot on their way to its receiver's disk, 512 KiB at least. Default 2 MiB. */
  readonly snapshotWindowBytes: number;
  /** Snapshots that come in at a time; others wait. Default 2. */
  readonly maxSnapshotsReceived: number;
  /** A snapshot of which nothing was heard for so long is broken off. Default 30,000. */
  readonly snapshotIdleMs: number;
}

/** What may be left out. */
export const defaultGrpcPeersLimits: GrpcPeersLimits = {
  connectTimeoutMs: 2_000,
  retryMinMs: 50,
  retryMaxMs: 1_000,
  refusedRetryMs: 5_000,
  keepaliveMs: 2_000,
  keepaliveTimeoutMs: 3_000,
  idleConnectionMs: 10_000,
  controlBufferBytes: 1_048_576,
  logBufferBytes: 33_554_432,
  maxEntryBytes: 33_554_432,
  snapshotBytesPerSecond: 67_108_864,
  snapshotWindowBytes: 2_097_152,
  maxSnapshotsReceived: 2,
  snapshotIdleMs: 30_000,
};

/** A chunk must fit, and another one behind it, or every chunk waits for the disk. */
const leastWindowBytes = 524_288;

/** Fills in what is missing. Throws `RangeError` where a limit is not an integer from 1 on, or a window too small. */
export function resolveGrpcPeersLimits(limits: Partial<GrpcPeersLimits> = {}): GrpcPeersLimits {
  const resolved = { ...defaultGrpcPeersLimits, ...limits };
  for (const [name, value] of Object.entries(resolved)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} is ${value}; it is at least 1`);
  }
  if (resolved.snapshotWindowBytes < leastWindowBytes) {
    throw new RangeError(`snapshotWindowBytes is ${resolved.snapshotWindowBytes}; it is at least ${leastWindowBytes}`);
  }
  return resolved;
}

/** One of the ways between two nodes. */
export type PeerLane = 'control' | 'log' | 'snapshot';

/** A stream between this node and another. `direction`: who dialled; what is sent goes `out`. */
export interface PeerStreamEvent {
  readonly nodeId: number;
  readonly lane: PeerLane;
  readonly direction: 'in' | 'out';
}

/** Two nodes that do not talk, and why: in words, and as docs/formats/peer-protocol.md names it. */
export interface PeerRefusalEvent extends PeerStreamEvent {
  readonly address: string;
  readonly reason: string;
  /** Absent: the other node has a reason that this version does not know. */
  readonly refusal?: Refusal;
  /** Whether the other node does not want this one; else this one does not want the other. */
  readonly isByPeer: boolean;
}

/** What is told of connections. Every method is optional and must not throw. */
export interface GrpcPeersListener {
  connected?(event: PeerStreamEvent): void;
  /** `reason`: why, where it was not this node's own wish. */
  disconnected?(event: PeerStreamEvent & { readonly reason: string }): void;
  /** A peer that could not be reached; told once for each reason in a row. */
  unreachable?(event: PeerStreamEvent & { readonly address: string; readonly reason: string }): void;
  /** Somebody who does not belong here, or does not want this node. `nodeId` 0: it did not say. Outgoing ones are told once in a row. */
  refused?(event: PeerRefusalEvent): void;
  /** Frames are dropped, because a peer does not read, until it has read some. */
  blocked?(event: PeerStreamEvent & { readonly waitingBytes: number }): void;
  /** Bytes of one frame. */
  sent?(nodeId: number, lane: PeerLane, bytes: number): void;
  received?(nodeId: number, lane: PeerLane, bytes: number): void;
}
