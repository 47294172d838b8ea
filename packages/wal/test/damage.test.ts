import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { WalError } from '../src/index.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const sizes = [40, 700, 9, 2000, 900, 300, 1000, 5, 64, 128, 33];
const first = '/log/00000000000000000001.wal';

/** A log of two segments. `covered` is the last LSN that a durable end on the disk covers. */
async function smallLog(ending: 'closed' | 'crashed'): Promise<{ disk: FaultDisk; covered: number; last: string }> {
  const disk = createFaultDisk({ seed: 3 });
  const wal = await openOn(disk, { lock: false });
  for (const [index, bytes] of sizes.entries()) await wal.append(recordPayload(index + 1, bytes));
  expect(wal.info().segments).toBe(2);
  if (ending === 'closed') await wal.close();
  const after = disk.restart('all');
  const last = after.files().filter((name) => name.endsWith('.wal'))[1] as string;
  return { disk: after, covered: ending === 'closed' ? sizes.length : sizes.length - 1, last };
}

/** What became of a log that was damaged. */
interface Outcome {
  readonly opened: boolean;
  readonly torn: boolean;
  /** LSNs whose read failed. */
  readonly unreadable: number[];
}

/** Opens the damaged log and throws where a covered record is silently gone or different. */
async function judge(disk: FaultDisk, covered: number, what: string): Promise<Outcome> {
  const wal = await openOn(disk, { lock: false }).catch((error: unknown) => {
    if (error instanceof WalError && error.code === 'CORRUPT') return undefined;
    throw new Error(`${what}: opening failed with something else: ${error}`, { cause: error });
  });
  if (wal === undefined) return { opened: false, torn: false, unreadable: [] };
  const { lastLsn, tornTail } = wal.info();
  if (lastLsn < covered) throw new Error(`${what}: records from ${lastLsn + 1} to ${covered} are silently gone`);
  if (lastLsn < sizes.length && tornTail === undefined) throw new Error(`${what}: a cut that was not reported`);
  const unreadable: number[] = [];
  for (let lsn = 1; lsn <= lastLsn; lsn++) {
    try {
      const entry = await wal.read(lsn);
      const expected = recordPayload(lsn, sizes[lsn - 1] as number);
      if (Buffer.compare(entry?.payload ?? Buffer.of(), expected) !== 0) throw new Error(`${what}: ${lsn} differs`);
    } catch (error) {
      if (!(error instanceof WalError && error.code === 'CORRUPT')) throw error;
      unreadable.push(lsn);
    }
  }
  await wal.close();
  return { opened: true, torn: tornTail !== undefined, unreadable };
}

/** Every offset where something is written, and some of the rest. */
function offsets(bytes: Uint8Array): number[] {
  const list: number[] = [];
  for (let offset = 0; offset < bytes.length; offset++) {
    const isZeroPage = bytes[offset] === 0 && bytes[offset - 1] === 0 && bytes[offset + 1] === 0;
    if (deep || !isZeroPage || offset % 97 === 0) list.push(offset);
  }
  return list;
}

for (const ending of ['closed', 'crashed'] as const) {
  test(`a flipped byte anywhere in the last segment of a ${ending} log never loses a covered record`, async () => {
    const { disk, covered, last } = await smallLog(ending);
    const outcomes = { refused: 0, torn: 0, fine: 0 };
    for (const offset of offsets(disk.contents(last))) {
      const damaged = disk.restart('all');
      damaged.corrupt(last, offset, 1 << (offset % 8));
      const { opened, torn, unreadable } = await judge(damaged, covered, `byte ${offset} flipped`);
      expect(unreadable, `byte ${offset}`).toEqual([]);
      outcomes[!opened ? 'refused' : torn ? 'torn' : 'fine']++;
    }
    expect(outcomes.refused).toBeGreaterThan(200);
    expect(outcomes.torn).toBeGreaterThan(10);
  });

  test(`the last segment of a ${ending} log cut at any byte is refused`, async () => {
    const { disk, covered, last } = await smallLog(ending);
    const bytes = disk.contents(last);
    for (let length = 0; length < bytes.length; length += length < 6500 || deep ? 1 : 61) {
      const damaged = disk.restart('all');
      damaged.setContents(last, bytes.slice(0, length));
      const { opened } = await judge(damaged, covered, `cut to ${length}`);
      expect(opened, `cut to ${length}`).toBe(false);
    }
  });
}

test('a flipped byte anywhere in an earlier segment costs at most the record it is in', async () => {
  const { disk, covered } = await smallLog('closed');
  let failedReads = 0;
  for (const offset of offsets(disk.contents(first))) {
    const damaged = disk.restart('all');
    damaged.corrupt(first, offset, 1 << (offset % 8));
    const { opened, torn, unreadable } = await judge(damaged, covered, `byte ${offset} flipped`);
    expect(torn).toBe(false);
    expect(unreadable.length, `byte ${offset}`).toBeLessThanOrEqual(1);
    expect(opened || offset < 4096, `byte ${offset}`).toBe(true);
    failedReads += unreadable.length;
  }
  expect(failedReads).toBeGreaterThan(1000);
});

test('an earlier segment cut at any byte opens whole or is refused', async () => {
  const { disk, covered } = await smallLog('closed');
  const bytes = disk.contents(first);
  for (let length = 0; length < bytes.length; length++) {
    const damaged = disk.restart('all');
    damaged.setContents(first, bytes.slice(0, length));
    const { unreadable } = await judge(damaged, covered, `cut to ${length}`);
    expect(unreadable).toEqual([]);
  }
});

test('a whole sector of zeros in the middle of the last segment is corruption, not the end of the log', async () => {
  const { disk, covered, last } = await smallLog('closed');
  const bytes = disk.contents(last);
  for (let sector = 4096; sector < 4608; sector += 512) {
    const damaged = disk.restart('all');
    damaged.setContents(last, Uint8Array.from(bytes).fill(0, sector, sector + 512));
    expect((await judge(damaged, covered, `sector ${sector}`)).opened).toBe(false);
  }
});

test('a segment that is missing between two others is refused', async () => {
  const disk = createFaultDisk({ seed: 3 });
  const wal = await openOn(disk, { lock: false });
  for (let lsn = 1; lsn <= 20; lsn++) await wal.append(recordPayload(lsn, 3000));
  await wal.close();
  const middle = disk.files().filter((name) => name.endsWith('.wal'))[1] as string;
  await disk.remove(middle);
  await expect(openOn(disk, { lock: false })).rejects.toMatchObject({ code: 'CORRUPT' });
});

test('zeros appended to a segment by a stranger do not matter', async () => {
  const { disk, last } = await smallLog('closed');
  const bytes = disk.contents(last);
  const longer = new Uint8Array(bytes.length + 5000);
  longer.set(bytes);
  disk.setContents(last, longer);
  const outcome = await judge(disk, sizes.length, 'zeros appended');
  expect(outcome).toEqual({ opened: true, torn: false, unreadable: [] });
});
