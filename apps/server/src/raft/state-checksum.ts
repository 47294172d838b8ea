/**
 * A checksum of what a group replicates, for comparing copies on different nodes: equal where, and as good as only where,
 * two copies at the same entry hold the same. It does not depend on the engine, nor on what a node keeps for itself: notes,
 * owner, the engine's sequences, and expired entries that one engine has removed and another not yet.
 */
import { createHash, type Hash } from 'node:crypto';
import { loopTurn } from '@shanghai/env';
import { writeU32, writeU64 } from '../apply/byte-fields.js';
import { decodeCounters, emptyCounters, type GroupCounters } from '../apply/group-counters.js';
import { HiddenEntries, type HiddenOfLog } from '../apply/hidden-entries.js';
import { decodeLog, type LogCounters } from '../apply/log-table.js';
import { metaKey, statePrefix } from '../apply/state-keys.js';
import { decodeStream, type StreamCounters } from '../apply/stream-table.js';
import type { StorageEngine } from '../engine/storage-engine.js';
import type { LogFiles } from '../logs/log-files.js';
import { type LogPlace, placeOf, streamPlace } from '../logs/log-place.js';

/** What was summed up. */
export interface StateChecksum {
  /** The state is that of this entry. */
  readonly appliedIndex: number;
  /** SHA-256 in hexadecimal. */
  readonly checksum: string;
  readonly entries: number;
  /** Records of named logs that are in it. */
  readonly logRecords: number;
}

/** Entries may come from memory, many at a time: others get their turn in between. */
const entriesPerTurn = 500;

const nodeLocal: readonly number[] = [statePrefix.local, statePrefix.owner, statePrefix.originNotes];

/**
 * Reads a whole store and, with `files`, the readable records of its logs, which must be held. Other work goes on
 * meanwhile; rejects as the engine's export and the files do.
 */
export async function stateChecksum(store: StorageEngine, files?: LogFiles): Promise<StateChecksum> {
  const hash = createHash('sha256');
  const { entries } = await store.exportEntries();
  let counters: GroupCounters = emptyCounters();
  const logs: LogCounters[] = [];
  const streams: StreamCounters[] = [];
  const hidden = new HiddenEntries();
  let count = 0;
  // Keys come in order, the counters first: they say what has expired.
  for await (const { key, value, expiresAtMs } of entries) {
    if (nodeLocal.includes(key[0] as number)) continue;
    if (Buffer.compare(key, metaKey) === 0) counters = decodeCounters(value);
    if (expiresAtMs !== 0 && expiresAtMs <= counters.logTimeMs) continue;
    if (key[0] === statePrefix.log) logs.push(decodeLog(value));
    if (key[0] === statePrefix.stream) streams.push(decodeStream(value));
    if (key[0] === statePrefix.hidden) hidden.load([{ key, value }]);
    addFields(hash, key, value, expiresAtMs);
    if (++count % entriesPerTurn === 0) await loopTurn();
  }
  let logRecords = 0;
  if (files !== undefined) {
    for (const log of logs) logRecords += await addLog(hash, log, log, files, hidden.get(log.logId));
    for (const stream of streams) logRecords += await addLog(hash, streamPlace(stream), stream, files);
  }
  return { appliedIndex: counters.appliedIndex, checksum: hash.digest('hex'), entries: count, logRecords };
}

/** Of what compaction took away one copy still has the bytes, and another has not. */
async function addLog(
  hash: Hash,
  place: LogPlace,
  { firstSequence, lastSequence }: Pick<LogCounters, 'firstSequence' | 'lastSequence'>,
  files: LogFiles,
  hidden?: HiddenOfLog,
): Promise<number> {
  if (lastSequence < firstSequence) return 0;
  return files.use(placeOf(place), async (wal) => {
    let records = 0;
    for await (const { lsn, payload } of wal.entries({ from: firstSequence, to: lastSequence + 1 })) {
      if (hidden?.isHidden(lsn) === true) continue;
      addFields(hash, payload, noBytes, lsn);
      records++;
    }
    return records;
  });
}

const noBytes = new Uint8Array(0);

function addFields(hash: Hash, key: Uint8Array, value: Uint8Array, number: number): void {
  const head = Buffer.alloc(16);
  writeU32(head, 0, key.length);
  writeU32(head, 4, value.length);
  writeU64(head, 8, number);
  hash.update(head).update(key).update(value);
}
