export { boundedReader } from './bounded-reader.js';
export {
  type ErrorCode,
  type ErrorTableRow,
  errorCodeOfGrpcStatus,
  errorTable,
  isErrorCode,
  wireMetadata,
} from './error-table.js';
export * from './gen/shanghai/v1/admin.js';
export * from './gen/shanghai/v1/cluster.js';
export * from './gen/shanghai/v1/internal.js';
export * from './gen/shanghai/v1/key_value.js';
export * from './gen/shanghai/v1/keyspace.js';
export * from './gen/shanghai/v1/log.js';
export { notPlain, PlainReader } from './plain-reader.js';
export { varintLength, writeVarint } from './plain-varint.js';
