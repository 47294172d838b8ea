import { expect, test } from 'vitest';
import { resolveBitcaskOptions } from './resolve-bitcask-options.js';

test('defaults are those of the documentation', () => {
  expect(resolveBitcaskOptions({ directory: 'd' })).toMatchObject({
    durability: 'always',
    segmentBytes: 100 * 1_048_576,
    maxKeyBytes: 65_536,
    maxValueBytes: 16 * 1_048_576,
    merge: { enabled: true, staleRatio: 0.3, minSegments: 3, bytesPerSecond: 50 * 1_048_576 },
    cache: { maxBytes: 0 },
    lock: true,
    readOnly: false,
  });
});

test('what is out of range is refused with its name, its value and its range', () => {
  expect(() => resolveBitcaskOptions({ directory: '' })).toThrow(TypeError);
  expect(() => resolveBitcaskOptions({ directory: 'd', segmentBytes: 100 })).toThrow(
    'segmentBytes must be an integer in [4096, 1073741824], not 100',
  );
  expect(() => resolveBitcaskOptions({ directory: 'd', durability: 'sometimes' as never })).toThrow("not 'sometimes'");
  expect(() => resolveBitcaskOptions({ directory: 'd', merge: { staleRatio: 0 } })).toThrow('(0, 1]');
  expect(() => resolveBitcaskOptions({ directory: 'd', maxOpenFiles: 1 })).toThrow('maxOpenFiles');
  expect(() => resolveBitcaskOptions({ directory: 'd', merge: { window: { fromHour: 24, toHour: 1 } } })).toThrow(
    'fromHour',
  );
});

test('what is no object is refused where options hold others, instead of counting as the defaults', () => {
  const wrong: Record<string, unknown>[] = [
    { merge: false },
    { keydirSnapshot: false },
    { compression: 'lz4' },
    { cache: 1_000 },
    { listener: () => undefined },
  ];
  for (const options of wrong) {
    expect(() => resolveBitcaskOptions({ directory: 'd', ...options })).toThrow(
      `${Object.keys(options)[0]} must be an object`,
    );
  }
  expect(() => resolveBitcaskOptions({ directory: 'd', horizon: 5 as never })).toThrow('horizon must be a function');
});

test('a window in which no merge could ever run is refused', () => {
  expect(() => resolveBitcaskOptions({ directory: 'd', merge: { window: { fromHour: 3, toHour: 3 } } })).toThrow(
    'merge.window is empty',
  );
});
