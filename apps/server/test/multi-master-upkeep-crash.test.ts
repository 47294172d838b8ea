/** Power failures while consumers of multi-master logs commit and their entries are trimmed, and at the first start after a restore. */
import { createFaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { LogSettings } from '../src/logs/log-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import { copyTree, restore, save } from './backup-harness.js';
import { appendTo, createManualClock, createMemoryDisk, openTestNode, request, text } from './core-harness.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const seed = 20_250;
const settings: LogSettings = {
  mode: 'multi-master',
  acknowledgement: 'local',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
};
const at = (sequence: number) => [{ origin: 1, epoch: 1, sequence }];

function upkeep({ logUpkeep }: ShanghaiNode) {
  if (logUpkeep === undefined) throw new Error('the node keeps no consumers');
  return logUpkeep;
}

/** What was acknowledged. */
interface Told {
  committed: number;
  trimmed: number;
}

async function work(node: ShanghaiNode, told: Told): Promise<void> {
  const commit = async (sequence: number) => {
    const positions = at(sequence);
    await upkeep(node).commit({ log: 'events', consumer: 'c', generation: 0, positions }, request());
    told.committed = sequence;
  };
  const trim = async (sequence: number) => {
    await upkeep(node).trim({ log: 'events', origin: 0, firstSequence: 0, positions: at(sequence) }, request());
    told.trimmed = sequence;
  };
  await commit(4);
  await trim(3);
  await node.checkpoint();
  await commit(6);
  await trim(5);
  await commit(9);
}

/** Every how manieth step a test crashes at. */
const stride = deep ? 1 : 5;

test('a crash after some step of commits, trims and checkpoints loses none that was acknowledged, and no entry behind them', async () => {
  const prepared = createFaultDisk({ seed });
  const first = await openTestNode(prepared, createManualClock(1_000_000));
  await first.logs.create('events', settings, request());
  await appendTo(first, 'events', ...Array.from({ length: 10 }, (_, i) => `e${i + 1}`));
  await first.close(1000);
  prepared.crash();
  const whole = prepared.restart('all', 0);
  await work(await openTestNode(whole, createManualClock(1_500_000)), { committed: 0, trimmed: 0 });
  let last: Told = { committed: 0, trimmed: 0 };
  for (let step = Math.floor(whole.steps / 3); step <= whole.steps + stride; step += stride) {
    const disk = prepared.restart('all', 0);
    const told: Told = { committed: 0, trimmed: 0 };
    disk.crashAfterStep(step);
    await openTestNode(disk, createManualClock(1_500_000))
      .then((node) => work(node, told))
      .catch(() => undefined);
    if (!disk.crashed) disk.crash();
    const node = await openTestNode(
      disk.restart(step % 2 === 0 ? 'none' : 'random', step),
      createManualClock(2_000_000),
    );
    const [consumer] = await upkeep(node).consumers('events', '', request());
    expect(consumer?.positions[0]?.sequence ?? 0).toBeGreaterThanOrEqual(told.committed);
    const [kept] = (await node.logs.describe('events', request())).origins;
    expect(kept?.firstSequence).toBeGreaterThan(told.trimmed);
    const start = { from: 'sequence', sequence: 0 } as const;
    const page = await node.logs.read({ log: 'events', origin: 1, start, limit: 100, maxBytes: 1 << 20 }, request());
    const expected = Array.from(
      { length: 11 - (kept?.firstSequence ?? 0) },
      (_, i) => `e${(kept?.firstSequence ?? 0) + i}`,
    );
    expect(page.entries.map(({ value }) => text(value))).toEqual(expected);
    await node.close(1000);
    last = told;
  }
  expect(last).toEqual({ committed: 9, trimmed: 5 });
});

test('a restored node whose power fails at its first start has everything at the next, and gives no name out that was used', async () => {
  const memory = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(memory, clock);
  await node.logs.create('events', settings, request());
  await appendTo(node, 'events', 'a', 'b', 'c');
  await upkeep(node).commit({ log: 'events', consumer: 'c', generation: 0, positions: at(2) }, request());
  await save(node, memory, 'backup');
  await node.close(1000);
  const prepared = createFaultDisk({ seed });
  await copyTree(memory, prepared, 'backup');
  await restore(prepared, 'backup', 'data');
  prepared.crash();
  const start = async (disk: typeof prepared, told: number[]) => {
    const other = await openTestNode(disk, createManualClock(6_000_000));
    told.push((await appendTo(other, 'events', 'd')).epoch as number);
    return other;
  };
  const whole = prepared.restart('none', 0);
  await (await start(whole, [])).close(1000);
  for (let step = 1; step <= whole.steps; step += 2 * stride) {
    const disk = prepared.restart('none', 0);
    const told: number[] = [];
    disk.crashAfterStep(step);
    await start(disk, told).catch(() => undefined);
    if (!disk.crashed) disk.crash();
    const again = await openTestNode(disk.restart('none', step), createManualClock(7_000_000));
    const appended = await appendTo(again, 'events', 'e');
    expect(appended.epoch).toBeGreaterThan(2 ** 20);
    expect(await upkeep(again).consumer('events', 'c', request())).toMatchObject({ generation: 2, positions: at(2) });
    const scope = { allOrigins: true, epoch: 0, order: 'time' } as const;
    const from = { from: 'sequence', sequence: 0 } as const;
    const page = await again.logs.read(
      { log: 'events', origin: 0, scope, start: from, limit: 100, maxBytes: 1 << 20 },
      request(),
    );
    const values = page.entries.map(({ value }) => text(value));
    expect(values.slice(0, 3)).toEqual(['a', 'b', 'c']);
    expect(values.at(-1)).toBe('e');
    // What was acknowledged is there, once, under the name it was told.
    expect(values.filter((value) => value === 'd').length).toBe(values.length - 4);
    if (told.length > 0) expect(values).toContain('d');
    await again.close(1000);
  }
});
