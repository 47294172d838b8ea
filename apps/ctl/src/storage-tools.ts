import { nodeDisk } from '@shanghai/env';
import { bitcaskTools } from './bitcask-tools.js';
import type { OfflineTools } from './offline-tools.js';
import { walTools } from './wal-tools.js';

/** The stores' own offline functions on the disks of this machine. */
export function storageTools(): OfflineTools {
  const disk = nodeDisk();
  return { wal: walTools(disk), bitcask: bitcaskTools(disk) };
}
