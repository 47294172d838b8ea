import type { Disk } from '@shanghai/env';
import { baseLsnOf, isAheadName } from '../core/segment-names.js';

/** The files of a log's directory, by kind. */
export interface LogFiles {
  /** Segments by rising base LSN. */
  readonly segments: readonly { readonly name: string; readonly baseLsn: number }[];
  /** Files made ahead that were never used. */
  readonly ahead: readonly string[];
}

/** Lists a log's directory. Names of other kinds are left out. */
export async function listLogFiles(disk: Disk, directory: string): Promise<LogFiles> {
  const names = await disk.list(directory);
  const segments = names.flatMap((name) => {
    const baseLsn = baseLsnOf(name);
    return baseLsn === undefined ? [] : [{ name, baseLsn }];
  });
  return { segments: segments.sort((a, b) => a.baseLsn - b.baseLsn), ahead: names.filter(isAheadName) };
}
