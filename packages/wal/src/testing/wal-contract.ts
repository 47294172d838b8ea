import type { ContractCase } from '@shanghai/env/testing';
import type { Wal, WalEntry } from '../wal.js';

/** What a case runs against: a new, empty log. The runner closes it. */
export type WalSubject = Wal;

async function payloads(entries: AsyncIterable<WalEntry>): Promise<string[]> {
  const list: string[] = [];
  for await (const entry of entries) list.push(`${entry.lsn}:${Buffer.from(entry.payload)}`);
  return list;
}

/** Throws unless both are the same as JSON: this file cannot use an assertion library that a user may not have. */
function same(actual: unknown, expected: unknown): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}`);
}

/** Throws unless the promise rejects with an error of this code or name. */
async function rejects(promise: Promise<unknown>, codeOrName: string): Promise<void> {
  const outcome = await promise.then(
    () => 'no error',
    (error: { readonly code?: string; readonly name: string }) => error.code ?? error.name,
  );
  same(outcome, codeOrName);
}

/** What every `Wal` does. Users who wrap or imitate a log can run it against theirs. */
export const walContract: readonly ContractCase<WalSubject>[] = [
  {
    name: 'numbers records from 1, in the order of the calls',
    async run(open) {
      const wal = await open();
      const lsns = await Promise.all(['a', 'b', 'c'].map((text) => wal.append(Buffer.from(text))));
      same(lsns, [1, 2, 3]);
      same(wal.info().durableLsn, 3);
    },
  },
  {
    name: 'copies a payload before the call returns',
    async run(open) {
      const wal = await open();
      const payload = Buffer.from('before');
      const appended = wal.append(payload);
      payload.fill(0);
      await appended;
      same(Buffer.from((await wal.read(1))?.payload ?? []).toString(), 'before');
    },
  },
  {
    name: 'gives the first LSN of a batch, and reads its streams and kinds back',
    async run(open) {
      const wal = await open();
      await wal.append(Buffer.from('x'));
      const batch = [{ payload: Buffer.from('y'), stream: 4_294_967_295, kind: 255 }, { payload: Buffer.alloc(0) }];
      same(await wal.appendBatch(batch), 2);
      const { stream, kind } = (await wal.read(2)) ?? {};
      same({ stream, kind }, { stream: 4_294_967_295, kind: 255 });
      same(await payloads(wal.entries({ stream: 0 })), ['1:x', '3:']);
    },
  },
  {
    name: 'takes records that lie one behind the other, and refuses what is no such run',
    async run(open) {
      const wal = await open();
      const record = (text: string) => [text.length, 0, 0, 0, ...Buffer.from(text)];
      const run = Uint8Array.from([record('ab'), record(''), record('c')].flat());
      const appended = wal.appendRun(run, 3, { stream: 7, kind: 2 });
      run.fill(9);
      same(await appended, 1);
      same(await payloads(wal.entries()), ['1:ab', '2:', '3:c']);
      const { stream, kind } = (await wal.read(2)) ?? {};
      same({ stream, kind }, { stream: 7, kind: 2 });
      const two = Uint8Array.from([record('x'), record('y')].flat());
      for (const count of [0, 1, 3]) await rejects(wal.appendRun(two, count), 'RangeError');
      await rejects(wal.appendRun(two.subarray(0, 9), 2), 'RangeError');
      await rejects(wal.appendRun(new Uint8Array(0), 0), 'RangeError');
      same(await wal.append(Buffer.from('d')), 4);
    },
  },
  {
    name: 'reads ranges, and nothing beyond the end',
    async run(open) {
      const wal = await open();
      for (let i = 1; i <= 9; i++) await wal.append(Buffer.from(String(i)));
      same(await payloads(wal.entries({ from: 4, to: 6 })), ['4:4', '5:5']);
      same(await payloads(wal.entries({ from: 10 })), []);
      same(await wal.read(10), undefined);
    },
  },
  {
    name: 'tails: gives what is there, waits, gives what comes, ends without error on abort',
    async run(open) {
      const wal = await open();
      await wal.append(Buffer.from('a'));
      const abort = new AbortController();
      const seen: string[] = [];
      const reading = (async () => {
        for await (const { payload } of wal.tail({ signal: abort.signal })) {
          seen.push(Buffer.from(payload).toString());
          if (seen.length === 1) await wal.append(Buffer.from('b'));
          if (seen.length === 2) abort.abort();
        }
      })();
      await reading;
      same(seen, ['a', 'b']);
    },
  },
  {
    name: 'rejects with RangeError or TypeError what no caller may ask',
    async run(open) {
      const wal = await open();
      await rejects(wal.appendBatch([]), 'RangeError');
      await rejects(wal.append(Buffer.from('a'), { stream: -1 }), 'RangeError');
      await rejects(wal.append(Buffer.from('a'), { kind: 256 }), 'RangeError');
      await rejects(wal.read(0), 'RangeError');
      await rejects(wal.append('text' as unknown as Uint8Array), 'TypeError');
    },
  },
  {
    name: 'refuses with WAL_CLOSED after closing, which may be asked for twice',
    async run(open) {
      const wal = await open();
      await Promise.all([wal.close(), wal.close()]);
      await rejects(wal.append(Buffer.from('a')), 'WAL_CLOSED');
      await rejects(wal.flush(), 'WAL_CLOSED');
    },
  },
];
