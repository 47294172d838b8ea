import type { LogEntry, LogPage, LogReadOptions, NamedLogs } from '@shanghai/client';
import { expect, test } from 'vitest';
import { allOriginsUpToNow } from './all-origins.js';

const none = new Uint8Array(0);
const entry = (origin: number, epoch: number, sequence: number): LogEntry => ({
  ...{ origin, epoch, sequence, timeMs: 1, key: none, value: none, headers: [] },
});

/** A log of which pages come one after the other; the reads are kept. */
function logOf(ends: readonly (readonly [number, number, number])[], pages: readonly (readonly LogEntry[])[]) {
  const reads: (LogReadOptions | undefined)[] = [];
  const reached = new Map<string, { origin: number; epoch: number; sequence: number }>();
  const log = {
    async describe() {
      return { origins: ends.map(([origin, epoch, lastSequence]) => ({ origin, epoch, lastSequence })) };
    },
    async read(_name: string, options?: LogReadOptions): Promise<Partial<LogPage>> {
      const entries = pages[reads.length] ?? [];
      reads.push(options);
      for (const { origin, epoch, sequence } of entries) reached.set(`${origin}.${epoch}`, { origin, epoch, sequence });
      return { entries, positions: [...reached.values()] };
    },
  };
  return { log: log as unknown as NamedLogs, reads };
}

async function namesOf(entries: AsyncIterable<LogEntry>): Promise<string[]> {
  const names: string[] = [];
  for await (const { origin, epoch, sequence } of entries) names.push(`${origin}.${epoch}/${sequence}`);
  return names;
}

test('every stream is read to where it ended when reading began, and no page is asked for behind that', async () => {
  const pages = [
    [entry(1, 1, 1), entry(2, 1, 1)],
    [entry(1, 1, 2), entry(1, 1, 3), entry(2, 1, 2), entry(3, 1, 1)],
    [entry(1, 1, 4)],
  ];
  const { log, reads } = logOf(
    [
      [1, 1, 2],
      [2, 1, 2],
    ],
    pages,
  );
  const read = allOriginsUpToNow(log, 'events', { allOrigins: true, from: 5, epoch: 1 }, 1000);
  expect(await namesOf(read)).toEqual(['1.1/1', '2.1/1', '1.1/2', '2.1/2']);
  const positions = [
    { origin: 1, epoch: 1, sequence: 1 },
    { origin: 2, epoch: 1, sequence: 1 },
  ];
  expect(reads).toEqual([
    { allOrigins: true, from: 5, epoch: 1, limit: 1000 },
    { allOrigins: true, positions, limit: 998 },
  ]);
});

test('a page that holds nothing ends it: what others have is not here, or not yet stable', async () => {
  const { log, reads } = logOf([[1, 1, 9]], [[entry(1, 1, 1)], []]);
  expect(await namesOf(allOriginsUpToNow(log, 'events', { allOrigins: true }, 10))).toEqual(['1.1/1']);
  expect(reads.length).toBe(2);
});

test('a limit is what is given, not what is looked at', async () => {
  const { log } = logOf([[1, 1, 9]], [[entry(1, 1, 1), entry(1, 1, 2)], [entry(1, 1, 3)]]);
  expect(await namesOf(allOriginsUpToNow(log, 'events', {}, 3))).toEqual(['1.1/1', '1.1/2', '1.1/3']);
});
