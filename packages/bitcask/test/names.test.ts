/** Names of files: durable before anything is said of them, and never given twice. */
import { createFaultDisk, enumerateCrashes } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { assertPrefix, bytesOf, type History, openOn, Recorder, startHistory } from './history.js';

const randomDraws = process.env['SHANGHAI_DEEP'] === '1' ? 300 : 25;
const large = 'v'.repeat(1_500);

/** After any step, with many draws of which names survive: a manifest must not list what a crash may take away. */
test('a new segment is durably named before the manifest lists it', async () => {
  const coverage = await enumerateCrashes<History>({
    prepare: async (disk) => (await openOn(disk)).close(),
    start: startHistory,
    run: async (disk, history) => {
      const recorder = new Recorder(await openOn(disk, { durability: 'never' }), history);
      await recorder.put('k', large);
    },
    recover: async (disk) => (await openOn(disk)).close(),
    verify: async (disk, history) => {
      const store = await openOn(disk);
      await assertPrefix(store, history);
      await store.close();
    },
    randomDraws,
  });
  expect(coverage.cases).toBeGreaterThan(randomDraws * 8);
});

test('no segment gets a name that another one had, whatever merges, crashes and openings come between', async () => {
  const created: string[] = [];
  let disk = createFaultDisk({ seed: 3 });
  const note = () => {
    const steps = disk.trace.map((line) => / open (\S+\.data) create$/.exec(line)?.[1]);
    created.push(...steps.filter((path) => path !== undefined));
  };
  for (let round = 0; round < 6; round++) {
    const store = await openOn(disk);
    for (let i = 0; i < 10; i++) await store.put(bytesOf(`k${i % 4}`), bytesOf(`${round}${large}`));
    const merging = store.merge({ force: true });
    await store.put(bytesOf('k0'), bytesOf(large));
    await merging;
    if (round % 2 === 0) {
      for (let i = 0; i < 4; i++) await store.delete(bytesOf(`k${i}`));
      await store.merge({ force: true });
    }
    if (round % 3 !== 2) await store.close();
    note();
    disk = disk.restart('all');
  }
  expect(created.length).toBeGreaterThan(30);
  expect(new Set(created).size).toBe(created.length);
});
