import { CtlError } from '../ctl-error.js';
import type { Damage, DumpedRecord, OfflineTools } from '../offline-tools.js';

/** What the offline commands will find. */
export interface MemoryDirectory {
  problems: readonly Damage[];
  tornTail: { readonly segment: string; readonly offset: number } | undefined;
  records: readonly DumpedRecord[];
  locked: boolean;
  /** What was done, in words, in order. */
  readonly done: string[];
}

/** A directory without damage and without records. */
export function createMemoryDirectory(): MemoryDirectory {
  return { problems: [], tornTail: undefined, records: [], locked: false, done: [] };
}

/** Offline tools that answer from `directory`, whatever path they are given. */
export function memoryTools(directory: MemoryDirectory): OfflineTools {
  const begin = (what: string) => {
    if (directory.locked)
      throw new CtlError('SERVICE_UNAVAILABLE', 'the directory is locked by pid 1 (shanghai server)');
    directory.done.push(what);
  };
  return {
    wal: {
      async verify(_path, { onProgress }) {
        begin('wal verify');
        onProgress(50, 100);
        const { problems, tornTail, records } = directory;
        const sizes = { segments: 1, records: records.length, bytes: 100 };
        return { ...sizes, firstLsn: 1, lastLsn: records.length, tornTail, lost: [], problems };
      },
      async *dump(_path, { from = 1, to = Number.POSITIVE_INFINITY, stream }) {
        begin('wal dump');
        for (const record of directory.records) {
          if (record.lsn >= from && record.lsn < to && (stream === undefined || record.stream === stream)) yield record;
        }
        for (const damage of directory.problems) yield { damage };
      },
      async truncateTail() {
        begin('wal truncate-tail');
        const [damage] = directory.problems;
        const changed = damage !== undefined;
        return { changed, ...(changed ? { damage } : {}), copies: changed ? ['1.damaged'] : [], lastLsn: 7 };
      },
      async salvage(_path, outDirectory) {
        begin(`wal salvage ${outDirectory}`);
        return { records: 5, firstLsn: 1, lastLsn: 7, lost: [{ firstLsn: 3, lastLsn: 4 }] };
      },
    },
    bitcask: {
      async verify() {
        begin('bitcask verify');
        return { segments: 2, records: 10, bytes: 2048, problems: directory.problems };
      },
      async stats() {
        begin('bitcask stats');
        return { keys: 10, liveBytes: 2048, staleRatio: 0.25, durability: 'never', merge: { state: 'idle' } };
      },
      async merge() {
        begin('bitcask merge');
        return { segmentsMerged: 2, bytesBefore: 4096, bytesAfter: 2048 };
      },
      async snapshot(_path, target) {
        begin(`bitcask snapshot ${target}`);
        return { files: 2, bytes: 2048, sequence: 10, linked: 2, copied: 0 };
      },
      async rebuildHints() {
        begin('bitcask rebuild-hints');
        return { hints: 2, problems: directory.problems };
      },
    },
  };
}
