import type { Disk } from '@shanghai/env';
import { enumerateCrashes } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import {
  appendTo,
  by,
  bytes,
  createFaultDisk,
  createManualClock,
  get,
  openTestNode,
  put,
  quorumLog,
  readLog,
  request,
  smallOptions,
} from './core-harness.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const seed = 20_261;

/** What the workload was told, and what it was waiting for when the power failed. */
interface Told {
  readonly puts: Map<string, string>;
  readonly attempted: Map<string, string>;
  readonly log: string[];
  logAttempted: string[];
  sessionId: number;
  /** Pieces appended to one key, one request number each; all but the last are acknowledged. */
  readonly pieces: string[];
  piecesAcknowledged: number;
}

function start(): Told {
  return {
    puts: new Map(),
    attempted: new Map(),
    log: [],
    logAttempted: [],
    sessionId: 0,
    pieces: [],
    piecesAcknowledged: 0,
  };
}

async function toldPut(node: ShanghaiNode, told: Told, key: string, value: string): Promise<void> {
  told.attempted.set(key, value);
  await put(node, key, value);
  told.puts.set(key, value);
}

async function toldAppend(node: ShanghaiNode, told: Told, ...values: string[]): Promise<void> {
  told.logAttempted = values;
  await appendTo(node, 'events', ...values);
  told.log.push(...values);
  told.logAttempted = [];
}

function sendPiece(node: ShanghaiNode, told: Told, number: number, retry: boolean) {
  return node.keyValue.write(
    {
      kind: 'independent',
      operations: [{ type: 'append', key: bytes('pieces'), value: bytes(told.pieces[number - 1] as string) }],
    },
    by({ sessionId: told.sessionId, requestNumber: number, retry }),
    request(),
  );
}

async function toldPiece(node: ShanghaiNode, told: Told, piece: string): Promise<void> {
  told.pieces.push(piece);
  await sendPiece(node, told, told.pieces.length, false);
  told.piecesAcknowledged++;
}

async function verify(disk: Disk, told: Told): Promise<void> {
  const clock = createManualClock(2_000_000);
  const node = await openTestNode(disk, clock);
  try {
    await verifyKeys(node, told);
    await verifyPieces(node, told);
    await verifyLog(node, told);
  } finally {
    await node.close(1000);
  }
}

async function verifyKeys(node: ShanghaiNode, told: Told): Promise<void> {
  for (const [key, value] of told.attempted) {
    const found = await get(node, key);
    if (told.puts.get(key) === value) expect(found).toBe(value);
    else expect([value, told.puts.get(key)]).toContain(found);
  }
}

async function verifyPieces(node: ShanghaiNode, told: Told): Promise<void> {
  if (told.pieces.length === 0) return;
  // Every piece is sent again, as a client does that heard nothing: each must be there once, in order.
  for (let number = 1; number <= told.pieces.length; number++) await sendPiece(node, told, number, true);
  expect(await get(node, 'pieces')).toBe(told.pieces.join(''));
}

async function verifyLog(node: ShanghaiNode, told: Told): Promise<void> {
  const exists = (await node.logs.list('', request())).length > 0;
  if (!exists) return expect(told.log).toEqual([]);
  const entries = await readLog(node, 'events');
  expect(entries.slice(0, told.log.length)).toEqual(told.log);
  const more = entries.slice(told.log.length);
  // What was in flight is there whole or not at all.
  if (more.length > 0) expect(more).toEqual(told.logAttempted);
  const appended = await appendTo(node, 'events', 'after');
  expect(appended.firstSequence).toBe(entries.length + 1);
  expect(await readLog(node, 'events')).toEqual([...entries, 'after']);
}

test('a crash after any step of the first start leaves a directory that opens and holds every acknowledged write', async () => {
  const coverage = await enumerateCrashes<Told>({
    seed,
    randomDraws: deep ? 5 : 0,
    start,
    async run(disk, told) {
      const node = await openTestNode(disk, createManualClock(1_000_000));
      await toldPut(node, told, 'a', '1');
      await toldPut(node, told, 'b', '2');
    },
    verify,
  });
  expect(coverage.steps).toBeGreaterThan(20);
});

test('a crash after any step of writes, log appends and checkpoints loses no acknowledged write and applies retries once', async () => {
  const coverage = await enumerateCrashes<Told>({
    seed,
    randomDraws: deep ? 6 : 0,
    start,
    async prepare(disk) {
      const node = await openTestNode(disk, createManualClock(1_000_000));
      await node.logs.create('events', quorumLog, request());
      await node.close(1000);
    },
    async run(disk, told) {
      const node = await openTestNode(disk, createManualClock(1_500_000));
      told.sessionId = (await node.keyValue.openSession(0, request())).value.sessionId;
      await toldPut(node, told, 'a', '1');
      await toldPiece(node, told, 'x');
      await toldAppend(node, told, 'e1', 'e2');
      await Promise.all([toldPut(node, told, 'b', '2'), toldPut(node, told, 'c', '3')]);
      await node.checkpoint();
      await toldPiece(node, told, 'y');
      await toldAppend(node, told, 'e3');
      await toldPut(node, told, 'a', '4');
      await node.checkpoint();
      await toldAppend(node, told, 'e4', 'e5');
      await toldPiece(node, told, 'z');
      await node.close(1000);
    },
    verify,
  });
  expect(coverage.steps).toBeGreaterThan(40);
});

test('a second crash at any step of the recovery changes nothing', async () => {
  const told = start();
  const disk = createFaultDisk({ seed });
  const node = await openTestNode(disk, createManualClock(1_000_000));
  await node.logs.create('events', quorumLog, request());
  await toldPut(node, told, 'a', '1');
  await toldAppend(node, told, 'e1');
  await node.checkpoint();
  await toldPut(node, told, 'b', '2');
  await toldAppend(node, told, 'e2', 'e3');
  disk.crash();
  await node.close(0).catch(() => undefined);
  for (const survival of ['none', 'random'] as const) {
    for (let step = 1; ; step++) {
      const recovering = disk.restart(survival, step);
      recovering.crashAfterStep(step);
      await reopen(recovering).catch((error: unknown) => {
        if (!recovering.crashed) throw error;
      });
      if (!recovering.crashed) break;
      await verify(recovering.restart(survival, step), told);
    }
  }
});

async function reopen(disk: Disk): Promise<void> {
  const node = await openTestNode(disk, createManualClock(1_700_000));
  await node.close(1000);
}

test('a log that is never synced loses at most its end at a crash, and goes on behind it', async () => {
  const options = { wal: { ...smallOptions.wal, durability: 'never' as const } };
  const open = (disk: Disk) => openTestNode(disk, createManualClock(1_500_000), options);
  await enumerateCrashes<Told>({
    seed,
    randomDraws: deep ? 10 : 0,
    start,
    async prepare(disk) {
      const node = await open(disk);
      await node.logs.create('events', quorumLog, request());
      await node.close(1000);
    },
    async run(disk, told) {
      const node = await open(disk);
      await toldAppend(node, told, 'e1', 'e2');
      await node.checkpoint();
      await toldAppend(node, told, 'e3');
      await toldPut(node, told, 'a', '1');
      await toldAppend(node, told, 'e4');
    },
    async verify(disk, told) {
      const node = await open(disk);
      const entries = await readLog(node, 'events');
      const written = [...told.log, ...told.logAttempted];
      expect(entries).toEqual(written.slice(0, entries.length));
      await appendTo(node, 'events', 'after');
      await node.close(1000);
      const again = await open(disk);
      expect(await readLog(again, 'events')).toEqual([...entries, 'after']);
      await again.close(1000);
    },
  });
});

test('a log that is never synced can be cut at any moment of a crash', async () => {
  const options = { wal: { ...smallOptions.wal, durability: 'never' as const } };
  const open = (disk: Disk) => openTestNode(disk, createManualClock(1_500_000), options);
  const large = 'x'.repeat(30_000);
  const coverage = await enumerateCrashes<Told & { checkpointed: string[] }>({
    seed,
    randomDraws: deep ? 10 : 0,
    start: () => ({ ...start(), checkpointed: [] }),
    async run(disk, told) {
      const node = await open(disk);
      for (const key of ['a', 'b', 'c']) await toldPut(node, told, key, large + key);
      await node.checkpoint();
      told.checkpointed.push(...told.puts.keys());
      await toldPut(node, told, 'd', 'last');
    },
    async verify(disk, told) {
      const node = await open(disk);
      const found: string[] = [];
      for (const [key, value] of told.attempted) {
        const there = await get(node, key);
        if (there === undefined) continue;
        expect(there).toBe(value);
        found.push(key);
      }
      // At most the end is missing, and nothing that a checkpoint made durable.
      expect(found).toEqual([...told.attempted.keys()].slice(0, found.length));
      expect(found).toEqual(expect.arrayContaining(told.checkpointed));
      await node.close(1000);
    },
  });
  expect(coverage.steps).toBeGreaterThan(20);
});
