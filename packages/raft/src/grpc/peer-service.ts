import type { ServiceDefinition } from '@grpc/grpc-js';
import type { PeerLane } from './grpc-peers-options.js';

/** The paths of the methods, which carry bytes of this project's own and no protocol buffers. */
export const lanePaths: Readonly<Record<PeerLane, string>> = {
  control: '/shanghai.v1.Peer/Control',
  log: '/shanghai.v1.Peer/Log',
  snapshot: '/shanghai.v1.Peer/Snapshot',
};

/** Bytes as the library wants them; no copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytes as they came. */
export function asBytes(buffer: Buffer): Uint8Array {
  return buffer;
}

function laneMethod(lane: PeerLane) {
  return {
    path: lanePaths[lane],
    requestStream: true,
    responseStream: true,
    requestSerialize: asBuffer,
    requestDeserialize: asBytes,
    responseSerialize: asBuffer,
    responseDeserialize: asBytes,
  };
}

/** The service, for the library. */
export const peerService: ServiceDefinition = {
  control: laneMethod('control'),
  log: laneMethod('log'),
  snapshot: laneMethod('snapshot'),
};
