import { createManualClock, createMemoryDisk } from '@shanghai/env/testing';
import { openMemoryWal } from '@shanghai/wal/testing';
import { describe, test } from 'vitest';
import { type HostLogSubject, hostLogContract } from '../src/testing/index.js';
import { openWalHostLog } from '../src/wal/index.js';
import { refusing } from './support/wal-fixture.js';

for (const durability of ['always', 'interval', 'never'] as const) {
  describe(`the log on a write-ahead log of mode ${durability}`, () => {
    for (const { name, run } of hostLogContract) {
      test(name, () =>
        run(async (): Promise<HostLogSubject> => {
          const disk = createMemoryDisk();
          const open = async () => refusing(await openMemoryWal({ disk, durability }));
          const logOn = (wal: Awaited<ReturnType<typeof open>>) =>
            openWalHostLog({ wal, loneVoter: 9, clock: createManualClock() });
          let wal = await open();
          return {
            log: await logOn(wal),
            async reopen() {
              await wal.close();
              wal = await open();
              return await logOn(wal);
            },
            setFull: (isFull) => wal.refuse(isFull ? 'DISK_FULL' : undefined),
          };
        }),
      );
    }
  });
}
