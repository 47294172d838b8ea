import { invariant } from '@shanghai/env';
import type { ContractCase } from '@shanghai/env/testing';
import type { Bitcask, BitcaskEntry, RangeOptions } from '../bitcask.js';

/** A store under test: opened empty; `reopen` closes it and opens the same data again. */
export interface BitcaskSubject {
  store: Bitcask;
  reopen(): Promise<Bitcask>;
}

/** What every engine behind the `Bitcask` interface does, whatever it is made of. The horizon is always passed. */
export const bitcaskContract: readonly ContractCase<BitcaskSubject>[] = [
  contractCase('a key that was never put is absent', async ({ store }) => {
    same(await store.get(key('a')), undefined, 'get');
    same(store.getSync(key('a')), undefined, 'getSync');
    same(store.has(key('a')), false, 'has');
    same(await store.delete(key('a')), false, 'delete');
    same(store.size, 0, 'size');
  }),
  contractCase('the last put of a key counts, and survives reopening', async (subject) => {
    await subject.store.put(key('a'), key('1'));
    const { sequence } = await subject.store.put(key('a'), key('2'));
    const store = await subject.reopen();
    const entry = await store.getEntry(key('a'));
    same(text(entry?.value), '2', 'value');
    same(entry?.sequence, sequence, 'sequence');
    same(store.size, 1, 'size');
  }),
  contractCase('an empty value is a value', async (subject) => {
    await subject.store.put(key('a'), new Uint8Array(0));
    const store = await subject.reopen();
    same((await store.get(key('a')))?.length, 0, 'length');
    same(store.has(key('a')), true, 'has');
  }),
  contractCase('delete tells whether there was a key, and survives reopening', async (subject) => {
    await subject.store.put(key('a'), key('1'));
    same(await subject.store.delete(key('a')), true, 'first');
    same(await subject.store.delete(key('a')), false, 'second');
    same(await (await subject.reopen()).get(key('a')), undefined, 'get');
  }),
  contractCase('results and arguments are not shared with the store', async ({ store }) => {
    const name = key('a');
    const value = key('1');
    const put = store.put(name, value);
    name.fill(0);
    value.fill(0);
    await put;
    const read = await store.get(key('a'));
    same(text(read), '1', 'value');
    read?.fill(0);
    same(text(await store.get(key('a'))), '1', 'value read again');
  }),
  contractCase('sequences rise by one an operation, from 1, across reopening', async (subject) => {
    same((await subject.store.put(key('a'), key('1'))).sequence, 1, 'put');
    same((await subject.store.batch([put('b'), put('c'), { type: 'delete', key: key('a') }])).sequence, 4, 'batch');
    same((await (await subject.reopen()).put(key('d'), key('1'))).sequence, 5, 'put after reopening');
  }),
  contractCase('in a batch the last change of a key counts', async ({ store }) => {
    await store.batch([
      put('a', '1'),
      { type: 'delete', key: key('a') },
      put('a', '2'),
      put('b'),
      { type: 'delete', key: key('b') },
    ]);
    same(text(await store.get(key('a'))), '2', 'a');
    same(await store.get(key('b')), undefined, 'b');
  }),
  contractCase('conditions are judged in the order of the calls', async ({ store }) => {
    const calls = [
      store.put(key('a'), key('1'), { ifRevision: 0 }),
      store.put(key('a'), key('2'), { ifRevision: 0 }),
      store.put(key('a'), key('3'), { ifRevision: 1 }),
      store.delete(key('a'), { ifRevision: 1 }),
      store.delete(key('a'), { ifRevision: 2 }),
      store.put(key('a'), key('4'), { ifRevision: 0 }),
    ];
    const results = await Promise.allSettled(calls);
    same(
      results.map((result) => result.status).join(),
      'fulfilled,rejected,fulfilled,rejected,fulfilled,fulfilled',
      'outcomes',
    );
    const second = results[1] as PromiseRejectedResult;
    same(second.reason.code, 'CONDITION_FAILED', 'code');
    same(second.reason.details.current, 1, 'current');
    same(text(await store.get(key('a'))), '4', 'value');
  }),
  contractCase('a key is gone when its expiry is at or before the horizon', async (subject) => {
    await subject.store.put(key('a'), key('1'), { expiresAtMs: 1_000 });
    const store = await subject.reopen();
    same(text(await store.get(key('a'), { horizonMs: 999 })), '1', 'before');
    same(await store.get(key('a'), { horizonMs: 1_000 }), undefined, 'at');
    same(store.has(key('a'), { horizonMs: 999 }), true, 'has before');
    same(store.has(key('a'), { horizonMs: 1_000 }), false, 'has at');
    same(await store.delete(key('a'), { horizonMs: 1_000 }), false, 'delete at');
  }),
  contractCase('ranges are bytewise, with start, end, prefix, limit and direction', async ({ store }) => {
    await store.batch(['b', 'a', 'ab', 'aa', 'c', 'ba'].map((name) => put(name)));
    same(await keys(store, {}), 'a,aa,ab,b,ba,c', 'all');
    same(await keys(store, { reverse: true }), 'c,ba,b,ab,aa,a', 'reverse');
    same(await keys(store, { start: key('aa'), end: key('ba') }), 'aa,ab,b', 'start and end');
    same(await keys(store, { prefix: key('a') }), 'a,aa,ab', 'prefix');
    same(await keys(store, { prefix: key('a'), start: key('ab') }), 'ab', 'prefix and start');
    const shared = Buffer.from('ab');
    same(await keys(store, { prefix: shared }), 'ab', 'a Buffer as prefix');
    same(shared.toString(), 'ab', 'the caller keeps its prefix');
    same(await keys(store, { limit: 2, reverse: true }), 'c,ba', 'limit');
    same(await keys(store, { start: key('b'), end: key('a') }), '', 'reversed bounds');
    same(await keys(store, { limit: 0 }), '', 'limit 0');
  }),
  contractCase('a range sees the store as it was when it began', async ({ store }) => {
    await store.batch(['a', 'b', 'c', 'd'].map((name) => put(name, 'old')));
    const seen: string[] = [];
    for await (const entry of store.range({ horizonMs: 0 })) {
      seen.push(`${text(entry.key)}=${text(entry.value)}`);
      if (seen.length > 1) continue;
      await store.batch([put('b', 'new'), { type: 'delete', key: key('c') }, put('cc', 'new')]);
    }
    same(seen.join(), 'a=old,b=old,c=old,d=old', 'entries');
  }),
  contractCase('getMany answers in the order asked', async ({ store }) => {
    await store.batch([put('a', '1'), put('b', '2')]);
    const values = await store.getMany([key('b'), key('x'), key('a'), key('b')]);
    same(values.map((value) => text(value)).join(), '2,,1,2', 'values');
  }),
  contractCase('a merge changes nothing that can be read', async (subject) => {
    const { store } = subject;
    for (let i = 0; i < 40; i++) await store.put(key(`k${i % 7}`), key(`${i}`));
    await store.delete(key('k3'));
    const before = await entries(store, {});
    await store.merge({ force: true });
    same(shown(await entries(store, {})), shown(before), 'after merge');
    same(shown(await entries(await subject.reopen(), {})), shown(before), 'after reopening');
  }),
  contractCase('a checkpoint covers what was acknowledged', async ({ store }) => {
    const { sequence } = await store.put(key('a'), key('1'));
    same((await store.checkpoint()).durableSequence, sequence, 'durableSequence');
  }),
];

function contractCase(name: string, check: (subject: BitcaskSubject) => Promise<void>): ContractCase<BitcaskSubject> {
  return {
    name,
    run: async (open) => {
      const subject = await open();
      try {
        await check(subject);
      } finally {
        await subject.store.close();
      }
    },
  };
}

function same(given: unknown, expected: unknown, what: string): void {
  invariant(Object.is(given, expected), `${what} is ${String(given)}, must be ${String(expected)}`);
}

function key(name: string): Uint8Array {
  return new TextEncoder().encode(name);
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

function put(name: string, value = 'v') {
  return { type: 'put', key: key(name), value: key(value) } as const;
}

async function entries(store: Bitcask, options: RangeOptions): Promise<BitcaskEntry[]> {
  const given: BitcaskEntry[] = [];
  for await (const entry of store.range({ horizonMs: 0, ...options })) given.push(entry);
  return given;
}

async function keys(store: Bitcask, options: RangeOptions): Promise<string> {
  return (await entries(store, options)).map((entry) => text(entry.key)).join();
}

function shown(given: readonly BitcaskEntry[]): string {
  return given.map((entry) => `${text(entry.key)}=${text(entry.value)}@${entry.sequence}`).join();
}
