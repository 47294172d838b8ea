import type { ServerDuplexStream, ServiceDefinition } from '@grpc/grpc-js';

/** The paths of the methods, which carry bytes of this project's own and no protocol buffers. */
export const lanePaths = {
  control: '/shanghai.v1.Replication/Control',
  data: '/shanghai.v1.Replication/Data',
} as const;

/** A call on one of the lanes, as a server sees it. */
export type LaneCall = ServerDuplexStream<Uint8Array, Uint8Array>;

/** Bytes as the library wants them; no copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytes as they came. */
export function asBytes(buffer: Buffer): Uint8Array {
  return buffer;
}

function laneMethod(path: string) {
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: asBuffer,
    requestDeserialize: asBytes,
    responseSerialize: asBuffer,
    responseDeserialize: asBytes,
  };
}

/** The service, for the library. */
export const replicationService: ServiceDefinition = {
  control: laneMethod(lanePaths.control),
  data: laneMethod(lanePaths.data),
};
