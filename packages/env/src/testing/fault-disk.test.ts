import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DiskFile } from '../disk.js';
import { createFaultDisk } from './create-fault-disk.js';
import type { CrashSurvival, FaultDisk } from './fault-disk.js';
import { createManualClock } from './manual-clock.js';

const sector = 512;
const draws = Array.from({ length: 500 }, (_, draw) => draw);

async function syncedFile(path: string, content: Uint8Array, seed = 1): Promise<{ disk: FaultDisk; file: DiskFile }> {
  const disk = createFaultDisk({ seed });
  disk.setContents(path, content);
  return { disk, file: await disk.open(path, 'write') };
}

/** Every outcome of a crash now, as text, without repetition. */
function outcomes(disk: FaultDisk, describeDisk: (disk: FaultDisk) => string): Set<string> {
  return new Set(draws.map((draw) => describeDisk(disk.afterCrash('random', draw))));
}

const filesOf = (disk: FaultDisk) => disk.files().join(' ');
const blocks = (...values: number[]) => Uint8Array.from(values.flatMap((value) => new Array(sector).fill(value)));
const blockPattern = (path: string) => (disk: FaultDisk) => {
  const content = disk.contents(path);
  const runs: string[] = [];
  for (let at = 0; at < content.length; at += sector) {
    runs.push([...new Set(content.subarray(at, at + sector))].join('/'));
  }
  return runs.join(' ');
};

describe('bytes', () => {
  test('synced bytes survive every crash, un-synced ones only by luck', async () => {
    const { disk, file } = await syncedFile('/a', new Uint8Array(0));
    await file.write(blocks(1, 2), 0);
    await file.sync();
    await file.write(blocks(3), 2 * sector);
    expect(blockPattern('/a')(disk.afterCrash('none'))).toBe('1 2');
    expect(blockPattern('/a')(disk.afterCrash('all'))).toBe('1 2 3');
    expect(outcomes(disk, blockPattern('/a'))).toEqual(new Set(['1 2', '1 2 3', '1 2 0']));
  });

  test('a write is torn at sectors in any way, and the length may arrive without the bytes', async () => {
    const { disk, file } = await syncedFile('/a', blocks(1, 1));
    await file.write(blocks(2, 3, 4), 0);
    const found = outcomes(disk, blockPattern('/a'));
    for (const pattern of ['1 1', '2 3 4', '2 1', '1 3', '1 1 0', '2 3 0', '1 1 4', '2 1 4', '1 3 4']) {
      expect([...found]).toContain(pattern);
    }
    for (const pattern of found) expect(pattern).toMatch(/^[12] [13]( [04])?$/);
  });

  test('a later write may survive an earlier one, but never within a sector', async () => {
    const { disk, file } = await syncedFile('/a', blocks(1, 1));
    await file.write(Uint8Array.of(5), 0);
    await file.write(Uint8Array.of(6), 1);
    await file.write(Uint8Array.of(7), sector);
    const found = outcomes(disk, (crashed) => {
      const content = crashed.contents('/a');
      return [content[0], content[1], content[sector]].join('');
    });
    expect(found).toEqual(new Set(['111', '511', '561', '117', '517', '567']));
  });

  test('a sync covers only the writes whose promises had resolved when it began', async () => {
    const { disk, file } = await syncedFile('/a', blocks(1));
    const writing = file.write(blocks(2), 0);
    await file.sync();
    await writing;
    expect(blockPattern('/a')(disk.afterCrash('none'))).toBe('1');
    await file.sync();
    expect(blockPattern('/a')(disk.afterCrash('none'))).toBe('2');
  });

  test('a truncation is kept or lost as writes are', async () => {
    const { disk, file } = await syncedFile('/a', blocks(1, 1, 1));
    await file.truncate(sector);
    await file.truncate(2 * sector);
    const found = outcomes(disk, blockPattern('/a'));
    for (const pattern of found) expect(['1 1 1', '1', '1 1', '1 0', '1 0 0', '1 1 0', '1 0 1']).toContain(pattern);
    for (const pattern of ['1 1 1', '1', '1 0']) expect([...found]).toContain(pattern);
    expect(blockPattern('/a')(disk.afterCrash('none'))).toBe('1 1 1');
    expect(blockPattern('/a')(disk.afterCrash('all'))).toBe('1 0');
  });
});

describe('names', () => {
  test('a name is durable only after its directory was synced, whatever became of the file', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const file = await disk.open('/a', 'create');
    await file.write(Uint8Array.of(1), 0);
    await file.sync();
    expect(filesOf(disk.afterCrash('none'))).toBe('');
    expect(outcomes(disk, filesOf)).toEqual(new Set(['', '/a']));
    await disk.syncDirectory('/');
    expect(disk.afterCrash('none').contents('/a')).toEqual(Uint8Array.of(1));
  });

  test('names survive independently of each other', async () => {
    const disk = createFaultDisk({ seed: 1 });
    await disk.open('/a', 'create');
    await disk.open('/b', 'create');
    expect(outcomes(disk, filesOf)).toEqual(new Set(['', '/a', '/b', '/a /b']));
  });

  test('a rename is seen whole or not at all, and exposes the old target or the new file', async () => {
    const disk = createFaultDisk({ seed: 1 });
    disk.setContents('/new', Uint8Array.of(1));
    disk.setContents('/old', Uint8Array.of(2));
    await disk.rename('/new', '/old');
    const found = outcomes(disk, (crashed) => `${filesOf(crashed)}=${crashed.contents('/old')[0]}`);
    expect(found).toEqual(new Set(['/new /old=2', '/old=1']));
  });

  test('a rename of a file whose bytes were not synced may expose an empty file', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const file = await disk.open('/temporary', 'create');
    await file.write(Uint8Array.of(1), 0);
    await disk.rename('/temporary', '/final');
    await disk.syncDirectory('/');
    const found = outcomes(disk, (crashed) => `${filesOf(crashed)}=${crashed.contents('/final').join()}`);
    expect(found).toEqual(new Set(['/final=', '/final=0', '/final=1']));
  });

  test('a rename across directories is durable after the sync of both', async () => {
    const disk = createFaultDisk({ seed: 1 });
    disk.setContents('/x/a', Uint8Array.of(1));
    disk.setContents('/y/b', Uint8Array.of(2));
    await disk.rename('/x/a', '/y/a');
    await disk.syncDirectory('/y');
    expect(filesOf(disk.afterCrash('none'))).toBe('/x/a /y/b');
    await disk.syncDirectory('/x');
    expect(filesOf(disk.afterCrash('none'))).toBe('/y/a /y/b');
  });

  test('a durable removal takes the un-synced creation of the same name with it', async () => {
    const disk = createFaultDisk({ seed: 1 });
    await disk.open('/a', 'create');
    await disk.remove('/a');
    expect(outcomes(disk, filesOf)).toEqual(new Set(['', '/a']));
    await disk.syncDirectory('/');
    expect(outcomes(disk, filesOf)).toEqual(new Set(['']));
  });

  test('a directory that did not survive takes its files along', async () => {
    const disk = createFaultDisk({ seed: 1 });
    await disk.makeDirectory('/x/y');
    await disk.open('/x/y/a', 'create');
    await disk.syncDirectory('/x/y');
    await disk.syncDirectory('/x');
    expect(filesOf(disk.afterCrash('none'))).toBe('');
    await disk.syncDirectory('/');
    expect(filesOf(disk.afterCrash('none'))).toBe('/x/y/a');
  });

  test('hard links stay links to one file after a restart', async () => {
    const disk = createFaultDisk({ seed: 1 });
    disk.setContents('/a', Uint8Array.of(1));
    await disk.link('/a', '/b');
    const again = disk.afterCrash('all');
    const file = await again.open('/a', 'write');
    await file.write(Uint8Array.of(9), 0);
    expect(again.contents('/b')).toEqual(Uint8Array.of(9));
  });
});

describe('failing syncs', () => {
  test('readers still see what a failed sync dropped, and no later sync brings it back', async () => {
    const kept = new Set<string>();
    for (const seed of draws) {
      const { disk, file } = await syncedFile('/a', blocks(1, 1), seed);
      await file.write(blocks(2), 0);
      await file.write(blocks(3), sector);
      disk.inject({ operation: 'sync', effect: { kind: 'error', code: 'EIO' } });
      await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
      await file.sync();
      expect(blockPattern('/a')(disk)).toBe('2 3');
      const left = blockPattern('/a')(disk.afterCrash('none'));
      expect(blockPattern('/a')(disk.afterCrash('all'))).toBe(left);
      kept.add(left);
    }
    expect(kept).toEqual(new Set(['1 1', '2 1', '1 3', '2 3']));
  });
});

describe('the power fails', () => {
  test('after the step it was told, which takes effect in the cache only', async () => {
    const disk = createFaultDisk({ seed: 1 });
    disk.crashAfterStep(3);
    const file = await disk.open('/a', 'create');
    await disk.syncDirectory('/');
    await expect(file.write(Uint8Array.of(1), 0)).rejects.toMatchObject({ code: 'DISK_CRASHED' });
    expect(disk.crashed).toBe(true);
    expect([...disk.afterCrash('none').contents('/a')]).toEqual([]);
    expect([...disk.afterCrash('all').contents('/a')]).toEqual([1]);
    for (const call of [
      file.read(new Uint8Array(1), 0),
      file.sync(),
      disk.list('/'),
      disk.stat('/a'),
      disk.open('/a', 'read'),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'DISK_CRASHED' });
    }
    await file.close();
    expect(disk.openFiles).toBe(0);
  });

  test('a sync that it met has covered nothing', async () => {
    const { disk, file } = await syncedFile('/a', blocks(1));
    await file.write(blocks(2), 0);
    disk.crashAfterStep(2);
    await expect(file.sync()).rejects.toMatchObject({ code: 'DISK_CRASHED' });
    expect(blockPattern('/a')(disk.afterCrash('none'))).toBe('1');
    expect(outcomes(disk, blockPattern('/a'))).toEqual(new Set(['1', '2']));
  });

  test('calls in flight reject, also those that were stalled for ever', async () => {
    const { disk, file } = await syncedFile('/a', blocks(1));
    disk.inject({ operation: 'write', effect: { kind: 'stall', release: new Promise(() => {}) } });
    const stalled = file.write(blocks(2), 0);
    const reading = file.read(new Uint8Array(1), 0);
    disk.crash();
    await expect(stalled).rejects.toMatchObject({ code: 'DISK_CRASHED' });
    await expect(reading).rejects.toMatchObject({ code: 'DISK_CRASHED' });
    expect(outcomes(disk, blockPattern('/a'))).toEqual(new Set(['1', '2']));
  });

  test('locks are gone at the next start', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const lock = await disk.lockDirectory('/');
    await (await disk.restart().lockDirectory('/')).release();
    await lock.release();
  });
});

describe('fault rules', () => {
  test('meet the calls they name, after some and some times, until taken away', async () => {
    const { disk, file } = await syncedFile('/wal/1', blocks(1));
    const withdraw = disk.inject({
      operation: 'write',
      path: /wal/g,
      after: 1,
      times: 2,
      effect: { kind: 'error', code: 'ENOSPC' },
    });
    const results: string[] = [];
    for (let i = 0; i < 5; i++) {
      results.push(
        await file.write(Uint8Array.of(9), i).then(
          () => 'written',
          (error) => error.code,
        ),
      );
    }
    expect(results).toEqual(['written', 'ENOSPC', 'ENOSPC', 'written', 'written']);
    expect([...disk.contents('/wal/1').subarray(0, 5)]).toEqual([9, 1, 1, 9, 9]);
    const forever = disk.inject({
      operation: 'sync',
      times: Number.POSITIVE_INFINITY,
      effect: { kind: 'error', code: 'EIO' },
    });
    expect(() => file.syncSync()).toThrow(/EIO: sync '\/wal\/1'/);
    expect(() => file.syncSync()).toThrow(/EIO/);
    forever();
    withdraw();
    file.syncSync();
  });

  test('delay a call on the clock of the disk, and need one', async () => {
    const clock = createManualClock();
    const disk = createFaultDisk({ seed: 1, clock });
    const file = await disk.open('/a', 'create');
    disk.inject({ operation: 'sync', effect: { kind: 'delay', delayMs: 50 } });
    let done = false;
    const syncing = file.sync().then(() => {
      done = true;
    });
    await clock.advance(49);
    expect(done).toBe(false);
    await clock.advance(1);
    expect(done).toBe(true);
    await syncing;
    const clockless = createFaultDisk({ seed: 1 });
    expect(() => clockless.inject({ operation: 'sync', effect: { kind: 'delay', delayMs: 1 } })).toThrow(TypeError);
  });

  test('stall a call while others go on', async () => {
    const { disk, file } = await syncedFile('/a', blocks(1));
    let release = () => {};
    disk.inject({
      operation: 'sync',
      effect: {
        kind: 'stall',
        release: new Promise<void>((resolve) => {
          release = resolve;
        }),
      },
    });
    let synced = false;
    const syncing = file.sync().then(() => {
      synced = true;
    });
    await file.write(blocks(2), 0);
    expect(synced).toBe(false);
    release();
    await syncing;
    expect(blockPattern('/a')(disk.afterCrash('none'))).toBe('1');
  });

  test('flip one bit of what a read returns, and of nothing else', async () => {
    const { disk, file } = await syncedFile('/a', new Uint8Array(64));
    disk.inject({ operation: 'read', effect: { kind: 'flip' } });
    const buffer = new Uint8Array(64);
    await file.read(buffer, 0);
    const flipped = [...buffer].filter((byte) => byte !== 0);
    expect(flipped.length).toBe(1);
    expect(Math.log2(flipped[0] as number) % 1).toBe(0);
    await file.read(buffer, 0);
    expect(buffer).toEqual(new Uint8Array(64));
  });
});

describe('by hand', () => {
  test('corrupt damages platter, cache and what is on its way', async () => {
    const { disk, file } = await syncedFile('/a', Uint8Array.of(1, 2));
    await file.write(Uint8Array.of(4), 1);
    disk.corrupt('/a', 0, 0x80);
    disk.corrupt('/a', 1, 0x01);
    expect([...disk.contents('/a')]).toEqual([0x81, 5]);
    expect([...disk.afterCrash('none').contents('/a')]).toEqual([0x81, 3]);
    await file.sync();
    expect([...disk.afterCrash('none').contents('/a')]).toEqual([0x81, 5]);
  });

  test('contents that were set are durable with their name and the directories above', async () => {
    const disk = createFaultDisk({ seed: 1 });
    await disk.makeDirectory('/x');
    disk.setContents('/x/y/a', Uint8Array.of(1));
    disk.setContents('/x/y/a', Uint8Array.of(2));
    expect([...disk.afterCrash('none').contents('/x/y/a')]).toEqual([2]);
    expect(disk.steps).toBe(1);
  });

  test('the trace tells every step', async () => {
    const disk = createFaultDisk({ seed: 1 });
    await disk.makeDirectory('wal');
    const file = await disk.open('wal/1', 'create');
    disk.inject({ operation: 'write', effect: { kind: 'error', code: 'EIO' } });
    await file.write(new Uint8Array(160), 4096).catch(() => {});
    await disk.rename('/wal/1', 'wal/2');
    await file.truncate(7);
    expect(disk.trace).toEqual([
      '1 makeDirectory /wal',
      '2 open /wal/1 create',
      '3 write /wal/1 4096+160 !EIO',
      '4 rename /wal/1 -> /wal/2',
      '5 truncate /wal/1 7',
    ]);
    expect(disk.steps).toBe(5);
  });
});

/** A random workload: calls on three files, some of which fail for want of a file. */
type Call = { file: number; kind: 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'syncDirectory'; at: number };

const anyCall: fc.Arbitrary<Call> = fc.record({
  file: fc.nat(2),
  kind: fc.constantFrom('write', 'write', 'write', 'sync', 'truncate', 'rename', 'remove', 'syncDirectory'),
  at: fc.nat(3 * sector),
});

async function play(disk: FaultDisk, calls: readonly Call[]): Promise<void> {
  for (const [index, { file, kind, at }] of calls.entries()) {
    const path = `/${file}`;
    if (kind === 'syncDirectory') await disk.syncDirectory('/');
    else if (kind === 'rename') await disk.rename(path, `/${(file + 1) % 3}`).catch(() => {});
    else if (kind === 'remove') await disk.remove(path).catch(() => {});
    else {
      const exists = (await disk.stat(path)) !== undefined;
      const handle = await disk.open(path, exists ? 'write' : 'create');
      if (kind === 'write') await handle.write(new Uint8Array(300).fill(index + 1), at);
      else if (kind === 'truncate') await handle.truncate(at);
      else await handle.sync();
      await handle.close();
    }
  }
}

const image = (disk: FaultDisk) =>
  disk.files().map((path) => [path, Buffer.from(disk.contents(path)).toString('base64')]);

describe('for any workload (seed 20240131)', () => {
  const parameters = { seed: 20240131, numRuns: 300 };

  test('the same seed and the same calls leave the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCall, { maxLength: 25 }), fc.nat(), async (calls, seed) => {
        const [first, second] = [createFaultDisk({ seed }), createFaultDisk({ seed })];
        await play(first, calls);
        await play(second, calls);
        expect(second.trace).toEqual(first.trace);
        for (let i = 0; i < 3; i++) {
          const [a, b] = [first.afterCrash(), second.afterCrash()];
          expect(image(b)).toEqual(image(a));
          await play(a, calls);
          await play(b, calls);
          expect(image(b.restart())).toEqual(image(a.restart()));
        }
      }),
      parameters,
    );
  });

  test('what was synced with its name survives every crash, and survival all keeps what readers saw', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyCall, { maxLength: 25 }), fc.nat(), async (calls, seed) => {
        const disk = createFaultDisk({ seed });
        await play(disk, calls);
        const seen = image(disk);
        expect(image(disk.afterCrash('all'))).toEqual(seen);
        const running = disk.restart('all');
        const survivals: CrashSurvival[] = ['none', 'random', 'random', 'random'];
        for (const survival of survivals) expect(image(running.restart(survival))).toEqual(seen);
      }),
      parameters,
    );
  });
});
