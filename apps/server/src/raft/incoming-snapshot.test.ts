import { crc32 } from '@shanghai/env';
import { createFaultDisk, createMemoryDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { crc32c } from '../engine/crc32c.js';
import { IncomingSnapshot } from './incoming-snapshot.js';

const emptyConfState = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

/** As a manifest: some bytes, and their CRC-32 behind them. */
function selfChecked(text: string): Buffer {
  const bytes = Buffer.from(`${text}....`);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}

test('a file of another snapshot is not taken for this one because both end with their own checksum', async () => {
  const disk = createMemoryDisk();
  const gather = (index: number) =>
    new IncomingSnapshot({
      disk,
      directory: 'incoming',
      snapshot: { metadata: { index, term: 1, confState: emptyConfState }, data: new Uint8Array(0) },
      inTurn: (work) => work(),
      onComplete: async () => {},
    });
  const [old, fresh] = [selfChecked('lists one'), selfChecked('lists two')];
  expect(crc32(old)).toBe(crc32(fresh));
  const fileOf = (bytes: Buffer) => ({ name: 'store/MANIFEST', bytes: bytes.length, crc: crc32c(bytes) });
  const first = gather(7);
  await first.begin([fileOf(old)]);
  await first.write('store/MANIFEST', 0, old);
  await first.abandon();
  const second = gather(9);
  expect(await second.begin([fileOf(fresh)])).toEqual([0]);
  await second.write('store/MANIFEST', 0, fresh);
  await second.complete();
  expect(Buffer.from(disk.contents('incoming/store/MANIFEST'))).toEqual(fresh);
  const again = gather(9);
  expect(await again.begin([fileOf(fresh)])).toEqual([fresh.length]);
});

test('a file whose sync failed comes again: no later sync would write what the failed one dropped', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const disk = createFaultDisk({ seed });
    const bytes = Buffer.alloc(9000, seed);
    const files = [{ name: 'store/1.data', bytes: bytes.length, crc: crc32c(bytes) }];
    const gather = async () => {
      const incoming = new IncomingSnapshot({
        disk,
        directory: '/incoming',
        snapshot: { metadata: { index: 7, term: 1, confState: emptyConfState }, data: new Uint8Array(0) },
        inTurn: (work) => work(),
        onComplete: async () => {},
      });
      const [at = 0] = await incoming.begin(files);
      if (at < bytes.length) await incoming.write('store/1.data', at, bytes.subarray(at));
      await incoming.complete().finally(() => incoming.abandon());
    };
    disk.inject({ operation: 'sync', path: /1\.data$/, effect: { kind: 'error', code: 'EIO' } });
    await expect(gather(), `seed ${seed}`).rejects.toMatchObject({ code: 'EIO' });
    disk.inject({ operation: 'syncDirectory', path: /store$/, effect: { kind: 'error', code: 'EIO' } });
    await expect(gather(), `seed ${seed}`).rejects.toMatchObject({ code: 'EIO' });
    await gather();
    expect(bytes.equals(disk.afterCrash('none').contents('/incoming/store/1.data')), `seed ${seed}`).toBe(true);
  }
});
