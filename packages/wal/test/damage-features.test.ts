import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { WalError } from '../src/index.js';
import { openOn } from './support/open-on.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const options = { lock: false, compression: 'lz4', segmentBytes: 65_536, firstSegmentBytes: 8192 } as const;
const random = createSeededRandom(4);

/** What a reader is given: LSN → payload. Replaced records are not in it. */
type Expected = ReadonlyMap<number, Uint8Array>;

/** Two segments with compressed frames and with frames that replace streams, in both. */
async function sample(): Promise<{ disk: FaultDisk; expected: Expected; names: string[] }> {
  const disk = createFaultDisk({ seed: 3 });
  const wal = await openOn(disk, options);
  const text = (bytes: number, word: string) => Buffer.alloc(bytes, word);
  const expected = new Map<number, Uint8Array>();
  const append = async (stream: number, payload: Uint8Array, isKept: boolean) => {
    const lsn = await wal.append(payload, { stream });
    if (isKept) expected.set(lsn, payload);
  };
  const rewrite = async (stream: number, payload: Uint8Array, isKept: boolean) => {
    const lsn = await wal.rewriteStream(stream, [{ payload }]);
    if (isKept) expected.set(lsn, payload);
  };
  await rewrite(9, text(20, 'pins '), true);
  await append(1, text(30, 'old '), false);
  await append(2, text(30, 'older '), false);
  await append(3, Buffer.concat([text(9000, 'compressed '), random.bytes(200)]), true);
  await rewrite(1, Buffer.concat([text(8500, 'whole '), random.bytes(100)]), true);
  await append(1, random.bytes(3000), true);
  await append(3, random.bytes(2500), true);
  await wal.rewriteStream(2, []);
  await append(3, Buffer.concat([text(8200, 'again '), random.bytes(60)]), true);
  await rewrite(4, random.bytes(100), true);
  await wal.close();
  const names = disk.files().filter((name) => name.endsWith('.wal'));
  expect(names.length).toBe(2);
  return { disk: disk.restart('all'), expected, names };
}

/** Opens and reads everything. Throws where a record is silently gone, different, or back. */
async function judge(
  disk: FaultDisk,
  expected: Expected,
  what: string,
): Promise<'refused' | 'torn' | 'damaged' | 'whole'> {
  const wal = await openOn(disk, options).catch((error: unknown) => {
    if (error instanceof WalError && error.code === 'CORRUPT') return undefined;
    throw new Error(`${what}: opening failed with something else: ${error}`, { cause: error });
  });
  if (wal === undefined) return 'refused';
  const { lastLsn, tornTail } = wal.info();
  const last = Math.max(...expected.keys());
  let failures = 0;
  if (lastLsn < last) throw new Error(`${what}: records behind ${lastLsn} are silently gone`);
  for (let lsn = 1; lsn <= lastLsn; lsn++) {
    const payload = await wal
      .read(lsn)
      .catch((error: unknown) => (error instanceof WalError ? error.code : String(error)));
    const wanted = expected.get(lsn);
    if (payload === 'CORRUPT') failures++;
    else if (wanted === undefined ? payload !== 'LSN_TRIMMED' : typeof payload === 'string') {
      throw new Error(`${what}: reading ${lsn} gave ${JSON.stringify(payload)}`);
    } else if (wanted !== undefined && typeof payload === 'object' && Buffer.compare(payload.payload, wanted) !== 0) {
      throw new Error(`${what}: record ${lsn} differs`);
    }
  }
  await wal.close();
  return failures > 0 ? 'damaged' : tornTail === undefined ? 'whole' : 'torn';
}

function offsets(bytes: Uint8Array): number[] {
  const isDull = (i: number) => bytes[i] === 0 && bytes[i - 1] === 0 && bytes[i + 1] === 0 && i % 97 !== 0;
  return Array.from(bytes.keys()).filter((i) => deep || !isDull(i));
}

test.each([0, 1])(
  'a flipped byte anywhere in segment %i never changes, revives or silently loses a record',
  async (which) => {
    const { disk, expected, names } = await sample();
    const name = names[which] as string;
    const outcomes = { refused: 0, torn: 0, damaged: 0, whole: 0 };
    for (const offset of offsets(disk.contents(name))) {
      const damaged = disk.restart('all');
      damaged.corrupt(name, offset, 1 << (offset % 8));
      outcomes[await judge(damaged, expected, `byte ${offset} of ${name} flipped`)]++;
    }
    if (which === 0) expect(outcomes.damaged).toBeGreaterThan(2500);
    else expect(outcomes.refused).toBeGreaterThan(100);
  },
);

test.each([0, 1])('segment %i cut at any byte opens whole or is refused', async (which) => {
  const { disk, expected, names } = await sample();
  const name = names[which] as string;
  const bytes = disk.contents(name);
  for (let length = 0; length < bytes.length; length += deep || length < 6000 ? 1 : 7) {
    const damaged = disk.restart('all');
    damaged.setContents(name, bytes.slice(0, length));
    const outcome = await judge(damaged, expected, `${name} cut to ${length}`);
    if (outcome !== 'refused' && outcome !== 'whole') throw new Error(`cut to ${length}: ${outcome}`);
  }
});
