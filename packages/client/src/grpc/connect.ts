import type { ShanghaiClient } from '../client.js';
import { createClient } from '../client.js';
import type { ClientOptions } from '../client-options.js';
import { type GrpcTransportOptions, grpcTransport } from './grpc-transport.js';

/** Options of the client and of its connections. */
export interface ConnectOptions extends ClientOptions, GrpcTransportOptions {}

/**
 * A client over gRPC. Returns at once; the first call connects. Close it when done: open connections keep a process
 * alive. Throws `TypeError` or `RangeError` for options that cannot work.
 */
export function connect(options: ConnectOptions): ShanghaiClient {
  const { credentials, connectTimeoutMs, ...clientOptions } = options;
  const transport = grpcTransport({
    ...(credentials === undefined ? {} : { credentials }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  return createClient(transport, clientOptions);
}
