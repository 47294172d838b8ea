import type { Disk } from '@shanghai/env';
import { closedLoop } from '../closed-loop.js';
import type { Measurement } from '../report.js';

const fileBytes = 4 * 1_048_576;

/** What one caller of a log can reach at best: write and sync through the same disk port, without any log. */
export async function measureRawAppends(
  disk: Disk,
  path: string,
  recordBytes: number,
  seconds: number,
): Promise<Measurement> {
  const file = await disk.open(path, 'create');
  try {
    await file.write(new Uint8Array(fileBytes), 0);
    await file.sync();
    const record = new Uint8Array(recordBytes).fill(7);
    const places = Math.floor(fileBytes / recordBytes);
    return await closedLoop(
      async (number) => {
        await file.write(record, (number % places) * recordBytes);
        await file.sync();
      },
      { callers: 1, seconds },
    );
  } finally {
    await file.close();
    await disk.remove(path);
  }
}
