/** The backups of a directory, and which of them go when only so many are to be kept. */
import type { Disk } from '@shanghai/env';
import { removeIfPresent } from '../logs/remove-tree.js';
import { BackupError } from './backup-error.js';
import { type BackupManifest, readManifest } from './backup-manifest.js';
import { isPartialName, partialName } from './new-directory.js';

/** A backup, or what is left of one that was never finished. */
export interface FoundBackup {
  readonly name: string;
  /** Absent: it is not whole, and `problem` says why. */
  readonly manifest?: BackupManifest;
  readonly bytes: number;
  readonly problem?: string;
}

/** The backups in a directory, the oldest first, then what is none. Directories that never were to be backups are left out. */
export async function listBackups(disk: Disk, parent: string): Promise<readonly FoundBackup[]> {
  const found: FoundBackup[] = [];
  for (const name of await disk.list(parent)) {
    if ((await disk.stat(`${parent}/${name}`))?.kind !== 'directory') continue;
    if (isPartialName(name)) {
      found.push({
        name,
        bytes: 0,
        problem: 'it was never finished, or is being made; remove it when nobody writes it',
      });
      continue;
    }
    const one = await readOne(disk, parent, name);
    if (one !== undefined) found.push(one);
  }
  return found.sort((a, b) => (a.manifest?.timeMs ?? Infinity) - (b.manifest?.timeMs ?? Infinity));
}

/**
 * Removes the oldest backups of a cluster until `kept` are left, the one that is `newest` among them whatever its time.
 * Resolves to the names of those that went. Each is no backup any more before the first file of it goes.
 */
export async function pruneBackups(
  disk: Disk,
  parent: string,
  { clusterId, newest, kept }: { readonly clusterId: string; readonly newest: string; readonly kept: number },
): Promise<readonly string[]> {
  const own = (await listBackups(disk, parent)).filter(
    ({ manifest, name }) => manifest?.clusterId === clusterId && name !== newest,
  );
  const gone: string[] = [];
  for (const { name, manifest } of own.slice(0, Math.max(0, own.length - (kept - 1)))) {
    const path = `${parent}/${name}`;
    const partial = partialName(path, manifest?.backupId ?? '');
    await disk.rename(path, partial);
    await disk.syncDirectory(parent);
    await removeIfPresent(disk, partial);
    gone.push(name);
  }
  return gone;
}

async function readOne(disk: Disk, parent: string, name: string): Promise<FoundBackup | undefined> {
  try {
    const manifest = await readManifest(disk, `${parent}/${name}`);
    const bytes = manifest.groups.flatMap(({ files }) => files).reduce((sum, file) => sum + file.bytes, 0);
    return { name, manifest, bytes };
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    return error.code === 'NOT_FOUND' ? undefined : { name, bytes: 0, problem: error.message };
  }
}
