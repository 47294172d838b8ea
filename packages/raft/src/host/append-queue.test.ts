import { expect, test } from 'vitest';
import { emptyConfState } from '../core/configuration/configuration.js';
import { type Entry, emptyHardState } from '../core/entry.js';
import { createMessage } from '../core/message.js';
import type { GroupLog, LogWrite } from '../ports/group-log.js';
import { AppendQueue } from './append-queue.js';

const entry = (index: number): Entry => ({ index, term: 2, type: 'EntryNormal', data: Uint8Array.of(index) });

/** A queue over a log that only notes what it is told to write. */
function queueWithLog(restore: () => Promise<void> = async () => {}) {
  const writes: LogWrite[] = [];
  const initial = { term: 2, vote: 1, commit: 4 };
  const log = {
    initialState: () => ({ hardState: initial, confState: undefined }),
    append: async (write: LogWrite) => void writes.push(write),
  } as unknown as GroupLog;
  const queue = new AppendQueue({
    log,
    onDurable: () => {},
    onFailed: (error) => {
      throw error;
    },
    restore,
    onRestored: () => {},
  });
  const submit = (fields: { term?: number; vote?: number; commit?: number; entries?: readonly Entry[] }) =>
    queue.submit(createMessage({ type: 'MsgStorageAppend', ...fields }));
  return { writes, queue, submit };
}

test('a commit index that moved alone costs no write, and is written with the next entries', () => {
  const { writes, submit } = queueWithLog();
  submit({ term: 2, vote: 1, commit: 5 });
  submit({ term: 2, vote: 1, commit: 6 });
  expect(writes).toEqual([]);
  submit({ entries: [entry(7)] });
  expect(writes.map(({ hardState }) => hardState)).toEqual([{ term: 2, vote: 1, commit: 6 }]);
  submit({ entries: [entry(8)] });
  expect(writes[1]?.hardState).toEqual(emptyHardState);
});

test('a term or a vote is written at once', () => {
  const { writes, submit } = queueWithLog();
  submit({ term: 3, vote: 0, commit: 4 });
  submit({ term: 3, vote: 2, commit: 4 });
  submit({ term: 3, vote: 2, commit: 5 });
  expect(writes.map(({ hardState }) => hardState)).toEqual([
    { term: 3, vote: 0, commit: 4 },
    { term: 3, vote: 2, commit: 4 },
  ]);
});

test('what comes behind a snapshot is written behind it, and behind the next one that comes meanwhile', async () => {
  const restored: (() => void)[] = [];
  const { writes, queue } = queueWithLog(() => new Promise((resolve) => restored.push(resolve)));
  const snapshotAt = (index: number) => ({
    metadata: { index, term: 2, confState: emptyConfState },
    data: new Uint8Array(0),
  });
  queue.submit(createMessage({ type: 'MsgStorageAppend', snapshot: snapshotAt(9) }));
  queue.submit(createMessage({ type: 'MsgStorageAppend', entries: [entry(10)] }));
  queue.submit(createMessage({ type: 'MsgStorageAppend', snapshot: snapshotAt(20) }));
  queue.submit(createMessage({ type: 'MsgStorageAppend', entries: [entry(21)] }));
  const written = () => writes.map(({ snapshot, entries }) => snapshot?.index ?? entries[0]?.index);
  expect([queue.isRestoring, written()]).toEqual([true, []]);
  restored[0]?.();
  await Promise.resolve();
  await Promise.resolve();
  expect([queue.isRestoring, written()]).toEqual([true, [9, 10]]);
  restored[1]?.();
  await Promise.resolve();
  await Promise.resolve();
  expect([queue.isRestoring, written()]).toEqual([false, [9, 10, 20, 21]]);
});
