import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeDisk } from '@shanghai/env';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import { archive, checksums, restore, save } from './backup-harness.js';
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

type Step =
  | {
      readonly type: 'put';
      readonly space: number;
      readonly key: number;
      readonly bytes: number;
      readonly ttlMs: number;
    }
  | { readonly type: 'delete'; readonly space: number; readonly key: number }
  | { readonly type: 'append'; readonly log: number; readonly records: number }
  | { readonly type: 'drop'; readonly log: number }
  | { readonly type: 'session'; readonly number: number }
  | { readonly type: 'time'; readonly ms: number }
  | { readonly type: 'checkpoint' | 'merge' | 'save' | 'note' };

const small = fc.nat({ max: 4 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('put' as const),
      space: small,
      key: small,
      bytes: fc.nat({ max: 900 }),
      ttlMs: fc.constantFrom(0, 0, 1000, 60_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), space: small, key: small }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant('append' as const), log: small, records: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('drop' as const), log: small }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('session' as const), number: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('time' as const), ms: fc.constantFrom(10, 700, 5000) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom('checkpoint' as const, 'merge' as const, 'save' as const, 'note' as const, 'note' as const),
    }),
  },
);

const seed = Number(process.env['SHANGHAI_SEED'] ?? 36);
const numRuns = process.env['SHANGHAI_DEEP'] === '1' ? 200 : 6;

async function run(node: ShanghaiNode, clock: ReturnType<typeof createManualClock>, step: Step, sessionId: number) {
  switch (step.type) {
    case 'put':
    case 'delete': {
      const key = bytes(`key-${step.key}`);
      const value = step.type === 'put' ? bytes('v'.repeat(step.bytes)) : bytes('');
      const ttl = step.type === 'put' && step.ttlMs > 0 ? { ttlMs: step.ttlMs } : {};
      const operation =
        step.type === 'put' ? { type: 'put' as const, key, value, ...ttl } : { type: 'delete' as const, key };
      const keyspace = step.space === 0 ? '' : `space-${step.space}`;
      await node.keyValue.write({ kind: 'independent', operations: [operation] }, { ...by(), keyspace }, request());
      return;
    }
    case 'append': {
      await node.logs.create(`log-${step.log}`, quorumLog, request());
      await appendTo(node, `log-${step.log}`, ...Array.from({ length: step.records }, (_, i) => `record ${i}`));
      return;
    }
    case 'drop':
      await node.logs.delete(`log-${step.log}`, request()).catch(() => undefined);
      return;
    case 'session':
      await put(node, 'by-session', `${step.number}`, { sessionId, requestNumber: step.number, retry: true });
      return;
    case 'time':
      await clock.advance(step.ms);
      return;
    case 'checkpoint':
      await node.checkpoint();
      return;
    case 'merge':
      await node.merge(true);
      return;
    case 'save':
    case 'note':
      return;
  }
}

test('whatever was done, a backup and its archive give the state that the store had, at each point that was looked at', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 10, maxLength: 50 }), async (all) => {
      const disk = createMemoryDisk();
      const clock = createManualClock(1_000_000);
      const node = await openTestNode(disk, clock);
      try {
        const { value: session } = await node.keyValue.openSession(3_600_000, request());
        let manifest = await save(node, disk, 'backup-0');
        let backup = 'backup-0';
        let saved = 0;
        await archive(node, disk, 'archive', manifest);
        for (const step of all) {
          await run(node, clock, step, session.sessionId);
          if (step.type === 'save') {
            backup = `backup-${++saved}`;
            manifest = await save(node, disk, backup);
          }
          await archive(node, disk, 'archive', manifest);
        }
        const now = (await node.checksums()).find(({ groupId }) => groupId === 1);
        const until = { index: now?.appliedIndex ?? 0 };
        for (const from of new Set(['backup-0', backup])) {
          const report = await restore(disk, from, `from-${from}`, { archive: { directory: 'archive', until } });
          expect(report.groups.find(({ groupId }) => groupId === 1)?.checksum).toBe(now?.checksum);
          expect(report.recovered).toEqual([]);
          const other = await openTestNode(disk, clock, { dataDirectory: `from-${from}` });
          expect((await other.logs.list('', request())).map(({ name }) => name)).toEqual(
            (await node.logs.list('', request())).map(({ name }) => name),
          );
          await other.close(1000);
        }
      } finally {
        await node.close(1000);
      }
    }),
    { seed, numRuns, verbose: 1 },
  );
}, 600_000);

test('a backup of engine level is restored as one', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'shanghai-backup-'));
  try {
    const disk = nodeDisk();
    const clock = createManualClock(1_000_000);
    const level = { engine: 'level' as const };
    const node = await openTestNode(disk, clock, { dataDirectory: join(directory, 'data'), ...level });
    for (let i = 0; i < 30; i++) await put(node, `key-${i}`, `value-${i}`);
    await node.logs.create('events', quorumLog, request());
    await appendTo(node, 'events', 'one', 'two');
    const before = await checksums(node);
    await save(node, disk, join(directory, 'backup'));
    await node.close(1000);
    const { groups } = await restore(disk, join(directory, 'backup'), join(directory, 'restored'));
    expect(Object.fromEntries(groups.map(({ groupId, checksum }) => [groupId, checksum]))).toEqual(before);
    const other = await openTestNode(disk, clock, { dataDirectory: join(directory, 'restored'), ...level });
    expect(await get(other, 'key-7')).toBe('value-7');
    expect(await readLog(other, 'events')).toEqual(['one', 'two']);
    await other.close(1000);
  } finally {
    await rm(directory, { recursive: true });
  }
}, 60_000);
