/** Checks an archive, every byte of it, and says to which entries it can bring a backup. */
import type { Disk } from '@shanghai/env';
import { archiveFiles, readArchive, readArchiveMark } from './archive-directory.js';
import { BackupError } from './backup-error.js';

/** Entries without a gap. */
export interface ArchiveRun {
  readonly groupId: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** Of the last command; 0 = there is none. */
  readonly lastTimeMs: number;
}

/** What a check saw. */
export interface ArchiveReport {
  readonly clusterId: string;
  readonly runs: readonly ArchiveRun[];
  /** Empty: all of it is what was written. */
  readonly findings: readonly { readonly file: string; readonly what: string }[];
}

/** Reads all of an archive; `undefined` where the directory is none. Damage is found, not thrown. */
export async function verifyArchive(
  disk: Disk,
  directory: string,
  signal?: AbortSignal,
): Promise<ArchiveReport | undefined> {
  const mark = await readArchiveMark(disk, directory);
  if (mark === undefined) return undefined;
  const runs: ArchiveRun[] = [];
  const findings: { file: string; what: string }[] = [];
  for (const name of await disk.list(`${directory}/groups`).catch(() => [])) {
    const groupId = Number(name);
    let next = 0;
    for (const { path, firstIndex } of await archiveFiles(disk, directory, groupId)) {
      if (firstIndex < next) continue;
      const run = { groupId, firstIndex, lastIndex: firstIndex - 1, lastTimeMs: 0 };
      try {
        for await (const { entries, lastLogTimeMs } of readArchive(disk, directory, groupId, firstIndex)) {
          signal?.throwIfAborted();
          run.lastIndex += entries.length;
          run.lastTimeMs = Math.max(run.lastTimeMs, lastLogTimeMs);
        }
      } catch (error) {
        if (!(error instanceof BackupError)) throw error;
        // Behind a gap the next run begins.
        if (error.code !== 'OUT_OF_RANGE') findings.push({ file: path, what: error.message });
      }
      runs.push(run);
      next = run.lastIndex + 1;
    }
  }
  return { clusterId: mark.clusterId, runs, findings };
}
