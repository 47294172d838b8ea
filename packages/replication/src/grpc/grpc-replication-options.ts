import type { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import type { Clock, Random } from '@shanghai/env';
import type { Refusal } from './hello.js';

/** Who a node says it is. Each string has 1 to 128 printable ASCII characters without spaces. */
export interface ReplicationSelf {
  readonly clusterId: string;
  /** ≥ 1. */
  readonly nodeId: number;
  /** The data directory's: other where it was replaced, restored or copied. */
  readonly instanceId: string;
}

/** What the node table knows. Asked at every hello. */
export interface ReplicationBook {
  check(nodeId: number, instanceId: string): 'known' | 'unknown' | 'otherInstance' | 'removed';
}

/** What a transport is made with. */
export interface GrpcReplicationOptions {
  readonly self: ReplicationSelf;
  readonly book: ReplicationBook;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<GrpcReplicationLimits>;
  readonly listener?: GrpcReplicationListener;
  /** Without them nothing is encrypted and nobody is authenticated. `server` counts for `listen` only. */
  readonly credentials?: { readonly client: ChannelCredentials; readonly server: ServerCredentials };
}

/** Times and bounds. Milliseconds and bytes. */
export interface GrpcReplicationLimits {
  /** A source that has not answered both streams by then is dialled anew. Default 2,000. */
  readonly connectTimeoutMs: number;
  /** Between attempts: doubles from the first to the second with each failure, less up to half of it. Defaults 50 and 1,000. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** After a refusal, which only a person can change. Default 5,000. */
  readonly refusedRetryMs: number;
  /** Silence after which the other side is asked for a sign of life, and how long it has for that. Defaults 2,000 and 3,000. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** The largest message: the largest entry and some more. The same on all nodes. Default 32 MiB. */
  readonly maxMessageBytes: number;
  /** What may wait to be written on the lane of control before the session is ended. Default 16 MiB. */
  readonly controlBufferBytes: number;
  /** How much of data the network may have under way to this node. Default 8 MiB. */
  readonly networkWindowBytes: number;
}

/** What may be left out. */
export const defaultGrpcReplicationLimits: GrpcReplicationLimits = {
  connectTimeoutMs: 2_000,
  retryMinMs: 50,
  retryMaxMs: 1_000,
  refusedRetryMs: 5_000,
  keepaliveMs: 2_000,
  keepaliveTimeoutMs: 3_000,
  maxMessageBytes: 33_554_432,
  controlBufferBytes: 16_777_216,
  networkWindowBytes: 8_388_608,
};

/** Fills in what is missing. Throws `RangeError` where a limit is not an integer from 1 on. */
export function resolveGrpcReplicationLimits(limits: Partial<GrpcReplicationLimits> = {}): GrpcReplicationLimits {
  const resolved = { ...defaultGrpcReplicationLimits, ...limits };
  for (const [name, value] of Object.entries(resolved)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} is ${value}; it is at least 1`);
  }
  return resolved;
}

/** Two nodes that do not talk. `nodeId` 0: it did not say. */
export interface ReplicationRefusalEvent {
  readonly nodeId: number;
  readonly reason: string;
  /** Absent: the other node has a reason that this version does not know. */
  readonly refusal?: Refusal;
  /** Whether the other node does not want this one; else this one does not want the other. */
  readonly isByPeer: boolean;
}

/** What is told of connections. Every method is optional and must not throw. */
export interface GrpcReplicationListener {
  /** A source that could not be reached; told once for each reason in a row. */
  unreachable?(event: { readonly nodeId: number; readonly address: string; readonly reason: string }): void;
  /** Somebody who does not belong here, or does not want this node. Outgoing ones are told once in a row. */
  refused?(event: ReplicationRefusalEvent): void;
}
