/** A process that appends until it is killed, and says after every acknowledgement which LSN it was. */
import { openWal } from '../../src/index.js';
import { recordPayload } from './record-payload.js';

const wal = await openWal({ directory: process.argv[2] as string, segmentBytes: 65_536, firstSegmentBytes: 16_384 });
let next = wal.info().lastLsn + 1;
process.stdout.write(`open ${next - 1}\n`);
await Promise.all(
  Array.from({ length: 8 }, async () => {
    while (true) {
      const lsn = next++;
      const given = await wal.append(recordPayload(lsn, 50 + (lsn % 700)));
      if (given !== lsn) throw new Error(`LSN ${given} for record ${lsn}`);
      process.stdout.write(`${lsn}\n`);
    }
  }),
);
