import { type ChannelCredentials, credentials, type ClientOptions as GrpcClientOptions } from '@grpc/grpc-js';
import { type Clock, nodeClock } from '@shanghai/env';
import type { Transport } from '../transport.js';
import { GrpcChannel } from './grpc-channel.js';
import { createProcessKeeper } from './process-keeper.js';

/** How connections are made. */
export interface GrpcTransportOptions {
  /** How servers are recognised and this client to them. Default: not at all, without encryption. */
  readonly credentials?: ChannelCredentials;
  /** How long a connection may take to be made before the next endpoint is tried, in milliseconds. Default 1,000. */
  readonly connectTimeoutMs?: number;
  readonly clock?: Clock;
}

/** What a connection is set up with, beside sizes: the client does its own retries, and notices a peer that vanished. */
const channelOptions: GrpcClientOptions = {
  'grpc.enable_retries': 0,
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
};

/** Ways to servers over gRPC. */
export function grpcTransport(options: GrpcTransportOptions = {}): Transport {
  const settings = {
    credentials: options.credentials ?? credentials.createInsecure(),
    clock: options.clock ?? nodeClock(),
    connectTimeoutMs: options.connectTimeoutMs ?? 1_000,
    channelOptions,
  };
  return {
    open: (endpoint) => new GrpcChannel(endpoint, settings),
    keepAlive: createProcessKeeper(),
  };
}
