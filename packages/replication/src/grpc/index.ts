export { createGrpcReplication, type GrpcReplication } from './grpc-replication.js';
export * from './grpc-replication-options.js';
export type { ConnectionUse } from './source-sessions.js';
