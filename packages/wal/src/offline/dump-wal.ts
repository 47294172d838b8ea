import type { Disk } from '@shanghai/env';
import { type WalItem, walkLog } from './walk-log.js';

/**
 * Everything a log's directory holds, in order: segments, frames with their records, damage, the tail. Takes no lock,
 * so that a read-only copy can be looked at; of a log that is being written it may show a tail that is not torn as torn.
 */
export function dumpWal(disk: Disk, directory: string): AsyncIterable<WalItem> {
  return walkLog(disk, directory);
}
