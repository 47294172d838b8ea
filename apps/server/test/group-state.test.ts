import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { nodeDisk } from '@shanghai/env';
import { enumerateCrashes } from '@shanghai/env/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { dataKey } from '../src/apply/state-keys.js';
import { type EngineName, engineNames } from '../src/engine/storage-engine.js';
import { createFaultDisk, createManualClock, createMemoryDisk } from './core-harness.js';
import {
  appendOf,
  carry,
  entryOf,
  everyPart,
  type HeldState,
  inMemory,
  openState,
  putOf,
  snapshotOf,
  transfer,
} from './group-state-harness.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const roots: string[] = [];
afterAll(() => {
  for (const root of roots) rmSync(root, { recursive: true });
});

/** Where an engine can work: level on the machine's own disk only. */
function placesFor(engine: EngineName): (name: string) => Parameters<typeof openState>[0] {
  if (engine === 'bitcask') {
    const disk = createMemoryDisk();
    return (name) => ({ disk, path: name, engine });
  }
  const root = mkdtempSync(`${tmpdir()}/shanghai-state-`);
  roots.push(root);
  return (name) => ({ disk: nodeDisk(), path: `${root}/${name}`, engine });
}

async function readLog({ state, files }: HeldState, logId: number): Promise<string[]> {
  const log = state.machine.logs.get(logId);
  if (log === undefined) return [];
  return files.use({ logId, origin: log.origin }, async (wal) => {
    const found: string[] = [];
    for await (const { payload } of wal.entries({ from: log.firstSequence }))
      found.push(Buffer.from(payload).toString('hex'));
    return found;
  });
}

async function value({ state }: HeldState, key: string): Promise<string | undefined> {
  const entry = await state.store.getEntry(dataKey(0, Buffer.from(key)));
  return entry === undefined ? undefined : Buffer.from(entry.value.subarray(8)).toString();
}

const checksumOf = async ({ state }: HeldState) => (await state.checksum()).checksum;

describe.each(engineNames)('a group on engine %s', (engine) => {
  test('a snapshot carries every part of the state, and the copy goes on as the original does', async () => {
    const at = placesFor(engine);
    const [one, two] = [await openState(at('one')), await openState(at('two'))];
    await one.state.apply(everyPart());
    const snapshot = await transfer(one.state, two.state);

    expect(two.state.appliedIndex).toBe(everyPart().length);
    expect(two.state.restored).toEqual(snapshot.metadata);
    expect(two.state.machine.visible).toEqual(one.state.machine.visible);
    expect(two.state.machine.catalogue.keyspaceId('blue')).toBe(one.state.machine.catalogue.keyspaceId('blue'));
    expect(await readLog(two, 7)).toEqual(await readLog(one, 7));
    expect((await readLog(two, 7)).length).toBe(41);
    expect(await two.state.checksum()).toEqual(await one.state.checksum());

    const next = everyPart().length + 1;
    const more = [
      // A request and an append that were answered before are answered the same, and not done again.
      entryOf(next, putOf('once', 'again'), { sessionId: 1, requestNumber: 1, retry: true }),
      entryOf(next + 1, appendOf(7, [`a29${'x'.repeat(6000)}`, 'b29'], 59)),
      entryOf(next + 2, appendOf(7, ['on'], 61)),
      entryOf(next + 3, appendOf(8, ['first'])),
      entryOf(next + 4, putOf('k0', 'later')),
    ];
    const results = await two.state.apply(more);
    expect(results).toEqual(await one.state.apply(more));
    expect(results[1]).toMatchObject({ type: 'logAppended', duplicate: true });
    expect(await value(two, 'once')).toBe('done');
    expect(await two.state.checksum()).toEqual(await one.state.checksum());
    await one.close();
    await two.close();

    const again = await openState(at('two'));
    expect(again.state.restored).toEqual(snapshot.metadata);
    expect(again.state.appliedIndex).toBe(next + 4);
    expect((await readLog(again, 7)).length).toBe(42);
    expect((await readLog(again, 8)).length).toBe(1);
    await again.close();
  });

  test('a second snapshot takes the place of the first, and what was before is gone from the disk', async () => {
    const at = placesFor(engine);
    const [one, two] = [await openState(at('one')), await openState(at('two'))];
    const entries = everyPart();
    await two.state.apply(entries.slice(0, 22));
    await one.state.apply(entries.slice(0, 30));
    await transfer(one.state, two.state);
    await two.state.apply(entries.slice(30, 33));
    await one.state.apply(entries.slice(30));
    await transfer(one.state, two.state);
    expect(await checksumOf(two)).toBe(await checksumOf(one));
    const { disk, path = '' } = at('two');
    const left = entries.length;
    expect(await disk.list(`${path}/groups`)).toEqual([`1.1-${left}`, '1.current']);
    expect(await disk.list(`${path}/logs`)).toEqual([]);
    expect(await disk.list(`${at('one').path}/groups/1.snapshots`)).toEqual([]);
    await one.close();
    await two.close();
  });

  test('what is applied while a snapshot is sent is not in it', async () => {
    const at = placesFor(engine);
    const [one, two] = [await openState(at('one')), await openState(at('two'))];
    const entries = everyPart();
    await one.state.apply(entries);
    const before = await one.state.checksum();
    const { snapshot, source } = await snapshotOf(one.state);
    let index = entries.length;
    const more = () => [
      entryOf(++index, putOf(`k${index % 5}`, 'new')),
      entryOf(++index, appendOf(7, ['new'.repeat(4000)])),
      entryOf(++index, { kind: 'logTrim', logId: 7, firstSequence: 60 }),
    ];
    for (let i = 0; i < 10; i++) await one.state.apply(more());
    await one.state.checkpoint(async () => Number.POSITIVE_INFINITY);
    await one.files.release({ logId: 7, origin: 1 }, 60);
    const sink = await two.state.receive(snapshot);
    await carry(source, sink, 40_000);
    await one.state.apply(more());
    await one.state.store.merge({ force: true });
    await carry(source, await two.state.receive(snapshot));
    await two.state.restore(snapshot);
    expect(await two.state.checksum()).toEqual(before);
    await source.release();
    await one.files.release({ logId: 7, origin: 1 }, 60);
    await one.close();
    await two.close();
  });
});

test('both engines have the same checksum of the same state, whatever has expired', async () => {
  const at = { bitcask: placesFor('bitcask'), level: placesFor('level') };
  const [one, two] = [await openState(at.bitcask('one')), await openState(at.level('two'))];
  for (const entry of everyPart()) await one.state.apply([entry]);
  await two.state.apply(everyPart());
  await two.state.store.merge({ force: true });
  expect(await one.state.checksum()).toEqual(await two.state.checksum());
  await two.state.apply([entryOf(everyPart().length + 1, putOf('k0', 'other'))]);
  expect(await checksumOf(one)).not.toBe(await checksumOf(two));
  await one.close();
  await two.close();
});

test('a snapshot that broke off is gone on with, also after a restart, and only what is missing is sent', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const one = await openState({ disk, path: 'one' });
  await one.state.apply(everyPart());
  const { snapshot, source } = await snapshotOf(one.state);
  const bytes = (await source.files()).reduce((sum, file) => sum + file.bytes, 0);
  let two = await openState({ disk, path: 'two' });
  const first = await two.state.receive(snapshot);
  const sent = await carry(source, first, 50_000);
  expect(sent).toBeGreaterThanOrEqual(50_000);
  await first.abandon();
  await expect(first.write('store/MANIFEST', 0, new Uint8Array(1))).rejects.toMatchObject({ code: 'INCOMPLETE' });
  const sentThen = await carry(source, await two.state.receive(snapshot), 40_000);
  await two.close();
  two = await openState({ disk, path: 'two' });
  expect(await carry(source, await two.state.receive(snapshot))).toBe(bytes - sent - sentThen);
  await two.state.restore(snapshot);
  expect(await checksumOf(two)).toBe(await checksumOf(one));
  await source.release();
  await one.close();
  await two.close();
});

test('several followers get one snapshot at a time, each at its own pace', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const one = await openState({ disk, path: 'one' });
  await one.state.apply(everyPart());
  const others = [];
  for (const path of ['two', 'three', 'four']) others.push(await openState({ disk, path }));
  const { snapshot, source } = await snapshotOf(one.state);
  await source.files();
  const open = disk.openFiles;
  await Promise.all(others.map(async ({ state }) => carry(source, await state.receive(snapshot))));
  await source.release();
  await expect(source.read('store/MANIFEST', 0, 1)).rejects.toMatchObject({ code: 'INCOMPLETE' });
  expect(disk.openFiles).toBe(open);
  for (const other of others) {
    await other.state.restore(snapshot);
    expect(await checksumOf(other)).toBe(await checksumOf(one));
    await other.close();
  }
  await one.close();
});

test('a file that came damaged is found, forgotten, and comes again alone', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const [one, two] = [await openState({ disk, path: 'one' }), await openState({ disk, path: 'two' })];
  await one.state.apply(everyPart());
  const { snapshot, source } = await snapshotOf(one.state);
  const files = await source.files();
  const damaged = files.find(({ name, bytes }) => name.endsWith('.data') && bytes > 1000);
  if (damaged === undefined) throw new Error('there is no segment');
  // What the disk made of bytes that were written before a restart is read back.
  const sink = await two.state.receive(snapshot);
  await carry(
    source,
    sink,
    (await source.files()).reduce((sum, file) => sum + file.bytes, 0),
  );
  await sink.abandon();
  disk.corrupt(`two/groups/1.incoming/${damaged.name}`, 100, 1);
  await expect(carry(source, await two.state.receive(snapshot))).rejects.toMatchObject({ code: 'DAMAGED' });
  await expect(two.state.restore(snapshot)).rejects.toMatchObject({ code: 'INCOMPLETE' });
  expect(await carry(source, await two.state.receive(snapshot))).toBe(damaged.bytes);
  await two.state.restore(snapshot);
  expect(await checksumOf(two)).toBe(await checksumOf(one));
  await source.release();
  await one.close();
  await two.close();
});

test('what does not fit, or is another cluster’s, group’s or engine’s, or of a newer format, is refused', async () => {
  const disk = createMemoryDisk();
  const [one, two] = [await openState({ disk, path: 'one' }), await openState({ disk, path: 'two' })];
  await one.state.apply(everyPart());
  const { snapshot, source } = await snapshotOf(one.state);
  const offered = JSON.parse(Buffer.from(snapshot.data).toString());
  const refusal = async (change: object) => {
    const data = Buffer.from(JSON.stringify({ ...offered, ...change }));
    return two.state.receive({ ...snapshot, data }).then(
      () => undefined,
      (error: { code: string }) => error.code,
    );
  };
  expect(await refusal({ format: 2 })).toBe('UNSUPPORTED_FORMAT');
  expect(await refusal({ engine: 'level' })).toBe('OTHER_ENGINE');
  expect(await refusal({ clusterId: 'c2' })).toBe('OTHER_GROUP');
  expect(await refusal({ groupId: 2 })).toBe('OTHER_GROUP');
  expect(await refusal({ appliedIndex: 3 })).toBe('DAMAGED');
  await expect(two.state.receive({ ...snapshot, data: Buffer.from('no') })).rejects.toMatchObject({ code: 'DAMAGED' });
  const sink = await two.state.receive(snapshot);
  for (const name of [
    '../x',
    'store/..',
    'store/a/b',
    '/store/x',
    'journal',
    'logs/7/x',
    'store/',
    `store/${'x'.repeat(101)}`,
  ]) {
    await expect(sink.begin([{ name, bytes: 1, crc: 1 }]), name).rejects.toMatchObject({ code: 'DAMAGED' });
  }
  await expect(sink.begin([{ name: 'store/x', bytes: -1, crc: 1 }])).rejects.toMatchObject({ code: 'DAMAGED' });
  await sink.begin([{ name: 'store/x', bytes: 3, crc: 1 }]);
  await expect(sink.write('store/x', 1, Buffer.from('a'))).rejects.toMatchObject({ code: 'DAMAGED' });
  await expect(sink.write('store/x', 0, Buffer.from('abcd'))).rejects.toMatchObject({ code: 'DAMAGED' });
  await expect(sink.complete()).rejects.toMatchObject({ code: 'INCOMPLETE' });
  expect(two.state.appliedIndex).toBe(0);
  // One that is not newer is not wanted, and changes nothing.
  await two.state.apply(everyPart());
  await expect(two.state.receive(snapshot)).rejects.toMatchObject({ code: 'NOT_NEWER' });
  await two.state.restore(snapshot);
  expect(two.state.restored).toBeUndefined();
  await source.release();
  await one.close();
  await two.close();
});

test('a snapshot that the group got beyond without it is removed, in part or whole', async () => {
  const disk = createMemoryDisk();
  const [one, two] = [await openState({ disk, path: 'one' }), await openState({ disk, path: 'two' })];
  await one.state.apply(everyPart().slice(0, 20));
  const first = await snapshotOf(one.state);
  await carry(first.source, await two.state.receive(first.snapshot));
  await one.state.apply(everyPart().slice(20, 30));
  const second = await snapshotOf(one.state);
  await carry(second.source, await two.state.receive(second.snapshot), 1);
  const names = () => disk.list('two/groups');
  expect(await names()).toEqual(['1', '1.1-20', '1.incoming']);
  const checkpoint = () => two.state.checkpoint(async () => Number.POSITIVE_INFINITY);
  await two.state.apply(everyPart().slice(0, 19));
  await checkpoint();
  expect(await names()).toEqual(['1', '1.1-20', '1.incoming']);
  await two.state.apply(everyPart().slice(19, 25));
  await checkpoint();
  expect(await names()).toEqual(['1', '1.incoming']);
  await two.state.apply(everyPart().slice(25));
  await checkpoint();
  expect(await names()).toEqual(['1']);
  await Promise.all([first.source.release(), second.source.release()]);
  await one.close();
  await two.close();
});

test('a full disk ends the gathering with its own code, and nothing of the state is lost', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const [one, two] = [await openState({ disk, path: 'one' }), await openState({ disk, path: 'two' })];
  await one.state.apply(everyPart());
  await two.state.apply(everyPart().slice(0, 3));
  const { snapshot, source } = await snapshotOf(one.state);
  const heal = disk.inject({
    operation: 'write',
    path: /two\/groups\/1\.incoming/,
    after: 5,
    times: Number.POSITIVE_INFINITY,
    effect: { kind: 'error', code: 'ENOSPC' },
  });
  await expect(carry(source, await two.state.receive(snapshot))).rejects.toMatchObject({ code: 'NO_SPACE' });
  heal();
  expect(two.state.appliedIndex).toBe(3);
  await carry(source, await two.state.receive(snapshot));
  const mark = disk.inject({
    operation: 'write',
    path: /1\.current\.tmp/,
    effect: { kind: 'error', code: 'ENOSPC' },
  });
  await expect(two.state.restore(snapshot)).rejects.toMatchObject({ code: 'ENOSPC' });
  mark();
  expect(two.state.appliedIndex).toBe(3);
  await two.state.apply(everyPart().slice(3, 4));
  expect(await value(two, 'once')).toBe('done');
  await source.release();
  await one.close();
  await two.close();
});

test('while the disk is full a snapshot waits to be put in, and then is', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const clock = createManualClock(0);
  const [one, two] = [await openState({ disk, path: 'one' }), await openState({ disk, path: 'two', clock })];
  await one.state.apply(everyPart());
  two.state.beginServing();
  const { snapshot, source } = await snapshotOf(one.state);
  await carry(source, await two.state.receive(snapshot));
  const error = { kind: 'error', code: 'ENOSPC' } as const;
  disk.inject({ operation: 'write', path: /two\/groups\/1\.current\.tmp/, effect: error });
  disk.inject({ operation: 'open', path: /two\/groups\/1\.1-\d+\/store\/.*\.data/, effect: error });
  const restoring = two.state.restore(snapshot);
  let waited = 0;
  for (let i = 0; i < 20 && two.state.appliedIndex === 0; i++) {
    await clock.advance(100);
    if (two.state.waitsForSpace) waited++;
  }
  await restoring;
  expect(waited).toBeGreaterThan(0);
  expect(two.state.waitsForSpace).toBe(false);
  expect(await checksumOf(two)).toBe(await checksumOf(one));
  await source.release();
  await one.close();
  await two.close();
});

test('a log that is damaged here is not sent: it would go where it may be whole', async () => {
  const disk = createFaultDisk({ seed: 1 });
  let one = await openState({ disk, path: 'one' });
  await one.state.apply(everyPart());
  await one.close();
  const segment = disk.files().find((path) => path.startsWith('/one/logs/7/')) as string;
  disk.corrupt(segment, 100, 1);
  one = await openState({ disk, path: 'one' });
  await expect(snapshotOf(one.state)).rejects.toMatchObject({ code: 'DATA_CORRUPTED' });
  expect(await disk.list('one/groups')).toEqual(['1']);
  await one.close();
});

test('watchers of the earlier state wake and are told where to begin', async () => {
  const disk = createMemoryDisk();
  const [one, two] = [await openState({ disk, path: 'one' }), await openState({ disk, path: 'two' })];
  await one.state.apply(everyPart());
  await two.state.apply(everyPart().slice(0, 8));
  const { changes } = two.state;
  const seen = changes.revision;
  const woken = changes.published.wait();
  await transfer(one.state, two.state);
  await woken;
  expect(two.state.machine.changes).toBe(changes);
  expect([changes.revision, changes.forgottenRevision]).toEqual([
    one.state.machine.visible.revision,
    one.state.machine.visible.revision,
  ]);
  expect(changes.forgottenRevision).toBeGreaterThan(seen);
  await two.state.apply([entryOf(everyPart().length + 1, putOf('k', 'v'))]);
  expect(changes.after(changes.forgottenRevision, 10)).toHaveLength(1);
  await one.close();
  await two.close();
});

test('a read that is under way when another state is put in ends with its value or with CLOSED', async () => {
  const disk = createMemoryDisk();
  const [one, two] = [await openState({ disk, path: 'one' }), await openState({ disk, path: 'two' })];
  await one.state.apply(everyPart());
  await two.state.apply(everyPart().slice(0, 20));
  const { snapshot, source } = await snapshotOf(one.state);
  await carry(source, await two.state.receive(snapshot));
  let isRestored = false;
  const ends = new Set<string>();
  const restoring = two.state.restore(snapshot).then(() => {
    isRestored = true;
  });
  const reader = async (key: string) => {
    while (!isRestored) {
      const found = await value(two, key).catch((error: { code: string }) => error.code);
      ends.add(found === undefined || found === 'CLOSED' ? `${found}` : 'value');
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all([restoring, reader('k1'), reader('once'), reader('late')]);
  for (const end of ends) expect(['value', 'undefined', 'CLOSED']).toContain(end);
  expect(await value(two, 'late')).toBe('kept');
  await source.release();
  await one.close();
  await two.close();
});

test('a checksum that is being read when another state is put in is that of the other state', async () => {
  const at = placesFor('bitcask');
  const [one, two] = [await openState(at('one')), await openState(at('two'))];
  await one.state.apply(everyPart());
  await two.state.apply(everyPart().slice(0, 20));
  const { snapshot, source } = await snapshotOf(one.state);
  await carry(source, await two.state.receive(snapshot));
  const { store } = two.state;
  const exportEntries = store.exportEntries.bind(store);
  store.exportEntries = async () => {
    const { entries, ...rest } = await exportEntries();
    const slowly = async function* () {
      for await (const entry of entries) {
        yield entry;
        await two.state.restore(snapshot);
      }
    };
    return { ...rest, entries: slowly() };
  };
  const sum = await two.state.checksum();
  expect(sum).toEqual(await one.state.checksum());
  expect(sum.appliedIndex).toBe(everyPart().length);
  await source.release();
  await one.close();
  await two.close();
});

test('a store that is gone is not begun anew', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const [one, two] = [await openState({ disk, path: 'one' }), await openState({ disk, path: 'two' })];
  await one.state.apply(everyPart());
  await transfer(one.state, two.state);
  await one.close();
  await two.close();
  const mark = disk.contents('two/groups/1.current');
  await disk.remove('two/groups/1.current');
  await expect(openState({ disk, path: 'two' })).rejects.toMatchObject({ code: 'DAMAGED' });
  disk.setContents('two/groups/1.current', Buffer.from('{"format": 9}'));
  await expect(openState({ disk, path: 'two' })).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
  disk.setContents('two/groups/1.current', Buffer.from('{'));
  await expect(openState({ disk, path: 'two' })).rejects.toMatchObject({ code: 'DAMAGED' });
  disk.setContents('two/groups/1.current', mark);
  const again = await openState({ disk, path: 'two' });
  expect(again.state.appliedIndex).toBe(everyPart().length);
  await again.close();
});

test('a crash at any step of putting a snapshot in leaves the old state or the new one, whole', async () => {
  const entries = everyPart(100);
  const old = 20;
  const expected = new Map<number, string>();
  let sent: Awaited<ReturnType<typeof snapshotOf>> | undefined;
  const coverage = await enumerateCrashes<{ restored: boolean }>({
    seed: 5,
    randomDraws: deep ? 5 : 1,
    crashRecovery: deep,
    async prepare(disk) {
      const one = await openState({ disk, path: 'one' });
      await one.state.apply(entries);
      const two = await openState({ disk, path: 'two' });
      await two.state.apply(entries.slice(0, old));
      await two.state.checkpoint(() => two.files.flush().then(() => Number.POSITIVE_INFINITY));
      expected.set(old, await checksumOf(two));
      expected.set(entries.length, await checksumOf(one));
      const { snapshot, source } = await snapshotOf(one.state);
      sent = { snapshot, source: await inMemory(source) };
      await one.close();
      await two.close();
    },
    start: () => ({ restored: false }),
    async run(disk, told) {
      const two = await openState({ disk, path: 'two' });
      const { snapshot, source } = sent as NonNullable<typeof sent>;
      await carry(source, await two.state.receive(snapshot));
      await two.state.restore(snapshot);
      told.restored = true;
      await two.close();
    },
    async recover(disk) {
      await (await openState({ disk, path: 'two' })).close();
    },
    async verify(disk, told) {
      const two = await openState({ disk, path: 'two' });
      const { appliedIndex, restored } = two.state;
      const isNew = appliedIndex === entries.length;
      if (!isNew && (told.restored || appliedIndex !== old)) throw new Error(`the state is at ${appliedIndex}`);
      if (isNew !== (restored?.index === entries.length)) throw new Error(`it says ${restored?.index} was put in`);
      for (const logId of two.state.machine.logs.ids()) {
        const { origin, firstSequence, lastSequence } = two.state.machine.logs.get(logId) as never as {
          origin: number;
          firstSequence: number;
          lastSequence: number;
        };
        await two.files.expect({ logId, origin, firstSequence, lastSequence });
      }
      const checksum = await checksumOf(two);
      if (checksum !== expected.get(appliedIndex)) throw new Error(`the state at ${appliedIndex} is another one`);
      await two.state.apply(entries.slice(appliedIndex));
      if ((await checksumOf(two)) !== expected.get(entries.length)) throw new Error('it does not go on as it should');
      await two.close();
    },
  });
  expect(coverage.steps).toBeGreaterThan(50);
});

test('a checkpoint covers what was applied when it began, as far as the named logs have stored it', async () => {
  const disk = createMemoryDisk();
  const one = await openState({ disk, path: 'one' });
  const entries = everyPart(100);
  await one.state.apply(entries.slice(0, 10));
  const withMore = async () => {
    await one.state.apply(entries.slice(10, 20));
    return Number.POSITIVE_INFINITY;
  };
  expect([await one.state.checkpoint(withMore), one.state.appliedIndex]).toEqual([10, 20]);
  expect(one.state.durableIndex).toBe(10);
  expect(await one.state.checkpoint(async () => 17)).toBe(16);
  expect(one.state.durableIndex).toBe(16);
  await one.close();
});

test('a snapshot of the same entry with another content is not put in', async () => {
  const disk = createMemoryDisk();
  const [one, two] = [await openState({ disk, path: 'one' }), await openState({ disk, path: 'two' })];
  await one.state.apply(everyPart());
  const { snapshot, source } = await snapshotOf(one.state);
  await carry(source, await two.state.receive(snapshot));
  const offered = JSON.parse(Buffer.from(snapshot.data).toString());
  const data = Buffer.from(JSON.stringify({ ...offered, revision: offered.revision + 1 }));
  await expect(two.state.restore({ ...snapshot, data })).rejects.toMatchObject({ code: 'INCOMPLETE' });
  expect(two.state.appliedIndex).toBe(0);
  await two.state.restore(snapshot);
  expect(two.state.appliedIndex).toBe(everyPart().length);
  await source.release();
  await one.close();
  await two.close();
});

test('a log whose files a snapshot lacks is damaged, not shorter', async () => {
  const disk = createMemoryDisk();
  const [one, two] = [await openState({ disk, path: 'one' }), await openState({ disk, path: 'two' })];
  await one.state.apply(everyPart());
  const { snapshot, source } = await snapshotOf(one.state);
  const whole = await inMemory(source);
  const files = (await whole.files()).filter(({ name }) => !name.startsWith('logs/7/'));
  await carry({ ...whole, files: async () => files }, await two.state.receive(snapshot));
  await two.state.restore(snapshot);
  await expect(readLog(two, 7)).rejects.toMatchObject({ code: 'DATA_CORRUPTED' });
  await one.close();
  await two.close();
});
