import { type Disk, readWholeFile, writeFully } from '@shanghai/env';
import { beforeAll, expect, test } from 'vitest';
import { verifyBackup } from '../src/backup/verify-backup.js';
import { archive, filesBelow, restore, save } from './backup-harness.js';
import {
  appendTo,
  createManualClock,
  createMemoryDisk,
  openTestNode,
  put,
  quorumLog,
  request,
} from './core-harness.js';

/** Every byte is tried in the deep form, else the first ones of each file and then one in so many. */
const stride = process.env['SHANGHAI_DEEP'] === '1' ? 1 : 31;
const alwaysTried = 16;

const disk: Disk = createMemoryDisk();
let files: string[];

beforeAll(async () => {
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  for (let i = 0; i < 8; i++) await put(node, `key-${i}`, `value-${i}`);
  await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'one', 'two');
  const manifest = await save(node, disk, 'backup');
  for (let i = 0; i < 8; i++) await put(node, `later-${i}`, `value-${i}`);
  await archive(node, disk, 'archive', manifest);
  await node.close(1000);
  files = await filesBelow(disk, 'backup');
}, 60_000);

async function changed(path: string, change: (bytes: Uint8Array) => Uint8Array, claim: () => Promise<void>) {
  const before = (await readWholeFile(disk, path, 1 << 30)) ?? new Uint8Array(0);
  await write(path, change(Uint8Array.from(before)));
  try {
    await claim();
  } finally {
    await write(path, before);
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, 'write');
  await file.truncate(bytes.length);
  await writeFully(file, bytes, 0);
  await file.close();
}

function flipped(at: number): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
    return bytes;
  };
}

async function isFound(what: string): Promise<void> {
  const { findings } = await verifyBackup('backup', { disk });
  expect(findings, what).not.toEqual([]);
}

async function isRefused(what: string): Promise<void> {
  const codes = ['DATA_CORRUPTED', 'NOT_FOUND', 'UNSUPPORTED'];
  const error: { code?: string } = await restore(disk, 'backup', 'restored').then(
    () => ({}),
    (reason: { code?: string }) => reason,
  );
  expect(codes, what).toContain(error.code);
  expect(await disk.stat('restored'), what).toBe(undefined);
}

test('a byte that is flipped anywhere in a backup is found', async () => {
  for (const path of files) {
    const { bytes = 0 } = (await disk.stat(path)) ?? {};
    for (let at = 0; at < bytes; at += at < alwaysTried ? 1 : stride) {
      await changed(path, flipped(at), () => isFound(`${path} at ${at}`));
    }
  }
}, 600_000);

test('a file that is cut anywhere is found, and so are one that is missing and one too many', async () => {
  for (const path of files) {
    const { bytes = 0 } = (await disk.stat(path)) ?? {};
    for (const length of new Set([0, 1, bytes >> 1, bytes - 1].filter((one) => one >= 0 && one < bytes))) {
      await changed(
        path,
        (all) => all.subarray(0, length),
        () => isFound(`${path} cut at ${length}`),
      );
    }
    await disk.rename(path, 'elsewhere');
    await isFound(`${path} missing`);
    await disk.rename('elsewhere', path);
  }
  await (await disk.open('backup/groups/1/more', 'create')).close();
  expect((await verifyBackup('backup', { disk })).findings).toMatchObject([{ code: 'FILE_UNKNOWN' }]);
  await disk.remove('backup/groups/1/more');
  expect((await verifyBackup('backup', { disk })).findings).toEqual([]);
});

test('what is damaged is not restored, and nothing is left of the attempt', async () => {
  for (const path of files) {
    const { bytes = 0 } = (await disk.stat(path)) ?? {};
    if (bytes === 0) continue;
    await changed(path, flipped(bytes >> 1), () => isRefused(`${path} flipped`));
    await changed(
      path,
      (all) => all.subarray(0, bytes >> 1),
      () => isRefused(`${path} cut`),
    );
  }
  expect(await disk.list('.').then((names) => names.filter((name) => name.includes('partial')))).toEqual([]);
  await restore(disk, 'backup', 'restored');
});

test('a byte that is flipped in an archive never gives another state: it is refused', async () => {
  const whole = await restore(disk, 'backup', 'whole', { archive: { directory: 'archive', until: {} } });
  for (const path of await filesBelow(disk, 'archive')) {
    if (/\/lock/.test(path)) continue;
    const { bytes = 0 } = (await disk.stat(path)) ?? {};
    for (let at = 0; at < bytes; at += at < alwaysTried ? 7 : stride) {
      await changed(path, flipped(at), async () => {
        const dataDirectory = `from-${at}`;
        const report = await restore(disk, 'backup', dataDirectory, {
          archive: { directory: 'archive', until: {} },
        }).catch(() => undefined);
        if (report !== undefined) expect(report.groups, `${path} at ${at}`).toEqual(whole.groups);
      });
    }
  }
}, 600_000);
