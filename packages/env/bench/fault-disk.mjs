// What a crash costs in memory. Run after a build: node packages/env/bench/fault-disk.mjs
import { performance } from 'node:perf_hooks';
import { createFaultDisk, enumerateCrashes } from '@shanghai/env/testing';

async function timed(name, work) {
  const start = performance.now();
  const result = await work();
  console.log(`${name}: ${(performance.now() - start).toFixed(0)} ms`, result ?? '');
}

await timed('enumeration, 10 survivals a step', () =>
  enumerateCrashes({
    randomDraws: 8,
    start: () => undefined,
    run: async (disk) => {
      const file = await disk.open('/a', 'create');
      await file.write(new Uint8Array(65536), 0);
      await file.sync();
      await disk.syncDirectory('/');
      for (let i = 0; i < 100; i++) {
        await file.write(new Uint8Array(160).fill(i), 4096 + i * 160);
        if (i % 5 === 0) await file.sync();
      }
    },
    verify: async (disk) => void disk.files(),
  }),
);

const disk = createFaultDisk({ seed: 1 });
const file = await disk.open('/a', 'create');
const record = new Uint8Array(200);
await timed('200,000 awaited writes of 200 B, a sync after every hundredth', async () => {
  for (let i = 0; i < 200_000; i++) {
    await file.write(record, i * 200);
    if (i % 100 === 0) await file.sync();
  }
});
await disk.syncDirectory('/');
await timed('100 restarts with 40 MB and 99 un-synced writes', async () => {
  for (let i = 0; i < 100; i++) disk.restart('random');
});
