export type { Credit } from './core/credit.js';
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
export type { AcknowledgementLevel } from './core/holdings.js';
export {
  compareKeys,
  defaultMaxAheadMs,
  type FoldOutcome,
  KeyspaceFold,
  type KeyspaceFoldOptions,
} from './core/keyspace/keyspace-fold.js';
export {
  emptyFoldState,
  type FoldState,
  type GivingId,
  type KeyEntry,
  type KeyspaceStore,
  type LastEntry,
  type StoredVerdict,
  type Takeover,
} from './core/keyspace/keyspace-store.js';
export {
  type DeleteOperation,
  entryKey,
  type KeyOperation,
  type KeyspaceEntry,
  type KeyspaceOperation,
  maxVerdictTargets,
  type PutOperation,
  type VerdictOperation,
  type VerdictTarget,
} from './core/keyspace/operation.js';
export { decodeOperation, encodeOperation } from './core/keyspace/operation-codec.js';
export {
  type LostVersion,
  type Row,
  settlementOf,
  type Version,
  versionOf,
  visibleVersion,
  winnerOf,
  withoutVersions,
} from './core/keyspace/row.js';
export { decodeRow, decodeWinner, encodeRow } from './core/keyspace/row-codec.js';
export { decodeRowPage, encodeRowPage, type GivenPage, type RowsEnd } from './core/keyspace/row-page-codec.js';
export {
  cleanRows,
  endTakeover,
  followsTakeover,
  isSameGiving,
  mergeRows,
  type OwnRows,
  type RowPage,
  type SnapshotTail,
  takeTail,
  type VerdictRecord,
} from './core/keyspace/row-snapshot.js';
export { hasSeen, type SeenVector, seenVector } from './core/keyspace/seen-vector.js';
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
export { openReplicator } from './host/open-replicator.js';
export type { ReplicationListener } from './host/replication-listener.js';
export type {
  FetchingStatus,
  FollowerPosition,
  FollowerState,
  FollowerStatus,
  ReplicatorStatus,
  ShippingStatus,
  StatusFilter,
} from './host/replication-status.js';
export type { ReplicationMember, Replicator } from './host/replicator.js';
export { defaultReplicatorLimits, type ReplicatorLimits, type ReplicatorOptions } from './host/replicator-options.js';
export type { CoveredStream, EntryStore, EntryStoreObserver, ReadResult, RowsPage } from './ports/entry-store.js';
export type {
  ReplicationPeer,
  ReplicationTransport,
  SessionHandlers,
  TransportHandlers,
  TransportSession,
} from './ports/replication-transport.js';
