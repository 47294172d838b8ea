import type { ChannelOptions, ServiceDefinition } from '@grpc/grpc-js';
import { maxFrameBytes } from '../wire/message-codec.js';
import type { GrpcTransportLimits } from './grpc-transport-options.js';

/** The path of the method, which carries frames of this project's own and no protocol buffers. */
export const exchangePath = '/shanghai.v1.Membership/Exchange';

/** Bytes as the library wants them; no copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytes as they came. */
export function asBytes(buffer: Buffer): Uint8Array {
  return buffer;
}

/** The service, for the library. */
export const membershipService: ServiceDefinition = {
  exchange: {
    path: exchangePath,
    requestStream: true,
    responseStream: true,
    requestSerialize: asBuffer,
    requestDeserialize: asBytes,
    responseSerialize: asBuffer,
    responseDeserialize: asBytes,
  },
};

/** The library's settings for both ends. */
export function channelOptions(limits: GrpcTransportLimits): ChannelOptions {
  return {
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    'grpc.max_receive_message_length': maxFrameBytes,
    'grpc.max_send_message_length': maxFrameBytes,
    'grpc.enable_channelz': 0,
  };
}
