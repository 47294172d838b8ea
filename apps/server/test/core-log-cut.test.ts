import { expect, test } from 'vitest';
import { createManualClock, createMemoryDisk, get, openTestNode, put } from './core-harness.js';

test('a group that rests does not keep the write-ahead log of a busy one from being cut', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  let node = await openTestNode(disk, clock);
  const segments: number[] = [];
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 100; i++) await put(node, `k${i}`, String(round).repeat(3000));
    await node.checkpoint();
    segments.push(node.status().wal.segments);
  }
  // Uncut it would be five more each round; a group that rests is moved on when it holds up a few.
  expect(Math.max(...segments)).toBeLessThanOrEqual((segments[0] as number) + 5);
  await node.close(1000);
  node = await openTestNode(disk, clock);
  expect(await get(node, 'k99')).toBe('5'.repeat(3000));
  await node.close(1000);
});

test('state is made durable whenever enough was proposed, however large the log’s files are', async () => {
  const clock = createManualClock(1_000_000);
  const wal = { segmentBytes: 262_144, firstSegmentBytes: 262_144, segmentsAhead: 1 };
  const more = { checkpointBytes: 10_000, checkpointIntervalMs: 3_600_000, wal };
  const node = await openTestNode(createMemoryDisk(), clock, more);
  const checkpointed: boolean[] = [];
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 10; i++) await put(node, `k${i}`, String(round).repeat(1200));
    await clock.advance(1500);
    const data = node.status().groups.find(({ groupId }) => groupId === 1);
    checkpointed.push(data?.durableAppliedIndex === data?.appliedIndex);
  }
  expect(checkpointed).toEqual([true, true, true, true]);
  await node.close(1000);
});
