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
export { ReplicationError, type ReplicationErrorCode } from './core/replication-error.js';
