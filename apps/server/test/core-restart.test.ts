import { afterEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import {
  appendTo,
  by,
  bytes,
  createManualClock,
  createMemoryDisk,
  get,
  openTestNode,
  put,
  quorumLog,
  readLog,
  request,
} from './core-harness.js';

let node: ShanghaiNode | undefined;

afterEach(async () => {
  await node?.close(1000);
  node = undefined;
});

test('what was written is there after a clean restart', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  node = await openTestNode(disk, clock);
  await put(node, 'a', '1');
  await put(node, 'b', '2');
  await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'x', 'y');
  const { revision } = node.status().groups[1] as { revision: number };
  await node.close(1000);
  node = await openTestNode(disk, clock);
  expect(await get(node, 'a')).toBe('1');
  expect(await get(node, 'b')).toBe('2');
  expect(await get(node, 'c')).toBeUndefined();
  expect(await readLog(node, 'events')).toEqual(['x', 'y']);
  expect(node.status().groups[1]?.revision).toBe(revision);
  expect(await put(node, 'c', '3')).toBe(revision + 1);
});

test('a start begins a new term in every group', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  node = await openTestNode(disk, clock);
  const before = node.status().groups.map(({ term, lastIndex }) => ({ term, lastIndex }));
  await node.close(1000);
  node = await openTestNode(disk, clock);
  const after = node.status().groups.map(({ term, lastIndex }) => ({ term, lastIndex }));
  expect(after).toEqual(before.map(({ term, lastIndex }) => ({ term: term + 1, lastIndex: lastIndex + 1 })));
});

test('a hundred writes of a session at once share entries, and each is answered again after a restart as it was', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  node = await openTestNode(disk, clock);
  const { sessionId } = (await node.keyValue.openSession(0, request())).value;
  const writeAll = (retry: boolean) =>
    Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const operations = [{ type: 'append', key: bytes('k'), value: bytes('x') }] as const;
        const session = by({ sessionId, requestNumber: i + 1, retry });
        return (await (node as ShanghaiNode).keyValue.write({ kind: 'independent', operations }, session, request()))
          .value;
      }),
    );
  const before = node.status().groups[1]?.lastIndex ?? 0;
  const first = await writeAll(false);
  expect(first.map(([outcome]) => outcome?.ok === true && outcome.valueBytes)).toEqual(first.map((_, i) => i + 1));
  expect((node.status().groups[1]?.lastIndex ?? 0) - before).toBeLessThan(20);
  await node.close(1000);
  node = await openTestNode(disk, clock);
  expect(await writeAll(true)).toEqual(first);
  expect(await get(node, 'k')).toBe('x'.repeat(100));
});

test('a session answers a retry after a restart as it did before', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  node = await openTestNode(disk, clock);
  const { sessionId } = (await node.keyValue.openSession(0, request())).value;
  const append = (retry: boolean) =>
    (node as ShanghaiNode).keyValue.write(
      { kind: 'independent', operations: [{ type: 'append', key: bytes('k'), value: bytes('x') }] },
      by({ sessionId, requestNumber: 1, retry }),
      request(),
    );
  const first = (await append(false)).value;
  await node.close(1000);
  node = await openTestNode(disk, clock);
  expect((await append(true)).value).toEqual(first);
  expect(await get(node, 'k')).toBe('x');
});
