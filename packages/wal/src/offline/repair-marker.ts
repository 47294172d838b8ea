import { type Disk, replaceFile } from '@shanghai/env';
import type { Lsn } from '../wal.js';

/** The file a repair leaves: acknowledged records may be missing from this log. */
export const repairMarkerName = 'repaired.json';

/** What the file says. */
export interface RepairMarker {
  readonly mode: 'truncate-tail' | 'salvage';
  /** ISO 8601. */
  readonly time: string;
  /** Last LSN kept. */
  readonly lastLsn: Lsn;
}

/** Leaves the marker, durably. It is left before anything is changed: a repair that a crash interrupts must not go unnoticed. */
export async function leaveRepairMarker(disk: Disk, directory: string, marker: RepairMarker): Promise<void> {
  await replaceFile(disk, `${directory}/${repairMarkerName}`, Buffer.from(`${JSON.stringify(marker)}\n`));
}
