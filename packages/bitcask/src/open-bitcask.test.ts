import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { openBitcask } from './open-bitcask.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined) => (value === undefined ? undefined : new TextDecoder().decode(value));

test('what was put is there after the store was closed and opened again', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const options = {
    directory: '/store',
    disk,
    clock: createManualClock(),
    random: createSeededRandom(1),
    segmentBytes: 4_096,
  } as const;
  const store = await openBitcask(options);
  for (let i = 0; i < 100; i++) await store.put(bytes(`key ${i}`), bytes(`value ${i}`.repeat(10)));
  await store.delete(bytes('key 50'));
  await store.close();
  const again = await openBitcask(options);
  for (let i = 0; i < 100; i++)
    expect(text(await again.get(bytes(`key ${i}`)))).toBe(i === 50 ? undefined : `value ${i}`.repeat(10));
  expect(again.size).toBe(99);
  const keys: string[] = [];
  for await (const entry of again.range({ prefix: bytes('key 1') })) keys.push(text(entry.key) as string);
  expect(keys).toEqual([
    'key 1',
    'key 10',
    'key 11',
    'key 12',
    'key 13',
    'key 14',
    'key 15',
    'key 16',
    'key 17',
    'key 18',
    'key 19',
  ]);
  const result = await again.merge({ force: true });
  expect(result.recordsCopied).toBe(99);
  expect((await again.verify()).problems).toEqual([]);
  for (let i = 0; i < 100; i++)
    expect(text(again.getSync(bytes(`key ${i}`)))).toBe(i === 50 ? undefined : `value ${i}`.repeat(10));
  await again.close();
  const third = await openBitcask(options);
  expect(third.size).toBe(99);
  expect((await third.verify()).problems).toEqual([]);
  await third.close();
});
