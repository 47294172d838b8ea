/**
 * Whole files in the wrong place: swapped, doubled under another name, removed, emptied, from another store, from a newer
 * program. A store that opens holds what was written, all of it; or it is refused, or exactly the reads of what is
 * damaged are. Nothing is missing in silence, nothing is another's.
 */
import { crc32, createSeededRandom } from '@shanghai/env';
import { createFaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { Bitcask } from '../src/bitcask.js';
import { BitcaskError } from '../src/bitcask-error.js';
import { decodeHintHeader, encodeHintHeader, type HintHeader, hintHeaderBytes } from '../src/core/hint-codec.js';
import { bytesOf, contentsOf, directory, openOn, textOf } from './history.js';

type Files = ReadonlyMap<string, Uint8Array>;
const headerBytes = 64;

/** A store of merged and plain segments, with tombstones that are needed. `mark` is in every value. */
async function build(mark: string, idSeed: number): Promise<Built> {
  const known = built.get(mark);
  if (known !== undefined) return known;
  const made = await buildAnew(mark, idSeed);
  built.set(mark, made);
  return made;
}

interface Built {
  readonly files: Files;
  readonly contents: Map<string, string>;
}

const built = new Map<string, Built>();

async function buildAnew(mark: string, idSeed: number): Promise<Built> {
  const disk = createFaultDisk({ seed: 1 });
  const open = (n: number) => openOn(disk, { random: createSeededRandom(idSeed + n) });
  const value = (i: number) => bytesOf(`${mark}${i}`.padEnd(150, mark));
  const first = await open(0);
  for (let i = 0; i < 60; i++) await first.put(bytesOf(`key-${i % 30}`), value(i));
  await first.merge({ force: true });
  await first.close();
  const second = await open(1);
  for (let i = 0; i < 40; i++) {
    if (i % 4 === 3) await second.delete(bytesOf(`key-${i % 30}`));
    else await second.put(bytesOf(`key-${(i * 3) % 35}`), value(100 + i));
  }
  const contents = await contentsOf(second);
  await second.close();
  return { files: new Map(disk.files().map((path) => [path, disk.contents(path)])), contents };
}

function namesOf(files: Files, end: string): string[] {
  return [...files.keys()].filter((path) => path.endsWith(end)).sort();
}

/** `whole`, `refused: <code>` or `some reads failed`. Throws where something is silently missing or another's. */
async function outcomeOf(files: Files, contents: ReadonlyMap<string, string>): Promise<string> {
  const disk = createFaultDisk({ seed: 9 });
  await disk.makeDirectory(directory);
  for (const [path, bytes] of files) disk.setContents(path, bytes);
  let store: Bitcask;
  try {
    store = await openOn(disk);
  } catch (error) {
    if (!(error instanceof BitcaskError)) throw error;
    // A refusal changes nothing that somebody could need.
    for (const [path, bytes] of files) {
      if (path.endsWith('.data') || path.endsWith('MANIFEST')) expect(disk.contents(path), path).toEqual(bytes);
    }
    return `refused: ${error.code}`;
  }
  let failed = 0;
  for (const [key, value] of contents) {
    try {
      const read = await store.get(bytesOf(key));
      if (read === undefined || textOf(read) !== value) throw new Error(`'${key}' is ${read && textOf(read)}`);
    } catch (error) {
      if (!(error instanceof BitcaskError && error.code === 'CORRUPT')) throw error;
      failed++;
    }
  }
  expect(store.size).toBe(contents.size);
  await store.close();
  return failed > 0 ? 'some reads failed' : 'whole';
}

async function outcomes(
  cases: readonly (readonly [string, Files])[],
  contents: ReadonlyMap<string, string>,
): Promise<Set<string>> {
  const seen = new Set<string>();
  for (const [name, files] of cases) {
    const outcome = await outcomeOf(files, contents).catch((error: unknown) => {
      throw new Error(`${name}: ${error}`, { cause: error });
    });
    seen.add(outcome);
  }
  expect(cases.length).toBeGreaterThan(0);
  return seen;
}

test('the untouched directory opens whole', async () => {
  const { files, contents } = await build('a', 1);
  expect(namesOf(files, '.data').length).toBeGreaterThan(2);
  expect(await outcomeOf(files, contents)).toBe('whole');
});

test('files that changed places: segments are refused, hints read anew', async () => {
  const { files, contents } = await build('a', 1);
  const swaps = (end: string) => {
    const names = namesOf(files, end);
    return names.flatMap((a, i) =>
      names.slice(i + 1).map((b): [string, Files] => {
        const bytes = (name: string) => files.get(name) as Uint8Array;
        return [`${a} and ${b}`, new Map(files).set(a, bytes(b)).set(b, bytes(a))];
      }),
    );
  };
  expect(await outcomes(swaps('.data'), contents)).toEqual(new Set(['refused: CORRUPT']));
  expect(await outcomes(swaps('.hint'), contents)).toEqual(new Set(['whole']));
  const [data] = namesOf(files, '.data') as [string];
  for (const end of ['.data', '.hint', 'MANIFEST']) {
    const [other] = namesOf(files, end === '.data' ? 'MANIFEST' : end) as [string];
    const wrongKind = new Map(files).set(other, files.get(data) as Uint8Array);
    expect(await outcomeOf(wrongKind, contents)).toBe(end === '.hint' ? 'whole' : 'refused: CORRUPT');
  }
});

test('a segment that is there twice, under another name, is ignored or refused, and never counts twice', async () => {
  const { files, contents } = await build('a', 1);
  const cases = namesOf(files, '.data').flatMap((name) =>
    [1, 2, 3, 50, 4_000_000_000].map((fileId): [string, Files] => {
      const copy = `${directory}/${String(fileId).padStart(10, '0')}.data`;
      return [`${name} as ${copy}`, new Map([[copy, files.get(name) as Uint8Array], ...files])];
    }),
  );
  const seen = await outcomes(cases, contents);
  for (const outcome of seen) expect(['whole', 'refused: CORRUPT']).toContain(outcome);
});

test('a file that is gone or empty is refused, a hint is read anew', async () => {
  const { files, contents } = await build('a', 1);
  for (const name of files.keys()) {
    const wanted = name.endsWith('.hint') ? 'whole' : 'refused: CORRUPT';
    const gone = new Map([...files].filter(([other]) => other !== name));
    expect([name, await outcomeOf(gone, contents)]).toEqual([name, wanted]);
    const empty = new Map(files).set(name, new Uint8Array(0));
    expect([name, await outcomeOf(empty, contents)]).toEqual([name, wanted]);
  }
});

test('files of another store of the same shape are refused, hints of it read anew', async () => {
  const { files, contents } = await build('a', 1);
  const other = await build('b', 77);
  expect([...other.files.keys()]).toEqual([...files.keys()]);
  for (const name of files.keys()) {
    const mixed = new Map(files).set(name, other.files.get(name) as Uint8Array);
    const wanted = name.endsWith('.hint') ? 'whole' : 'refused: CORRUPT';
    expect([name, await outcomeOf(mixed, contents)]).toEqual([name, wanted]);
  }
});

test("another store's records behind a segment's own header are never given as its own", async () => {
  const { files, contents } = await build('a', 1);
  const other = await build('b', 77);
  for (const withHints of [true, false]) {
    for (const name of namesOf(files, '.data')) {
      const bytes = (other.files.get(name) as Uint8Array).slice();
      bytes.set((files.get(name) as Uint8Array).subarray(0, headerBytes));
      const mixed = new Map(files).set(name, bytes);
      if (!withHints) for (const hint of namesOf(files, '.hint')) mixed.delete(hint);
      const outcome = await outcomeOf(mixed, contents);
      // Where all that it holds is dead, nobody asks for it.
      expect(withHints ? ['some reads failed', 'whole'] : ['refused: CORRUPT'], name).toContain(outcome);
    }
  }
});

test('a damaged byte of a sealed segment without a hint refuses the store', async () => {
  const { files, contents } = await build('a', 1);
  for (const name of namesOf(files, '.data')) {
    const bytes = files.get(name) as Uint8Array;
    for (let at = headerBytes; at < bytes.length; at += 397) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] as number) ^ 0x20;
      const mixed = new Map([...files].filter(([path]) => !path.endsWith('.hint'))).set(name, damaged);
      expect([at, await outcomeOf(mixed, contents)]).toEqual([at, 'refused: CORRUPT']);
    }
  }
});

test('a hint that was made for another length of its segment, or another segment, is not used', async () => {
  const { files, contents } = await build('a', 1);
  for (const name of namesOf(files, '.hint')) {
    const bytes = files.get(name) as Uint8Array;
    const decoded = decodeHintHeader(bytes.subarray(0, hintHeaderBytes));
    if (decoded.kind !== 'ok') throw new Error('no hint header');
    const changes: Partial<HintHeader>[] = [{ dataBytes: decoded.value.dataBytes + 1 }, { segmentId: 12_345 }];
    for (const change of changes) {
      const forged = bytes.slice();
      forged.set(encodeHintHeader({ ...decoded.value, ...change }));
      const from: string[] = [];
      const disk = createFaultDisk({ seed: 9 });
      await disk.makeDirectory(directory);
      for (const [path, one] of files) disk.setContents(path, path === name ? forged : one);
      const recovered = (event: { file: string; from: string }) => {
        if (event.file === name.replace('.hint', '.data')) from.push(event.from);
      };
      const store = await openOn(disk, { listener: { recovered } });
      expect(from).toEqual(['scan']);
      expect(await contentsOf(store)).toEqual(contents);
      await store.close();
    }
  }
});

test('files of a newer program are refused for what they are, a hint of one is read anew', async () => {
  const { files, contents } = await build('a', 1);
  for (const [name, whole] of files) {
    for (const [at, value] of [
      [8, 2],
      [15, 0x80],
    ] as const) {
      const bytes = whole.slice();
      bytes[at] = value;
      const [end, crcAt] = name.endsWith('.data')
        ? [48, 60]
        : name.endsWith('.hint')
          ? [60, 60]
          : [bytes.length - 4, bytes.length - 4];
      new DataView(bytes.buffer).setUint32(crcAt, crc32(bytes, 0, 0, end), true);
      const outcome = await outcomeOf(new Map(files).set(name, bytes), contents);
      expect([name, outcome]).toEqual([name, name.endsWith('.hint') ? 'whole' : 'refused: UNSUPPORTED_FORMAT']);
    }
  }
});

test('files that are no part of a store are left alone', async () => {
  const { files, contents } = await build('a', 1);
  const strange = new Map(files);
  for (const name of ['notes.txt', '1.data', 'x.hint', '00000000001.data', 'MANIFEST.old', '-000000001.data']) {
    strange.set(`${directory}/${name}`, bytesOf('not a segment'));
  }
  expect(await outcomeOf(strange, contents)).toBe('whole');
});

test('segments are loaded in any order of their ages: hints or none, the newest record of a key counts', async () => {
  const { files, contents } = await build('a', 1);
  const hints = namesOf(files, '.hint');
  for (let choice = 0; choice < 2 ** hints.length; choice += 5) {
    const some = new Map(files);
    hints.forEach((hint, i) => {
      if ((choice & (1 << i)) !== 0) some.delete(hint);
    });
    expect([choice, await outcomeOf(some, contents)]).toEqual([choice, 'whole']);
  }
});

test('writes during a merge win also where nothing but the segments is left', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const store = await openOn(disk, { merge: { enabled: false, staleRatio: 0.01, minSegments: 1 } });
  const value = (i: number) => bytesOf(`${i}`.padEnd(700, '.'));
  for (let i = 0; i < 40; i++) await store.put(bytesOf(`key-${i % 20}`), value(i));
  let isMerged = false;
  const merging = store.merge().then(({ segmentsMerged }) => {
    isMerged = true;
    return segmentsMerged;
  });
  // The segment that is being written is older than the merge's outputs, and its records are newer.
  let during = 0;
  for (let i = 0; !isMerged; i++) {
    if (i % 3 === 2) await store.delete(bytesOf(`key-${i % 20}`));
    else await store.put(bytesOf(`key-${i % 20}`), bytesOf(`during ${i}`));
    during++;
  }
  expect(await merging).toBeGreaterThan(2);
  expect(during).toBeGreaterThan(3);
  const contents = await contentsOf(store);
  await store.close();
  const files = new Map(disk.files().map((path) => [path, disk.contents(path)]));
  expect(await outcomeOf(files, contents)).toBe('whole');
  const bare = [...files].filter(([path]) => path.endsWith('.data') || path.endsWith('MANIFEST'));
  expect(await outcomeOf(new Map(bare), contents)).toBe('whole');
});
