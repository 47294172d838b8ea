import { openBitcask } from '../src/open-bitcask.js';

/** Fills a store of many files and reads it in every way at once, with more files allowed than the process may open; prints what it saw. */
const directory = process.env['FEW_DIRECTORY'] as string;
const keys = 6_000;
const keyOf = (number: number) => new TextEncoder().encode(String((number * 7_919) % keys).padStart(8, '0'));
const options = { directory, segmentBytes: 4_096, maxOpenFiles: 1_000, merge: { enabled: false } };
const store = await openBitcask({ ...options, durability: 'never' });
const value = new Uint8Array(100);
for (let number = 0; number < keys; number++) {
  new DataView(value.buffer).setUint32(0, number);
  await store.put(keyOf(number), value);
}
const seen = { segments: store.stats().segments, right: 0, wrong: 0, failed: [] as string[], rows: 0 };
const judge = (found: Uint8Array | undefined, number: number) => {
  if (found !== undefined && new DataView(found.buffer, found.byteOffset).getUint32(0) === number) seen.right++;
  else seen.wrong++;
};
const fail = (error: unknown) => {
  const code = String((error as { code?: unknown }).code);
  if (!seen.failed.includes(code)) seen.failed.push(code);
};
const gets = Array.from({ length: keys }, (_, number) =>
  store.get(keyOf(number)).then((found) => judge(found, number), fail),
);
await Promise.all(gets);
for (let number = 0; number < keys; number += 7) {
  try {
    judge(store.getSync(keyOf(number)), number);
  } catch (error) {
    fail(error);
  }
}
for await (const _ of store.range()) seen.rows++;
process.stdout.write(JSON.stringify(seen));
await store.close();
