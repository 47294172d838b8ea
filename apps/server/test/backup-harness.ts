/** Saving and restoring on a disk in memory, as `shanghaictl snapshot` does over the network. */
import { createSeededRandom, type Disk, readWholeFile } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import { archiveLog } from '../src/backup/archive-log.js';
import { ArchiveWriter } from '../src/backup/archive-writer.js';
import type { BackupManifest } from '../src/backup/backup-manifest.js';
import { writeNewFile } from '../src/backup/new-directory.js';
import { type RestoreOptions, type RestoreReport, restoreBackup } from '../src/backup/restore-backup.js';
import { saveBackup } from '../src/backup/save-backup.js';
import type { ShanghaiNode } from '../src/node.js';

export const never: AbortSignal = new AbortController().signal;

export async function save(node: ShanghaiNode, disk: Disk, directory: string): Promise<BackupManifest> {
  if (node.saveSnapshot === undefined) throw new Error('the node gives no backups');
  return saveBackup(node.saveSnapshot({ stale: false, signal: never }), { disk, directory });
}

/** One pass; resolves to the last entry archived of each group. */
export async function archive(node: ShanghaiNode, disk: Disk, directory: string, after?: BackupManifest) {
  const { readGroupLog } = node;
  if (readGroupLog === undefined) throw new Error('the node shows no log');
  const { clusterId } = node.status();
  const writer = await ArchiveWriter.open(disk, directory, clusterId);
  try {
    return await archiveLog({
      writer,
      source: (groupId, fromIndex) => readGroupLog.call(node, groupId, fromIndex, never),
      clusterId,
      groups: [1, 0],
      ...(after === undefined ? {} : { after }),
    });
  } finally {
    await writer.close();
  }
}

export function restore(
  disk: Disk,
  backup: string,
  dataDirectory: string,
  more: Partial<RestoreOptions> = {},
): Promise<RestoreReport> {
  return restoreBackup({
    disk,
    clock: createManualClock(5_000_000),
    random: createSeededRandom(9),
    backup,
    dataDirectory,
    members: [],
    clusterToken: 'shanghai',
    checksums: true,
    ...more,
  });
}

/** The checksum of each group now, as `groupId → checksum`. */
export async function checksums(node: ShanghaiNode): Promise<Record<number, string>> {
  return Object.fromEntries((await node.checksums()).map(({ groupId, checksum }) => [groupId, checksum]));
}

/** Copies a directory from one disk to another. */
export async function copyTree(from: Disk, to: Disk, directory: string): Promise<void> {
  await to.makeDirectory(directory);
  for (const name of await from.list(directory)) {
    const path = `${directory}/${name}`;
    if ((await from.stat(path))?.kind === 'directory') await copyTree(from, to, path);
    else await writeNewFile(to, path, (await readWholeFile(from, path, 1 << 30)) ?? new Uint8Array(0));
  }
}

/** The files below a directory. */
export async function filesBelow(disk: Disk, directory: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await disk.list(directory)) {
    const path = `${directory}/${name}`;
    if ((await disk.stat(path))?.kind === 'directory') found.push(...(await filesBelow(disk, path)));
    else found.push(path);
  }
  return found;
}
