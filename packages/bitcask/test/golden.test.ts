import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { bytesOf, directory, openOn, textOf } from './history.js';

/**
 * Directories written by format version 1 are kept and must open for ever. `SHANGHAI_GOLDEN=write` writes this one
 * anew, which is right only as long as the version has not been released.
 */
const kept = fileURLToPath(new URL('../testdata/formats/v1/', import.meta.url));

const expected: readonly (readonly [string, string | undefined])[] = [
  ['alpha', 'one'],
  ['beta', undefined],
  ['gamma', 'three'],
  ['large', 'lz4 '.repeat(100)],
  ['session', 'soon gone'],
  ['tail', 'in the segment being written'],
];

async function write() {
  const disk = createFaultDisk({ seed: 1 });
  const options = { random: createSeededRandom(1), compression: { codec: 'lz4', minBytes: 64 } } as const;
  const first = await openOn(disk, options);
  await first.put(bytesOf('alpha'), bytesOf('zero'));
  await first.put(bytesOf('alpha'), bytesOf('one'));
  await first.batch(
    ['beta', 'gamma'].map((key) => ({ type: 'put', key: bytesOf(key), value: bytesOf('three') }) as const),
  );
  await first.merge({ force: true });
  await first.delete(bytesOf('beta'));
  await first.put(bytesOf('large'), bytesOf('lz4 '.repeat(100)));
  await first.close();
  const clock = createManualClock();
  const second = await openOn(disk, { ...options, clock });
  await second.put(bytesOf('session'), bytesOf('soon gone'), { expiresAtMs: 1_900_000_000_000 });
  await second.put(bytesOf('tail'), bytesOf('in the segment being written'));
  await clock.advance(1_000);
  disk.crash();
  return disk.restart('all');
}

test('this program writes the bytes of format version 1', async () => {
  const disk = await write();
  const names = disk.files().map((path) => path.slice(directory.length + 1));
  if (process.env['SHANGHAI_GOLDEN'] === 'write') {
    await mkdir(kept, { recursive: true });
    for (const name of names) await writeFile(`${kept}${name}`, disk.contents(`${directory}/${name}`));
  }
  expect(names).toEqual((await readdir(kept)).sort());
  for (const name of names) {
    expect([name, Buffer.from(disk.contents(`${directory}/${name}`)).toString('hex')]).toEqual([
      name,
      (await readFile(`${kept}${name}`)).toString('hex'),
    ]);
  }
});

test('a directory of format version 1 opens and holds what was written', async () => {
  const disk = createFaultDisk({ seed: 2 });
  for (const name of await readdir(kept)) disk.setContents(`${directory}/${name}`, await readFile(`${kept}${name}`));
  const store = await openOn(disk);
  for (const [key, value] of expected) {
    const read = await store.get(bytesOf(key), { horizonMs: 1_700_000_000_000 });
    expect([key, read === undefined ? undefined : textOf(read)]).toEqual([key, value]);
  }
  expect(store.stats().lastSequence).toBe(8);
  expect((await store.verify()).problems).toEqual([]);
  await store.close();
});

/** The same version with a filled segment (section 3.4), as a process that died left it. */
const keptFilled = fileURLToPath(new URL('../testdata/formats/v1-filled/', import.meta.url));

async function writeFilled() {
  const disk = createFaultDisk({ seed: 1 });
  const clock = createManualClock();
  const store = await openOn(disk, { random: createSeededRandom(2), clock });
  for (let i = 0; i < 6; i++) await store.put(bytesOf(`key ${i}`), bytesOf(`value ${i}`));
  await clock.advance(1_000);
  disk.crash();
  return disk.restart('all');
}

test('this program fills a segment as it is kept, and a filled one opens with what was written', async () => {
  const disk = await writeFilled();
  const names = disk.files().map((path) => path.slice(directory.length + 1));
  if (process.env['SHANGHAI_GOLDEN'] === 'write') {
    await mkdir(keptFilled, { recursive: true });
    for (const name of names) await writeFile(`${keptFilled}${name}`, disk.contents(`${directory}/${name}`));
  }
  expect(names).toEqual((await readdir(keptFilled)).sort());
  const kept = createFaultDisk({ seed: 2 });
  for (const name of names) {
    const bytes = await readFile(`${keptFilled}${name}`);
    expect([name, Buffer.from(disk.contents(`${directory}/${name}`)).toString('hex')]).toEqual([
      name,
      bytes.toString('hex'),
    ]);
    kept.setContents(`${directory}/${name}`, bytes);
  }
  expect(kept.contents(`${directory}/0000000001.data`).at(-1)).toBe(0);
  const store = await openOn(kept);
  for (let i = 0; i < 6; i++) expect(textOf((await store.get(bytesOf(`key ${i}`))) as Uint8Array)).toBe(`value ${i}`);
  expect(kept.files().filter((name) => name.includes('.torn-'))).toEqual([]);
  expect((await store.verify()).problems).toEqual([]);
  await store.close();
});
