export { compareStamps, type EntryId, type EntryStamp, type StreamId, streamKey } from './core/entry-id.js';
export {
  advanceHlc,
  compareHlc,
  earlierHlc,
  type Hlc,
  hlcBytes,
  laterHlc,
  maxHlcCounter,
  nextHlc,
  stampHlc,
  zeroHlc,
} from './core/hlc.js';
export type { ControlMessage, DataMessage } from './core/message.js';
export { ReplicationError, type ReplicationErrorCode } from './core/replication-error.js';
export {
  checkRun,
  cutRun,
  entryHeaderBytes,
  lastSequenceOf,
  packEntries,
  type Run,
  unpackEntries,
} from './core/run.js';
export type { BehindLog, OriginMark, StreamPosition } from './core/stream-position.js';
export type { ReplicationListener } from './host/replication-listener.js';
export type {
  AcknowledgementLevel,
  FetchingStatus,
  FollowerState,
  FollowerStatus,
  ReplicatorStatus,
  ShippingStatus,
} from './host/replication-status.js';
export type { ReplicationMember, Replicator } from './host/replicator.js';
export { defaultReplicatorLimits, type ReplicatorLimits, type ReplicatorOptions } from './host/replicator-options.js';
export type { EntryStore, EntryStoreObserver, ReadResult, RowsPage } from './ports/entry-store.js';
export type {
  ReplicationPeer,
  ReplicationTransport,
  SessionHandlers,
  TransportHandlers,
  TransportSession,
} from './ports/replication-transport.js';
