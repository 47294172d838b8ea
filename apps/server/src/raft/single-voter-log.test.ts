import { createManualClock } from '@shanghai/env/testing';
import { type Wal, WalError } from '@shanghai/wal';
import { openMemoryWal } from '@shanghai/wal/testing';
import { expect, test } from 'vitest';
import { type CommandApplier, commandHeadroomBytes } from './command-log.js';
import { openSingleVoterLog } from './single-voter-log.js';

const groupId = 3;
const limits = { maxProposals: 100, maxProposalBytes: 1 << 20, maxEntryBytes: 1 << 20, proposalTimeoutMs: 10_000 };
const applier: CommandApplier<number> = { apply: async (entries) => entries.map(({ index }) => index) };

/** The log of an empty group over `wal`. */
function open(wal: Wal) {
  return openSingleVoterLog<number>({
    wal,
    groupId,
    nodeId: 1,
    applier,
    applied: { index: 0, term: 0 },
    mayLackEnd: false,
    limits,
    clock: createManualClock(1),
    onFailed: () => undefined,
  });
}

test('a log with refused records behind its end is cut only once the next term has replaced them', async () => {
  const wal = await openMemoryWal();
  let isFull = false;
  const refusing: Wal = new Proxy(wal, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if ((name === 'append' || name === 'appendBatch') && isFull) {
        isFull = name === 'appendBatch';
        return () => Promise.reject(new WalError('DISK_FULL', 'no space', {}));
      }
      return value.bind(target);
    },
  });
  const log = await open(refusing);
  const propose = () => log.propose(new Uint8Array(commandHeadroomBytes + 1));
  const kept = await propose();
  isFull = true;
  const refused = await Promise.allSettled([propose(), propose()]);
  for (const one of refused) expect(one).toMatchObject({ reason: { code: 'STORAGE_FULL' } });
  const { lastLsn } = wal.info();
  await log.compact(kept);
  expect(wal.info().lastLsn).toBe(lastLsn);
  await expect(propose()).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  await wal.flush();
  const next = await propose();
  expect(next).toBe(kept + 2);
  await log.compact(next);
  expect(log.status().firstIndex).toBe(next + 1);
  await log.close(0);
  await wal.close();
});
