/** Records as the first release wrote them: one for each thing, in groups of one voter. Read, never written. */
import { type Entry, type EntryId, type HardState, noData } from '../core/entry.js';
import { damagedRecord, RecordReader } from './record-reader.js';
import { unsupported } from './write-record.js';

/** What such a record says. */
export type FirstReleaseRecord =
  | { readonly entry: Entry }
  | { readonly hardState: HardState }
  | { readonly compaction: EntryId };

const kinds = { entry: 1, hardState: 2, compaction: 3 } as const;

/** Reads one. Throws `RaftError` `LOG_DAMAGED` or `UNSUPPORTED_FORMAT`, the latter also for a kind that is not known. */
export function decodeFirstReleaseRecord(kind: number, payload: Uint8Array): FirstReleaseRecord {
  if (kind < kinds.entry || kind > kinds.compaction) throw unsupported(`a record of kind ${kind}`);
  const reader = new RecordReader(payload);
  const version = reader.u8();
  if (version !== 1) throw unsupported(`a record of kind ${kind} and version ${version}`);
  const type = reader.u8();
  reader.skip(6);
  const index = reader.u64();
  const term = reader.u64();
  if (kind === kinds.hardState) {
    const vote = reader.u64();
    reader.end();
    return { hardState: { term, vote, commit: index } };
  }
  if (kind === kinds.entry) {
    if (type > 1) throw unsupported(`an entry of type ${type}`);
    if (index === 0) throw damagedRecord('an entry 0');
    const data = type === 1 ? noData : payload.subarray(24);
    return { entry: { term, index, type: 'EntryNormal', data } };
  }
  reader.end();
  return { compaction: { index, term } };
}
