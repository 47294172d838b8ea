export { PeerError, type PeerErrorCode } from '../wire/peer-error.js';
export * from './grpc-peers-options.js';
export { type GrpcPeers, openGrpcPeers } from './open-grpc-peers.js';
