import { openBitcask } from '../src/open-bitcask.js';

/** Writes batches until it is killed; prints the number of each once it is acknowledged, with how many merges are finished. They go on beside it, on threads. */
const directory = process.env['KILL_DIRECTORY'] as string;
const encoder = new TextEncoder();
const store = await openBitcask({
  directory,
  segmentBytes: 65_536,
  merge: { checkIntervalMs: 5, staleRatio: 0.1, minSegments: 1, bytesPerSecond: 0 },
});
for (let n = Number(process.env['KILL_FIRST']); ; n++) {
  const value = String(n).padStart(8, '0').repeat(100);
  await store.batch([
    { type: 'put', key: encoder.encode(`slot ${n % 50}`), value: encoder.encode(value) },
    { type: 'put', key: encoder.encode('last'), value: encoder.encode(String(n)) },
  ]);
  const { runs, progress } = store.stats().merge;
  if (progress?.onThread === false) throw new Error('a merge got no thread of its own');
  process.stdout.write(`${n} ${runs}\n`);
}
