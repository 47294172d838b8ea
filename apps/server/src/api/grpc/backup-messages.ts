import type { ReadGroupLogResponse, SaveSnapshotResponse } from '@shanghai/proto';
import type { BackupPart, GroupLogPage } from '../../backup/backup-parts.js';
import { asBuffer } from './wire-numbers.js';

/** A part of a backup as it travels. */
export function snapshotMessage(part: BackupPart, serverVersion: string): SaveSnapshotResponse {
  switch (part.type) {
    case 'header': {
      const { type, nodeId, timeMs, ...header } = part;
      const value = { ...header, serverVersion, nodeId: BigInt(nodeId), timeMs: BigInt(Math.trunc(timeMs)) };
      return { part: { $case: type, value } };
    }
    case 'group': {
      const { type, groupId, appliedIndex, appliedTerm, revision, logTimeMs, files, bytes, completeToMs } = part;
      const value = {
        groupId: BigInt(groupId),
        appliedIndex: BigInt(appliedIndex),
        appliedTerm: BigInt(appliedTerm),
        revision: BigInt(revision),
        logTimeMs: BigInt(logTimeMs),
        files: BigInt(files),
        bytes: BigInt(bytes),
        ...(completeToMs === undefined ? {} : { completeToMs: BigInt(Math.trunc(completeToMs)) }),
      };
      return { part: { $case: type, value } };
    }
    case 'file':
      return { part: { $case: part.type, value: { name: part.name, bytes: BigInt(part.bytes) } } };
    case 'bytes':
      return { part: { $case: part.type, value: { data: asBuffer(part.data), checksum: part.checksum } } };
    case 'end':
      return { part: { $case: part.type, value: { files: BigInt(part.files), bytes: BigInt(part.bytes) } } };
  }
}

/** Entries of a group's log as they travel. */
export function groupLogMessage({ clusterId, entries, lastIndex }: GroupLogPage): ReadGroupLogResponse {
  return {
    clusterId,
    entries: entries.map(({ index, term, type, data }) => ({
      index: BigInt(index),
      term: BigInt(term),
      type,
      data: asBuffer(data),
    })),
    lastIndex: BigInt(lastIndex),
  };
}
