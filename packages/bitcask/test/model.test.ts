import assert from 'node:assert/strict';
import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, createManualClock, type FaultDisk } from '@shanghai/env/testing';
import fc from 'fast-check';
import { test } from 'vitest';
import type { BatchOperation, Bitcask, BitcaskEntry, RangeOptions } from '../src/bitcask.js';
import { BitcaskError } from '../src/bitcask-error.js';
import type { BitcaskOptions } from '../src/bitcask-options.js';
import { openBitcask } from '../src/open-bitcask.js';
import { ModelStore } from '../src/testing/model-store.js';
import { directory } from './history.js';

const runs = process.env['SHANGHAI_DEEP'] === '1' ? 4_000 : 250;
const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_817);

type Change = { readonly key: number; readonly bytes: number | undefined; readonly expiresInMs: number | undefined };
type Step =
  | {
      readonly kind: 'put' | 'delete';
      readonly change: Change;
      readonly revision: 'none' | 'right' | 'wrong' | 'absent';
    }
  | { readonly kind: 'batch' | 'together' | 'beside'; readonly changes: readonly Change[] }
  | {
      readonly kind: 'range';
      readonly from: number;
      readonly to: number;
      readonly flags: number;
      readonly limit: number;
    }
  | { readonly kind: 'merge' | 'force' | 'reopen' | 'crash' | 'checkpoint' | 'time' | 'verify' };

const change = fc.record({
  key: fc.integer({ min: 0, max: 11 }),
  bytes: fc.option(fc.integer({ min: 0, max: 700 }), { nil: undefined, freq: 3 }),
  expiresInMs: fc.option(fc.integer({ min: 1, max: 300 }), { nil: undefined, freq: 1 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('put', 'delete'),
      change,
      revision: fc.constantFrom('none', 'none', 'right', 'wrong', 'absent'),
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('batch', 'together', 'beside'),
      changes: fc.array(change, { minLength: 1, maxLength: 6 }),
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('range' as const),
      from: fc.integer({ min: 0, max: 12 }),
      to: fc.integer({ min: 0, max: 12 }),
      flags: fc.integer({ min: 0, max: 31 }),
      limit: fc.integer({ min: 0, max: 14 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('merge', 'force', 'reopen', 'crash', 'checkpoint', 'time', 'verify'),
    }) as fc.Arbitrary<Step>,
  },
);

/** Keys of different lengths, some beginning with others. */
function keyOf(number: number): Uint8Array {
  const bytes = new Uint8Array(1 + (number % 3)).fill(number < 9 ? 97 + Math.floor(number / 3) : 0xff);
  return bytes;
}

class Session {
  readonly model = new ModelStore();
  readonly clock = createManualClock();
  readonly options: Partial<BitcaskOptions>;
  disk: FaultDisk;
  store!: Bitcask;
  nowMs = 1_000;
  #opened = 0;
  #value = 0;

  constructor(options: Partial<BitcaskOptions>) {
    this.options = options;
    this.disk = createFaultDisk({ seed: 5 });
  }

  async open(): Promise<void> {
    this.store = await openBitcask({
      directory,
      disk: this.disk,
      clock: this.clock,
      random: createSeededRandom(++this.#opened),
      segmentBytes: 4_096,
      horizon: () => this.nowMs,
      merge: { bytesPerSecond: 0, staleRatio: 0.2, minSegments: 2 },
      ...this.options,
      ...this.#keydirSnapshot(),
    });
  }

  /** Every third opening neither reads nor writes a snapshot: the next one may find an old one. */
  #keydirSnapshot(): Pick<BitcaskOptions, 'keydirSnapshot'> {
    const { keydirSnapshot } = this.options;
    return keydirSnapshot === undefined ? {} : { keydirSnapshot: { ...keydirSnapshot, enabled: this.#opened % 3 > 0 } };
  }

  async do(step: Step): Promise<void> {
    switch (step.kind) {
      case 'put':
      case 'delete':
        return this.#single(step.kind, step.change, step.revision);
      case 'batch': {
        const operations = step.changes.map((one) => this.#operation(one));
        const { sequence } = await this.store.batch(operations);
        this.model.apply(operations);
        assert.equal(sequence, this.model.sequence);
        return;
      }
      case 'together':
        return this.#together(step.changes);
      case 'beside':
        return this.#besideMerge(step.changes);
      case 'range':
        return this.#range(step);
      case 'merge':
        await this.store.merge();
        return;
      case 'force':
        await this.store.merge({ force: true });
        return;
      case 'reopen':
        await this.store.close();
        return this.open();
      case 'crash':
        // In mode always everything acknowledged survives the worst crash.
        this.disk.crash();
        this.disk = this.disk.restart(this.#opened % 2 === 0 ? 'none' : 'random');
        return this.open();
      case 'checkpoint':
        assert.equal((await this.store.checkpoint()).durableSequence, this.model.sequence);
        return;
      case 'time':
        this.nowMs += 100;
        return;
      case 'verify':
        assert.deepEqual((await this.store.verify()).problems, []);
        return this.#compareCounts();
    }
  }

  /** The counts by first byte are those of a walk over every key, expired ones included. */
  async #compareCounts(): Promise<void> {
    const counted = new Float64Array(256);
    for await (const { key } of this.store.range({ keysOnly: true, horizonMs: 0 })) {
      counted[key[0] as number] = (counted[key[0] as number] as number) + 1;
    }
    assert.deepEqual(this.store.stats().keysByFirstByte, counted);
  }

  /** Everything the store can be asked, compared with the model. */
  async compare(): Promise<void> {
    for (let number = 0; number < 12; number++) {
      const key = keyOf(number);
      const expected = this.model.get(key, this.nowMs);
      same(await this.store.getEntry(key), expected);
      same(this.store.getEntrySync(key), expected);
      assert.equal(this.store.has(key), expected !== undefined);
    }
    await this.#range({ kind: 'range', from: 0, to: 0, flags: 0, limit: 100 });
    const { liveBytes, deadBytes, lastSequence } = this.store.stats();
    assert.ok(liveBytes >= 0 && deadBytes >= 0, `live ${liveBytes}, dead ${deadBytes}`);
    assert.equal(lastSequence, this.model.sequence);
  }

  async #single(kind: 'put' | 'delete', one: Change, revision: string): Promise<void> {
    const operation = this.#operation({ ...one, bytes: kind === 'delete' ? undefined : (one.bytes ?? 5) });
    const current = this.model.get(operation.key, this.nowMs)?.sequence ?? 0;
    const asked = { none: undefined, right: current, wrong: current + 1_000, absent: 0 }[revision];
    const condition = asked === undefined ? {} : { ifRevision: asked };
    const known = this.model.knows(operation.key);
    const call =
      operation.type === 'delete' ? this.store.delete(operation.key, condition) : this.#put(operation, condition);
    if (asked !== undefined && asked !== current) {
      await assert.rejects(
        call,
        (error) =>
          error instanceof BitcaskError && error.code === 'CONDITION_FAILED' && error.details['current'] === current,
      );
      return;
    }
    const result = await call;
    if (operation.type === 'delete') assert.equal(result, current !== 0);
    // An expired key may have been merged away: then there is nothing to delete, and no sequence is taken.
    const written = operation.type === 'put' || (known && this.store.stats().lastSequence > this.model.sequence);
    if (operation.type === 'delete' && !written) {
      assert.equal(current, 0);
      this.model.apply([operation]);
      this.model.sequence--;
    } else {
      this.model.apply([operation]);
    }
  }

  #put(operation: BatchOperation & { type: 'put' }, condition: { ifRevision?: number }): Promise<unknown> {
    const expiry = operation.expiresAtMs === undefined ? {} : { expiresAtMs: operation.expiresAtMs };
    return this.store.put(operation.key, operation.value, { ...expiry, ...condition });
  }

  /** Several calls without waiting between: the order of the calls is the order of the writes. */
  async #together(changes: readonly Change[]): Promise<void> {
    const operations = changes.map((one) => this.#operation({ ...one, bytes: one.bytes ?? 3 }));
    const calls = operations.map((operation) => this.#put(operation as BatchOperation & { type: 'put' }, {}));
    await Promise.all(calls);
    this.model.apply(operations);
  }

  /** Writes, one after the other, while every segment is merged, with reads between. */
  async #besideMerge(changes: readonly Change[]): Promise<void> {
    const merging = this.store.merge({ force: changes.length % 2 === 0 });
    for (const one of changes) {
      const operation = this.#operation(one);
      await this.store.batch([operation]);
      this.model.apply([operation]);
      same(await this.store.getEntry(operation.key), this.model.get(operation.key, this.nowMs));
    }
    await merging;
  }

  async #range(asked: {
    readonly from: number;
    readonly to: number;
    readonly flags: number;
    readonly limit: number;
    readonly kind: 'range';
  }): Promise<void> {
    const { from, to, flags, limit } = asked;
    const options: RangeOptions = {
      ...((flags & 1) !== 0 ? { start: keyOf(from % 12) } : {}),
      ...((flags & 2) !== 0 ? { end: keyOf(to % 12) } : {}),
      ...((flags & 4) !== 0 ? { prefix: keyOf((from + to) % 12) } : {}),
      reverse: (flags & 8) !== 0,
      keysOnly: (flags & 16) !== 0,
      limit,
    };
    const given: BitcaskEntry[] = [];
    for await (const entry of this.store.range(options)) given.push(entry);
    const expected = this.model.range(options, this.nowMs);
    assert.equal(given.length, expected.length, `range ${JSON.stringify(asked)}`);
    for (const [i, entry] of given.entries()) same(entry, expected[i]);
  }

  #operation(one: Change): BatchOperation {
    const key = keyOf(one.key);
    if (one.bytes === undefined) return { type: 'delete', key };
    const value = new Uint8Array(one.bytes).fill(++this.#value & 0xff);
    return one.expiresInMs === undefined
      ? { type: 'put', key, value }
      : { type: 'put', key, value, expiresAtMs: this.nowMs + one.expiresInMs };
  }
}

function same(given: BitcaskEntry | undefined, expected: BitcaskEntry | undefined): void {
  if (given === undefined || expected === undefined) {
    assert.equal(given, expected);
    return;
  }
  assert.deepEqual(Buffer.from(given.key), Buffer.from(expected.key));
  assert.deepEqual(Buffer.from(given.value), Buffer.from(expected.value));
  assert.equal(given.sequence, expected.sequence);
  assert.equal(given.expiresAtMs, expected.expiresAtMs);
}

const forms: readonly { readonly name: string; readonly options: Partial<BitcaskOptions> }[] = [
  { name: 'plain', options: {} },
  { name: 'lz4 and a cache', options: { compression: { codec: 'lz4', minBytes: 32 }, cache: { maxBytes: 4_000 } } },
  {
    name: 'gzip, four open files, snapshots of the key directory',
    options: {
      compression: { codec: 'gzip', minBytes: 32 },
      maxOpenFiles: 4,
      keydirSnapshot: { minKeys: 0, everyOperations: 4 },
    },
  },
];

for (const { name, options } of forms) {
  test(`any history gives the same answers as a list in memory (${name})`, async () => {
    const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      const session = new Session(options);
      await session.open();
      for (const one of steps) await session.do(one);
      await session.compare();
      await session.store.close();
      await session.open();
      await session.compare();
      await session.do({ kind: 'verify' });
      await session.store.merge({ force: true });
      await session.compare();
      await session.store.close();
    });
    await fc.assert(property, { numRuns: runs, seed });
  });
}
