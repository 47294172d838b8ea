import type { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '@shanghai/env';

/** Who a node says it is. 1 to 128 printable ASCII characters without spaces, each. */
export interface GrpcSelf {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly instanceId: string;
}

const refusals = ['hello', 'protocol', 'cluster', 'node', 'unknown', 'removed', 'instance'] as const;

/** Why two nodes do not talk: docs/protocols/CLUSTER.md. */
export type GrpcRefusal = (typeof refusals)[number];

/** The refusal of a name; `undefined` for one that this version does not know. */
export function refusalNamed(name: string): GrpcRefusal | undefined {
  return refusals.find((refusal) => refusal === name);
}

/** Who belongs to the cluster, where that is known. Without a book everybody of the cluster id is let in. */
export interface MemberBook {
  check(nodeId: number, instanceId: string): 'known' | 'unknown' | 'otherInstance' | 'removed';
}

/** Somebody who was refused, by this node or by them. `nodeId` 0: it did not say. */
export interface RefusalEvent {
  readonly nodeId: number;
  readonly address: string;
  readonly reason: string;
  readonly refusal: GrpcRefusal | undefined;
  readonly isByOther: boolean;
}

/** What is told of connections. Every method is optional and must not throw. */
export interface GrpcTransportListener {
  connected?(nodeId: number, direction: 'in' | 'out'): void;
  disconnected?(nodeId: number, direction: 'in' | 'out', reason: string): void;
  refused?(event: RefusalEvent): void;
  /** Frames to an address are dropped: it cannot be reached, or does not read. Told once in a row. */
  dropped?(address: string, reason: string): void;
}

/** Times and bounds. Milliseconds and bytes. */
export interface GrpcTransportLimits {
  /** Whoever has not answered the hello by then is not reached. Default 1,000. */
  readonly connectTimeoutMs: number;
  /** After a failure nothing is dialled for so long. Default 200. */
  readonly retryMs: number;
  /** After a refusal. Default 5,000. */
  readonly refusedRetryMs: number;
  /** A connection on which nothing was sent for so long is closed. Default 60,000. */
  readonly idleMs: number;
  /** Silence after which a sign of life is asked for, and how long there is for it. Defaults 4,000 and 2,000. */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** What may wait to be written to one node; more is dropped. Default 2 MiB. */
  readonly bufferBytes: number;
  /** Connections dialled; of more the one that was idle longest is closed. Default 1,024. */
  readonly maxConnections: number;
}

/** What may be left out. */
export const defaultGrpcTransportLimits: GrpcTransportLimits = {
  connectTimeoutMs: 1_000,
  retryMs: 200,
  refusedRetryMs: 5_000,
  idleMs: 60_000,
  keepaliveMs: 4_000,
  keepaliveTimeoutMs: 2_000,
  bufferBytes: 2_097_152,
  maxConnections: 1_024,
};

/** Fills in what is missing. Throws `RangeError` where a limit is not an integer from 1 on. */
export function resolveGrpcTransportLimits(limits: Partial<GrpcTransportLimits> = {}): GrpcTransportLimits {
  const resolved = { ...defaultGrpcTransportLimits, ...limits };
  for (const [name, value] of Object.entries(resolved)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} is ${value}; it is at least 1`);
  }
  return resolved;
}

/** What a transport is made with. */
export interface GrpcTransportOptions {
  readonly self: GrpcSelf;
  readonly clock: Clock;
  readonly book?: MemberBook;
  /** For dialling. Default: nothing is encrypted and nobody is authenticated. */
  readonly credentials?: ChannelCredentials;
  readonly limits?: Partial<GrpcTransportLimits>;
  readonly listener?: GrpcTransportListener;
}

/** A listener that cuts connections on which nothing is carried. */
export interface KeptConnections {
  /** A stream was let in on the connection from `address`, as gRPC names it. */
  keep(address: string): void;
  /** Such a stream has ended. */
  release(address: string): void;
}

/** What a transport with a listener of its own is opened with. */
export interface GrpcListenerOptions extends GrpcTransportOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly serverCredentials?: ServerCredentials;
}
