/**
 * The counters of a group's state: one record, written with every run. 64 bytes:
 *
 *   0        1..3  4      8              16            24        32        40               48                56
 *   version  0     slots  applied index  applied term  revision  log time  next session id  settings version  max value bytes
 */
import { invariant } from '@shanghai/env';
import { readU32, readU64, writeU32, writeU64 } from './byte-fields.js';

/** See the fields. All start at 0 but the next session id (1) and the largest value (16 MiB). */
export interface GroupCounters {
  /** Index of the last entry in the state. */
  appliedIndex: number;
  appliedTerm: number;
  /** Of the last write operation. */
  revision: number;
  /** Milliseconds since 1970; never falls. */
  logTimeMs: number;
  nextSessionId: number;
  settingsVersion: number;
  /** Largest value a key may hold. */
  maxValueBytes: number;
  /** Slots of the cluster; results of requests name theirs. */
  slots: number;
}

const version = 1;
const recordBytes = 64;

/** The counters of an empty state. */
export function emptyCounters(): GroupCounters {
  return {
    appliedIndex: 0,
    appliedTerm: 0,
    revision: 0,
    logTimeMs: 0,
    nextSessionId: 1,
    settingsVersion: 0,
    maxValueBytes: 16 * 1024 * 1024,
    slots: 1024,
  };
}

/** The record's bytes. */
export function encodeCounters(counters: GroupCounters): Buffer {
  const bytes = Buffer.alloc(recordBytes);
  bytes[0] = version;
  writeU32(bytes, 4, counters.slots);
  writeU64(bytes, 8, counters.appliedIndex);
  writeU64(bytes, 16, counters.appliedTerm);
  writeU64(bytes, 24, counters.revision);
  writeU64(bytes, 32, counters.logTimeMs);
  writeU64(bytes, 40, counters.nextSessionId);
  writeU64(bytes, 48, counters.settingsVersion);
  writeU64(bytes, 56, counters.maxValueBytes);
  return bytes;
}

/** Reads what `encodeCounters` wrote. */
export function decodeCounters(bytes: Uint8Array): GroupCounters {
  invariant(bytes.length === recordBytes && bytes[0] === version, `counters of version ${bytes[0]} are not known`);
  return {
    appliedIndex: readU64(bytes, 8),
    appliedTerm: readU64(bytes, 16),
    revision: readU64(bytes, 24),
    logTimeMs: readU64(bytes, 32),
    nextSessionId: readU64(bytes, 40),
    settingsVersion: readU64(bytes, 48),
    maxValueBytes: readU64(bytes, 56),
    slots: readU32(bytes, 4),
  };
}
