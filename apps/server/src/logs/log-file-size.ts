import type { Disk } from '@shanghai/env';
import { listIfPresent } from './remove-tree.js';

/** What the segments in a log's directory take; nothing where there is none. */
export async function logFileSize(
  disk: Disk,
  directory: string,
): Promise<{ readonly bytes: number; readonly segments: number }> {
  const names = (await listIfPresent(disk, directory)).filter((name) => name.endsWith('.wal'));
  let bytes = 0;
  for (const name of names) bytes += (await disk.stat(`${directory}/${name}`))?.bytes ?? 0;
  return { bytes, segments: names.length };
}
