import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, createManualClock, enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { describe, expect, test } from 'vitest';
import { dumpWal, repairWal, salvageWal, verifyWal, type WalkProgress } from '../src/index.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

const records = 24;
const second = /0{18}.*\.wal$/;

async function healthyLog(seed = 1): Promise<FaultDisk> {
  const disk = createFaultDisk({ seed });
  const wal = await openOn(disk);
  for (let lsn = 1; lsn <= records; lsn++) await wal.append(recordPayload(lsn, 2000));
  await wal.close();
  return disk.restart('all');
}

function segmentsOf(disk: FaultDisk): string[] {
  return disk.files().filter((name) => second.test(name));
}

/** Flips a byte in the frame that holds `lsn`. */
async function damageRecord(disk: FaultDisk, lsn: number): Promise<string> {
  for await (const item of dumpWal(disk, '/log')) {
    if (item.kind !== 'frame' || item.records.length === 0 || item.firstLsn !== lsn) continue;
    disk.corrupt(`/log/${item.segment}`, item.offset + 100, 1);
    return item.segment;
  }
  throw new Error(`no frame begins with ${lsn}`);
}

const clock = () => createManualClock(1_700_000_000_000);

describe('verify', () => {
  test('of a healthy log counts everything and changes nothing', async () => {
    const disk = await healthyLog();
    const files = disk.files().map((name) => [name, Buffer.from(disk.contents(name)).toString('base64')]);
    const report = await verifyWal(disk, '/log');
    expect(report).toMatchObject({ ok: true, records, firstLsn: 1, lastLsn: records, damage: [], lost: [] });
    expect(report.segments).toBe(segmentsOf(disk).length);
    expect(disk.files().map((name) => [name, Buffer.from(disk.contents(name)).toString('base64')])).toEqual(files);
  });

  test('names every damaged range, in earlier segments and in the last, and goes on behind it', async () => {
    const disk = await healthyLog();
    await damageRecord(disk, 2);
    await damageRecord(disk, 7);
    await damageRecord(disk, records);
    const { ok, damage } = await verifyWal(disk, '/log');
    expect(ok).toBe(false);
    expect(damage.map(({ firstLsn, lastLsn }) => [firstLsn, lastLsn])).toEqual([
      [2, 2],
      [7, 7],
      [records, records],
    ]);
  });

  test('of a log that is open is refused', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk);
    await expect(verifyWal(disk, '/log')).rejects.toMatchObject({ code: 'LOCKED' });
    await wal.close();
  });

  test('calls a missing segment damage', async () => {
    const disk = await healthyLog();
    await disk.remove(segmentsOf(disk)[1] as string);
    const { damage } = await verifyWal(disk, '/log');
    expect(damage).toHaveLength(1);
    expect(damage[0]).toMatchObject({ reason: 'no segment holds these records' });
  });
});

test('dump shows every record of a log with its place', async () => {
  const disk = await healthyLog();
  const seen: number[] = [];
  const kinds = new Set<string>();
  for await (const item of dumpWal(disk, '/log')) {
    kinds.add(item.kind);
    if (item.kind === 'frame') seen.push(...item.records.map(({ lsn }) => lsn));
  }
  expect(seen).toEqual(Array.from({ length: records }, (_, i) => i + 1));
  expect([...kinds].sort()).toEqual(['frame', 'segment', 'tail']);
});

describe('repair', () => {
  test('of a healthy log changes nothing', async () => {
    const disk = await healthyLog();
    const files = disk.files();
    expect(await repairWal(disk, '/log', { mode: 'truncate-tail', clock: clock() })).toMatchObject({ changed: false });
    expect(disk.files()).toEqual(files);
  });

  for (const lsn of [1, 2, 5, 9, records]) {
    test(`cuts before damaged record ${lsn}, keeps copies and leaves a marker`, async () => {
      const disk = await healthyLog();
      const segment = await damageRecord(disk, lsn);
      const before = disk.contents(`/log/${segment}`);
      const result = await repairWal(disk, '/log', { mode: 'truncate-tail', clock: clock() });
      expect(result).toMatchObject({ changed: true, lastLsn: lsn - 1, damage: { segment, firstLsn: lsn } });
      expect(Buffer.compare(disk.contents(`/log/${segment}.damaged`), before)).toBe(0);
      const marker = JSON.parse(Buffer.from(disk.contents('/log/repaired.json')).toString());
      expect(marker).toEqual({ mode: 'truncate-tail', time: '2023-11-14T22:13:20.000Z', lastLsn: lsn - 1 });
      const wal = await openOn(disk);
      expect(wal.info().lastLsn).toBe(lsn - 1);
      expect(await wal.append(recordPayload(lsn, 10))).toBe(lsn);
      await wal.close();
      expect(await verifyWal(disk, '/log')).toMatchObject({ ok: true, lastLsn: lsn });
    });
  }

  test('of a damaged header keeps the segments before it, and refuses where there is none', async () => {
    const disk = await healthyLog();
    const [first, next] = segmentsOf(disk) as [string, string];
    disk.corrupt(next, 50, 1);
    const { lastLsn, copies } = await repairWal(disk, '/log', { mode: 'truncate-tail', clock: clock() });
    expect(copies).toContain(`${next.slice('/log/'.length)}.cut`);
    const wal = await openOn(disk);
    expect(await wal.append(recordPayload(lastLsn + 1, 10))).toBe(lastLsn + 1);
    await wal.close();
    disk.corrupt(first, 50, 1);
    await expect(repairWal(disk, '/log', { mode: 'truncate-tail' })).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  test('interrupted at any step leaves a log that is refused or repaired, and the copy and the marker before that', async () => {
    const { cases } = await enumerateCrashes<object>({
      seed: 4,
      prepare: async (disk) => {
        const healthy = await healthyLog();
        await damageRecord(healthy, 9);
        await disk.makeDirectory('/log');
        for (const name of segmentsOf(healthy)) disk.setContents(name, healthy.contents(name));
      },
      start: () => ({}),
      run: async (disk) => {
        await repairWal(disk, '/log', { mode: 'truncate-tail', clock: clock() });
      },
      verify: async (disk) => {
        const wal = await openOn(disk).catch(() => undefined);
        // Damage in an earlier segment is met when it is read: an untouched log opens.
        if (wal !== undefined && wal.info().lastLsn < records) {
          if (!disk.files().includes('/log/repaired.json'))
            throw new Error('it opens and nothing says it was repaired');
          if (!disk.files().some((name) => name.endsWith('.damaged'))) throw new Error('no copy');
        }
        await wal?.close();
        await repairWal(disk, '/log', { mode: 'truncate-tail', clock: clock() });
        const repaired = await openOn(disk);
        if (repaired.info().lastLsn !== 8) throw new Error(`it ends with ${repaired.info().lastLsn}`);
        await repaired.close();
      },
    });
    expect(cases).toBeGreaterThan(20);
  });
});

describe('salvage', () => {
  test('keeps every record that reads under its own LSN, and says which are lost', async () => {
    const disk = await healthyLog();
    for (const lsn of [2, 7, 8, records]) await damageRecord(disk, lsn);
    const options = { clock: clock(), random: createSeededRandom(1) };
    const result = await salvageWal(disk, '/log', '/saved', options);
    const lost = [2, 7, 8, records];
    expect(result).toMatchObject({ records: records - lost.length, firstLsn: 1, lastLsn: records });
    expect(result.lost.flatMap(({ firstLsn, lastLsn }) => [firstLsn, lastLsn])).toEqual([2, 2, 7, 8, records, records]);
    expect(disk.files()).toContain('/saved/repaired.json');
    const wal = await openOn(disk, { directory: '/saved' });
    for (let lsn = 1; lsn <= records; lsn++) {
      if (lost.includes(lsn)) await expect(wal.read(lsn)).rejects.toMatchObject({ code: 'CORRUPT' });
      else expect(Buffer.from((await wal.read(lsn))?.payload ?? [])).toEqual(Buffer.from(recordPayload(lsn, 2000)));
    }
    expect(await wal.append(recordPayload(records + 1, 10))).toBe(records + 1);
    await wal.close();
    expect(await verifyWal(disk, '/saved')).toMatchObject({ ok: true, lost: [{}, {}, {}] });
  });

  test('survives the loss of a whole segment header and of a whole segment', async () => {
    const disk = await healthyLog();
    const [, next, third] = segmentsOf(disk) as [string, string, string];
    disk.corrupt(next, 0, 255);
    await disk.remove(third);
    const { lost, lastLsn } = await salvageWal(disk, '/log', '/saved', { random: createSeededRandom(1) });
    expect(lastLsn).toBe(records);
    expect(lost.length).toBeGreaterThan(0);
    const wal = await openOn(disk, { directory: '/saved' });
    expect((await wal.read(records))?.lsn).toBe(records);
    await wal.close();
  });

  test('fails for a reader of any stream that comes to lost records, also in a segment without others of it', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk);
    for (let lsn = 1; lsn <= 12; lsn++) await wal.append(recordPayload(lsn, 2000), { stream: lsn === 6 ? 5 : 1 });
    await wal.rewriteStream(9, [{ payload: recordPayload(13, 10) }]);
    await wal.append(recordPayload(14, 10), { stream: 5 });
    await wal.close();
    await damageRecord(disk, 6);
    await salvageWal(disk, '/log', '/saved', { random: createSeededRandom(1) });
    expect(await verifyWal(disk, '/saved')).toMatchObject({ ok: true, lost: [{ firstLsn: 6, lastLsn: 6 }] });
    const saved = await openOn(disk, { directory: '/saved' });
    expect(saved.info().segments).toBeGreaterThan(2);
    const reading = (async () => {
      for await (const { lsn } of saved.entries({ stream: 5 })) expect(lsn).toBe(14);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'CORRUPT', details: { firstLsn: 6 } });
    await saved.close();
  });

  test('refuses a directory that holds something', async () => {
    const disk = await healthyLog();
    await expect(salvageWal(disk, '/log', '/log')).rejects.toThrow(RangeError);
  });
});

describe('a tool that reads a whole log', () => {
  test('says how far it is, to the end', async () => {
    const disk = await healthyLog();
    const seen: [string, number, number][] = [];
    const onProgress = ({ segment, bytes, totalBytes }: WalkProgress) => void seen.push([segment, bytes, totalBytes]);
    await verifyWal(disk, '/log', { onProgress });
    expect(seen.map(([segment]) => `/log/${segment}`)).toEqual(segmentsOf(disk));
    expect(seen.map(([, bytes]) => bytes)).toEqual(seen.map(([, bytes]) => bytes).sort((a, b) => a - b));
    const [, bytes, totalBytes] = seen.at(-1) as [string, number, number];
    expect(bytes).toBe(totalBytes);
  });

  test('ends at an abort with its reason, and leaves the lock', async () => {
    const disk = await healthyLog();
    const reason = new Error('enough');
    for (const tool of [
      (signal: AbortSignal) => verifyWal(disk, '/log', { signal }),
      (signal: AbortSignal) => repairWal(disk, '/log', { mode: 'truncate-tail', signal }),
      (signal: AbortSignal) => salvageWal(disk, '/log', '/saved', { signal }),
    ]) {
      await expect(tool(AbortSignal.abort(reason))).rejects.toBe(reason);
    }
    expect(await verifyWal(disk, '/log')).toMatchObject({ ok: true, records });
  });
});
