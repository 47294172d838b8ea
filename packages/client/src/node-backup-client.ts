import type { SaveSnapshotResponse } from '@shanghai/proto';
import type { CallEnvironment } from './calls/call-environment.js';
import { streamOnce } from './calls/stream-once.js';
import { ClientError } from './client-error.js';
import type { BackupPart, NodeBackup } from './node-backup.js';
import { toNumber, toUint64 } from './wire/wire-values.js';

/** Copies of the node that a client is connected to. */
export function backupOf(environment: CallEnvironment): NodeBackup {
  return {
    async *snapshot(options = {}) {
      const request = { stale: options.stale ?? false };
      for await (const message of streamOnce(environment, 'saveSnapshot', request, options.signal)) {
        yield partOf(message);
      }
    },
    async *groupLog(groupId, { fromIndex, signal }) {
      const request = { groupId: toUint64(groupId, 'groupId'), fromIndex: toUint64(fromIndex, 'fromIndex') };
      for await (const message of streamOnce(environment, 'readGroupLog', request, signal)) {
        const { clusterId, entries, lastIndex } = message;
        yield {
          clusterId,
          entries: entries.map(({ index, term, type, data }) => ({
            index: toNumber(index),
            term: toNumber(term),
            type,
            data,
          })),
          lastIndex: toNumber(lastIndex),
        };
      }
    },
  };
}

function partOf({ part }: SaveSnapshotResponse): BackupPart {
  switch (part?.$case) {
    case 'header': {
      const { nodeId, timeMs, ...header } = part.value;
      return { type: 'header', ...header, nodeId: toNumber(nodeId), timeMs: toNumber(timeMs) };
    }
    case 'group': {
      const { groupId, appliedIndex, appliedTerm, revision, logTimeMs, files, bytes, completeToMs } = part.value;
      return {
        type: 'group',
        groupId: toNumber(groupId),
        appliedIndex: toNumber(appliedIndex),
        appliedTerm: toNumber(appliedTerm),
        revision: toNumber(revision),
        logTimeMs: toNumber(logTimeMs),
        files: toNumber(files),
        bytes: toNumber(bytes),
        ...(completeToMs === undefined ? {} : { completeToMs: toNumber(completeToMs) }),
      };
    }
    case 'file':
      return { type: 'file', name: part.value.name, bytes: toNumber(part.value.bytes) };
    case 'bytes':
      return { type: 'bytes', data: part.value.data, checksum: part.value.checksum };
    case 'end':
      return { type: 'end', files: toNumber(part.value.files), bytes: toNumber(part.value.bytes) };
    case undefined:
      throw new ClientError('UNSUPPORTED', 'the node sent a part of a backup that this version does not know');
  }
}
