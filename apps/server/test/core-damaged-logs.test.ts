import { createSeededRandom, ensureDirectory, writeFully } from '@shanghai/env';
import type { MemoryDisk } from '@shanghai/env/testing';
import { beforeEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import type { NodeOptions } from '../src/node-options.js';
import {
  appendTo,
  createManualClock,
  createMemoryDisk,
  get,
  openTestNode,
  put,
  quorumLog,
  readLog,
  request,
  smallOptions,
} from './core-harness.js';

let disk: MemoryDisk;
let clock: ReturnType<typeof createManualClock>;
let told: string[];
/** The files of the first log at the last checkpoint. */
let checkpointed: Map<string, Buffer>;

beforeEach(() => {
  disk = createMemoryDisk();
  clock = createManualClock(1_000_000);
  told = [];
});

const listener = {
  logDamaged: ({ directory }: { directory: string }) => told.push(`damaged ${directory}`),
  logTornTail: ({ directory }: { directory: string }) => told.push(`torn ${directory}`),
  retentionFailed: ({ logId }: { logId: number }) => told.push(`retention ${logId}`),
  checkpointFailed: ({ error }: { error: Error }) => told.push(`checkpoint ${error.message}`),
  failed: ({ error }: { error: Error }) => told.push(`failed ${error.message}`),
};

function open(more: Partial<NodeOptions> = {}): Promise<ShanghaiNode> {
  return openTestNode(disk, clock, { listener, ...more });
}

const directory = 'data/logs/1/0';

function segments(): string[] {
  return disk
    .files()
    .filter((path) => path.includes(`${directory}/`) && path.endsWith('.wal'))
    .sort();
}

/** Two logs of 100 entries and a key, all behind a checkpoint, and `unsaved` more entries in the first. */
async function filledNode(unsaved: number): Promise<readonly string[]> {
  const node = await open();
  for (const log of ['events', 'other']) await node.logs.create(log, quorumLog, request());
  await put(node, 'key', 'value');
  const values = Array.from({ length: 100 }, (_, i) => `entry-${i}-${'x'.repeat(900)}`);
  await appendTo(node, 'other', ...values);
  for (const value of values) await appendTo(node, 'events', value);
  await node.checkpoint();
  await node.close(1000);
  checkpointed = logFiles();
  const again = await open();
  for (let i = 0; i < unsaved; i++) await appendTo(again, 'events', `late-${i}`);
  await again.close(1000);
  return values;
}

function logFiles(): Map<string, Buffer> {
  const paths = disk.files().filter((path) => path.includes(`${directory}/`));
  return new Map(paths.map((path) => [path, Buffer.from(disk.contents(path))]));
}

/** Ways in which files get shorter without a byte that contradicts itself, or do not open. */
const damages: Record<string, () => Promise<void>> = {
  'the last file cut in the middle of a frame': async () => cutLast(0.6),
  'the last file cut to its header': async () => cutLast(0),
  'the last file zeroed behind the middle': async () => {
    const path = segments().at(-1) as string;
    const contents = Buffer.from(disk.contents(path));
    contents.fill(0, Math.floor(contents.length / 4));
    disk.setContents(path, contents);
  },
  'the last file deleted': () => disk.remove(segments().at(-1) as string),
  'the first file deleted': () => disk.remove(segments()[0] as string),
  'all files deleted': async () => {
    for (const path of segments()) await disk.remove(path);
  },
  'the directory deleted': async () => {
    for (const path of logFiles().keys()) await disk.remove(path);
    await disk.removeDirectory(directory);
  },
};

function cutLast(share: number): void {
  const path = segments().at(-1) as string;
  const contents = disk.contents(path);
  disk.setContents(path, contents.subarray(0, 4096 + Math.floor((contents.length - 4096) * share)));
}

async function expectRefused(node: ShanghaiNode): Promise<void> {
  const refusal = { code: 'DATA_CORRUPTED', message: expect.stringContaining(directory) };
  await expect(readLog(node, 'events')).rejects.toMatchObject(refusal);
  const tail = node.logs.tail({ log: 'events', origin: 0, start: { from: 'end' } }, request());
  await expect(tail[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal);
  await expect(appendTo(node, 'events', 'more')).rejects.toMatchObject(refusal);
}

for (const [what, damage] of Object.entries(damages)) {
  test(`${what}: the log is refused, nothing is appended, and the rest goes on, also after a restart`, async () => {
    const values = await filledNode(0);
    await damage();
    for (let start = 1; start <= 2; start++) {
      told.length = 0;
      const node = await open();
      const before = node.status().groups[1]?.lastIndex;
      await expectRefused(node);
      expect(node.status().groups[1]?.lastIndex).toBe(before);
      expect(await get(node, 'key')).toBe('value');
      expect((await readLog(node, 'other')).slice(0, 100)).toEqual(values);
      await appendTo(node, 'other', 'more');
      await node.checkpoint();
      expect(told.filter((line) => !line.startsWith('torn'))).toEqual([`damaged ${directory}`]);
      await node.close(1000);
    }
  });

  test(`${what}, with entries behind the checkpoint: the node starts, keeps them, and has them once the files are back`, async () => {
    const values = await filledNode(3);
    // Without their first file they take the late entries all the same, so those are not kept a second time.
    const saved = what === 'the first file deleted' ? logFiles() : checkpointed;
    await damage();
    const node = await open();
    await put(node, 'key', 'again');
    await expectRefused(node);
    await node.checkpoint();
    await appendTo(node, 'other', 'more');
    await node.checkpoint();
    const { appliedIndex, durableAppliedIndex } = node.status().groups[1] ?? {};
    expect((durableAppliedIndex as number) < (appliedIndex as number)).toBe(what !== 'the first file deleted');
    await node.close(1000);
    expect(told.filter((line) => line.startsWith('failed') || line.startsWith('checkpoint'))).toEqual([]);
    for (const path of logFiles().keys()) await disk.remove(path);
    await ensureDirectory(disk, directory);
    for (const [path, contents] of saved) disk.setContents(path, contents);
    const mended = await open();
    const entries = await readLog(mended, 'events');
    expect(entries.map((entry) => entry?.slice(0, 9))).toEqual(
      [...values, 'late-0', 'late-1', 'late-2'].map((value) => value.slice(0, 9)),
    );
    expect(await get(mended, 'key')).toBe('again');
    await appendTo(mended, 'events', 'after');
    await mended.close(1000);
  });
}

test('a damaged log can be deleted, and then keeps nothing from becoming durable', async () => {
  await filledNode(3);
  for (const path of segments()) await disk.remove(path);
  const node = await open();
  await node.logs.delete('events', request());
  await node.checkpoint();
  const { appliedIndex, durableAppliedIndex } = node.status().groups[1] ?? {};
  expect(durableAppliedIndex).toBe(appliedIndex);
  await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'anew');
  expect(await readLog(node, 'events')).toEqual(['anew']);
  await node.close(1000);
});

test('a damaged file of a log does not keep a node that acknowledges before it syncs from starting', async () => {
  await filledNode(0);
  const path = segments()[0] as string;
  disk.setContents(path, Buffer.alloc(disk.contents(path).length, 7));
  const node = await open({ wal: { ...smallOptions.wal, durability: 'interval' } });
  await expectRefused(node);
  expect(await get(node, 'key')).toBe('value');
  await node.close(1000);
});

test('retention that meets damage is reported once, and checkpoints and the retention of other logs go on', async () => {
  let node = await open();
  const settings = { ...quorumLog, retentionMs: 10_000 };
  for (const log of ['events', 'other']) await node.logs.create(log, settings, request());
  const value = 'v'.repeat(10_000);
  for (let i = 0; i < 20; i++) for (const log of ['events', 'other']) await appendTo(node, log, value);
  await node.checkpoint();
  await node.close(1000);
  for (const path of segments().slice(0, -1)) {
    // A byte of the last record, before the footer: opening takes the footer's word, reading does not.
    const contents = Buffer.from(disk.contents(path));
    const at = contents.lastIndexOf(Buffer.from(value.slice(0, 100))) + 50;
    contents[at] = 1;
    disk.setContents(path, contents);
  }
  node = await open({ checkpointIntervalMs: 2000 });
  for (const log of ['events', 'other']) await appendTo(node, log, 'x');
  await clock.advance(20_000);
  for (let i = 0; i < 5; i++) await clock.advance(1000);
  expect(told).toEqual(['retention 1']);
  expect((await node.logs.describe('other', request())).origins[0]?.firstSequence).toBeGreaterThan(1);
  const { appliedIndex, durableAppliedIndex } = node.status().groups[1] ?? {};
  expect(durableAppliedIndex).toBe(appliedIndex);
  await node.close(1000);
});

test('the files of a log of another cluster are refused, though everything about them is in order', async () => {
  const values = await filledNode(0);
  const other = await openTestNode(disk, clock, { dataDirectory: 'other', random: createSeededRandom(8) });
  await other.logs.create('events', quorumLog, request());
  for (const value of values) await appendTo(other, 'events', `other ${value}`);
  await other.checkpoint();
  await other.close(1000);
  for (const path of disk.files().filter((one) => one.includes(`${directory}/`))) await disk.remove(path);
  const foreign = disk.files().filter((path) => path.includes('other/logs/1/0/') && path.endsWith('.wal'));
  expect(foreign.length).toBeGreaterThan(0);
  for (const path of foreign) {
    const file = await disk.open(path.replace('other/', 'data/'), 'create');
    await writeFully(file, disk.contents(path), 0);
    await file.close();
  }
  const node = await open();
  await expect(readLog(node, 'events')).rejects.toMatchObject({
    code: 'DATA_CORRUPTED',
    message: expect.stringContaining('another log'),
  });
  expect(await readLog(node, 'other')).toEqual(values);
  await node.close(1000);
});
