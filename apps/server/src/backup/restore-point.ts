/** To which entry a group is brought, as an archive can. */
import type { Disk } from '@shanghai/env';
import { readArchive } from './archive-directory.js';
import { logTimeOf } from './archive-file.js';
import { BackupError } from './backup-error.js';
import type { ManifestGroup } from './backup-manifest.js';
import type { GroupLogEntry } from './backup-parts.js';

/** What is wanted: the last entry of the data group, or a time that no entry is beyond. Both absent: all there is. */
export interface RestoreUntil {
  readonly index?: number;
  /** Milliseconds since 1970. */
  readonly timeMs?: number;
}

/** The last entry that is applied. */
export interface RestorePoint {
  readonly index: number;
  readonly term: number;
}

/** An archive of a group behind a backup of it. */
export interface GroupArchive {
  readonly disk: Disk;
  readonly directory: string;
  readonly cut: ManifestGroup;
}

/** The entries behind the backup's cut. Throws as `readArchive` does. */
export async function* entriesBehind({
  disk,
  directory,
  cut,
}: GroupArchive): AsyncGenerator<readonly GroupLogEntry[], void, undefined> {
  for await (const { entries } of readArchive(disk, directory, cut.groupId, cut.appliedIndex + 1)) {
    const fresh = entries.filter(({ index }) => index > cut.appliedIndex);
    if (fresh.length > 0) yield fresh;
  }
}

/** Finds the last entry that is wanted. Rejects with `BackupError` where the archive does not come to it. */
export async function findPoint(archive: GroupArchive, until: RestoreUntil): Promise<RestorePoint> {
  const { cut } = archive;
  refuseBefore(cut, until);
  const last = { index: cut.appliedIndex, term: cut.appliedTerm, timeMs: cut.logTimeMs };
  if (last.index === until.index) return last;
  for await (const entries of entriesBehind(archive)) {
    for (const entry of entries) {
      const timeMs = logTimeOf(entry);
      if (timeMs !== undefined && until.timeMs !== undefined && timeMs > until.timeMs) return last;
      last.index = entry.index;
      last.term = entry.term;
      last.timeMs = timeMs ?? last.timeMs;
      if (last.index === until.index) return last;
    }
  }
  if (until.index === undefined && until.timeMs === undefined) return last;
  const { groupId } = cut;
  throw new BackupError(
    'OUT_OF_RANGE',
    `the archive ends at entry ${last.index} of group ${groupId}, of ${isoTime(last.timeMs)}, before the point that was asked for; ` +
      'archive more, or restore to its end without --until',
    { details: { groupId, lastIndex: last.index, lastTimeMs: last.timeMs } },
  );
}

function refuseBefore({ appliedIndex, logTimeMs }: ManifestGroup, { index, timeMs }: RestoreUntil): void {
  if (index !== undefined && index < appliedIndex) {
    throw new BackupError(
      'INVALID_REQUEST',
      `the backup is at entry ${appliedIndex}, behind ${index}; use an earlier one`,
    );
  }
  if (timeMs === undefined || timeMs >= logTimeMs) return;
  throw new BackupError(
    'INVALID_REQUEST',
    `the backup is of ${isoTime(logTimeMs)}, later than ${isoTime(timeMs)}; use an earlier one`,
  );
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
