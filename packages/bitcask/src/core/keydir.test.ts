import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkKeydir } from './keydir/check-keydir.js';
import {
  createKeydir,
  createKeydirBuilder,
  type Keydir,
  type KeydirCursor,
  type KeydirOptions,
  type KeydirPosition,
} from './keydir.js';

const SEED = 20260721;
const DEEP = process.env['SHANGHAI_DEEP'] === '1';
const RUNS = DEEP ? 2000 : 100;
const SMALL = { pageBytes: 512, chunkBytes: 2048 };

/** A position made of a number; one in seventeen does not fit into 16 bytes. */
function positionOf(n: number): KeydirPosition {
  if (n % 17 === 0) return { ...positionOf(n + 1), recordBytes: 2 ** 24 + n, sequence: 2 ** 50 + n };
  return { fileId: 1 + (n % 1000), offset: n, recordBytes: 1 + (n % 70000), sequence: n + 1, expires: n % 3 === 0 };
}

function empty(): KeydirPosition {
  return { fileId: 0, offset: 0, recordBytes: 0, sequence: 0, expires: false };
}

/** The same thing as a sorted array. */
class Model {
  readonly entries: { key: Uint8Array; position: KeydirPosition }[] = [];

  /** Index of the first key >= `key`. */
  indexOf(key: Uint8Array): number {
    const index = this.entries.findIndex((entry) => Buffer.compare(entry.key, key) >= 0);
    return index < 0 ? this.entries.length : index;
  }

  has(key: Uint8Array, index: number): boolean {
    const entry = this.entries[index];
    return entry !== undefined && Buffer.compare(entry.key, key) === 0;
  }
}

const keyBytes = fc.oneof(
  { weight: 4, arbitrary: fc.uint8Array({ minLength: 0, maxLength: 3 }) },
  {
    weight: 4,
    arbitrary: fc.array(fc.constantFrom(0, 1, 0xfe, 0xff), { maxLength: 8 }).map((a) => Uint8Array.from(a)),
  },
  { weight: 4, arbitrary: fc.uint8Array({ minLength: 4, maxLength: 20 }) },
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom(1, 10, 50, 200, 260), fc.constantFrom(0x61, 0xff), fc.uint8Array({ maxLength: 4 }))
      .map(([length, fill, tail]) => Buffer.concat([new Uint8Array(length).fill(fill), tail])),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(600, 5000, 70000), fc.constantFrom(0, 0x61, 0xff), fc.uint8Array({ maxLength: 3 }))
      .map(([length, fill, tail]) => Buffer.concat([new Uint8Array(length).fill(fill), tail])),
  },
);

type Operation =
  | { kind: 'set'; key: Uint8Array; n: number }
  | { kind: 'delete'; key: Uint8Array }
  | { kind: 'deleteAt'; at: number }
  | { kind: 'deleteRange'; at: number; count: number }
  | { kind: 'seek' | 'seekBefore'; key: Uint8Array | undefined }
  | { kind: 'next' | 'previous' };

const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('set' as const), key: keyBytes, n: fc.nat({ max: 2 ** 31 - 1 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: keyBytes }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('deleteAt' as const), at: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('deleteRange' as const), at: fc.nat(), count: fc.nat({ max: 60 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('seek' as const, 'seekBefore' as const),
      key: fc.option(keyBytes, { nil: undefined }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom('next' as const, 'previous' as const) }) },
);

class Comparison {
  readonly model = new Model();
  keydir: Keydir;
  cursor: KeydirCursor;
  cursorKey: Uint8Array | undefined;

  constructor(keydir: Keydir) {
    this.keydir = keydir;
    this.cursor = keydir.cursor();
  }

  /** Goes on with a keydir that was built of the same keys in order. */
  rebuild(options: KeydirOptions): void {
    const builder = createKeydirBuilder(options);
    for (const { key, position } of this.model.entries) builder.add(key, key.length, position);
    this.keydir = builder.finish();
    this.cursor = this.keydir.cursor();
    this.cursorKey = undefined;
  }

  set(key: Uint8Array, n: number): void {
    const { entries } = this.model;
    const index = this.model.indexOf(key);
    const was = this.model.has(key, index);
    const previous = empty();
    expect(this.keydir.set(key, positionOf(n), previous)).toBe(was);
    expect(previous).toEqual(was ? entries[index]?.position : empty());
    entries.splice(index, was ? 1 : 0, { key: new Uint8Array(key), position: positionOf(n) });
  }

  delete(key: Uint8Array): void {
    const index = this.model.indexOf(key);
    const was = this.model.has(key, index);
    const previous = empty();
    expect(this.keydir.delete(key, previous)).toBe(was);
    if (was) expect(previous).toEqual(this.model.entries.splice(index, 1)[0]?.position);
  }

  /** Compares where the cursor went with entry `index` of the model. */
  moved(found: boolean, index: number, keepsKey: boolean): void {
    const entry = this.model.entries[index];
    expect(found).toBe(entry !== undefined);
    if (entry !== undefined) this.cursorKey = entry.key;
    else if (!keepsKey) this.cursorKey = undefined;
    this.checkCursor();
  }

  checkCursor(): void {
    if (this.cursorKey === undefined) {
      expect(() => this.cursor.key()).toThrow(RangeError);
      return;
    }
    expect(Buffer.compare(this.cursor.key(), this.cursorKey)).toBe(0);
    const index = this.model.indexOf(this.cursorKey);
    const out = empty();
    const there = this.model.has(this.cursorKey, index);
    expect(this.cursor.position(out)).toBe(there);
    if (there) expect(out).toEqual(this.model.entries[index]?.position);
  }

  step(kind: 'next' | 'previous'): void {
    const found = this.cursor[kind]();
    if (this.cursorKey === undefined) {
      expect(found).toBe(false);
      return;
    }
    const at = this.model.indexOf(this.cursorKey);
    const behind = this.model.has(this.cursorKey, at) ? at + 1 : at;
    this.moved(found, kind === 'next' ? behind : at - 1, true);
  }

  apply(operation: Operation): void {
    const { entries } = this.model;
    switch (operation.kind) {
      case 'set':
        this.set(operation.key, operation.n);
        break;
      case 'delete':
        this.delete(operation.key);
        break;
      case 'deleteAt':
        this.deleteFrom(operation.at, 1);
        break;
      case 'deleteRange':
        this.deleteFrom(operation.at, operation.count);
        break;
      case 'seek': {
        const index = operation.key === undefined ? 0 : this.model.indexOf(operation.key);
        this.moved(this.cursor.seek(operation.key), index, false);
        break;
      }
      case 'seekBefore': {
        const index = operation.key === undefined ? entries.length : this.model.indexOf(operation.key);
        this.moved(this.cursor.seekBefore(operation.key), index - 1, false);
        break;
      }
      case 'next':
      case 'previous':
        this.step(operation.kind);
        break;
    }
  }

  deleteFrom(at: number, count: number): void {
    const { entries } = this.model;
    for (let i = 0; i < count && entries.length > 0; i += 1)
      this.delete(entries[at % entries.length]?.key as Uint8Array);
  }

  checkAll(): void {
    const { entries } = this.model;
    const keydir = this.keydir;
    checkKeydir(keydir);
    expect(keydir.size).toBe(entries.length);
    const cursor = keydir.cursor();
    const out = empty();
    let more = cursor.seek();
    for (const { key, position } of entries) {
      expect(more && Buffer.compare(cursor.key(), key) === 0 && cursor.position(out)).toBe(true);
      expect(out).toEqual(position);
      expect(keydir.get(key, out)).toBe(true);
      expect(out).toEqual(position);
      more = cursor.next();
    }
    expect(more).toBe(false);
    more = cursor.seekBefore();
    for (const { key } of entries.toReversed()) {
      expect(more && Buffer.compare(cursor.key(), key) === 0).toBe(true);
      more = cursor.previous();
    }
    expect(more).toBe(false);
  }
}

describe('a keydir', () => {
  test.each([SMALL, { pageBytes: 1024, chunkBytes: 1024 }, { pageBytes: 4096, chunkBytes: 8192 }])(
    'agrees with a sorted array under any operations (%o)',
    (options) => {
      fc.assert(
        fc.property(fc.array(operation, { minLength: 100, maxLength: 600, size: 'max' }), (operations) => {
          const comparison = new Comparison(createKeydir(options));
          for (const one of operations) comparison.apply(one);
          comparison.checkAll();
          const keys = comparison.model.entries.map((entry) => entry.key);
          for (const key of keys) comparison.delete(key);
          comparison.checkAll();
          expect(comparison.keydir.bytes).toBe(options.pageBytes);
        }),
        // Shrinking takes minutes: `SHANGHAI_DEEP=1` does it.
        { seed: SEED, numRuns: RUNS, endOnFailure: !DEEP },
      );
    },
    DEEP ? 1_200_000 : 60_000,
  );

  test.each([SMALL, { pageBytes: 1024, chunkBytes: 1024 }, { pageBytes: 4096, chunkBytes: 8192 }])(
    'built in order agrees with a sorted array, at once and under further operations (%o)',
    (options) => {
      fc.assert(
        fc.property(
          fc.array(operation, { minLength: 100, maxLength: 600, size: 'max' }),
          fc.nat(),
          (operations, at) => {
            const comparison = new Comparison(createKeydir(options));
            for (const [i, one] of operations.entries()) {
              if (i === at % operations.length) {
                comparison.rebuild(options);
                comparison.checkAll();
              }
              comparison.apply(one);
            }
            comparison.rebuild(options);
            comparison.checkAll();
            for (const { key } of [...comparison.model.entries]) comparison.delete(key);
            expect(comparison.keydir.bytes).toBe(options.pageBytes);
          },
        ),
        { seed: SEED, numRuns: RUNS, endOnFailure: !DEEP },
      );
    },
    DEEP ? 1_200_000 : 60_000,
  );

  test('built of many keys in order it has several levels and pages well filled', () => {
    for (const make of [decimalKey, (n: number) => groupKey(n >> 6, 100 + (n & 63)), longishKey]) {
      const builder = createKeydirBuilder(SMALL);
      const keys = Array.from({ length: 5000 }, (_, n) => make(n)).sort(Buffer.compare);
      for (const [n, key] of keys.entries()) builder.add(key, key.length, positionOf(n));
      const census = checkKeydir(builder.finish());
      expect(census.keys).toBe(5000);
      expect(census.levels).toBeGreaterThan(2);
      expect(census.leafFill).toBeGreaterThan(0.6);
    }
  });

  test('a builder refuses keys that do not rise', () => {
    const builder = createKeydirBuilder();
    builder.add(decimalKey(2), 16, positionOf(1));
    expect(() => builder.add(decimalKey(2), 16, positionOf(1))).toThrow('must rise');
    expect(() => builder.add(decimalKey(1), 16, positionOf(1))).toThrow('must rise');
    expect(() => builder.add(decimalKey(2), 15, positionOf(1))).toThrow('must rise');
  });

  test('deleting groups with long common prefixes leaves no empty pages', () => {
    const keydir = createKeydir(SMALL);
    const model = new Comparison(keydir);
    for (let group = 0; group < 12; group += 1) {
      for (let n = 0; n < 40; n += 1) model.set(groupKey(group, n), group * 100 + n);
    }
    for (let group = 0; group < 12; group += 2) {
      for (let n = 0; n < 40; n += 1) model.delete(groupKey(group, n));
      model.checkAll();
    }
  });

  test('separators too long for a page are given back when pages split, join and go', () => {
    const keydir = createKeydir(SMALL);
    const keys = shuffled(4000).map((n) =>
      Buffer.concat([new Uint8Array(60 + (n >> 7) * 7).fill(n >> 7), decimalKey(n)]),
    );
    keys.forEach((key, n) => {
      keydir.set(key, positionOf(n));
    });
    expect(checkKeydir(keydir).levels).toBeGreaterThan(2);
    keys.sort(Buffer.compare).forEach((key, n) => {
      keydir.delete(key);
      if (n % 100 === 0) checkKeydir(keydir);
    });
    expect(keydir.bytes).toBe(SMALL.pageBytes);
  });

  test('ascending long keys with a long common beginning split their pages', () => {
    const keydir = createKeydir();
    for (let n = 0; n < 2000; n += 1) keydir.set(Buffer.concat([new Uint8Array(1000), decimalKey(n)]), positionOf(n));
    checkKeydir(keydir);
    for (let n = 0; n < 2000; n += 1) keydir.delete(Buffer.concat([new Uint8Array(1000), decimalKey(n)]));
    expect(keydir.bytes).toBe(4096);
  });

  test('the key given is copied', () => {
    const keydir = createKeydir();
    for (const length of [16, 600]) {
      const key = Buffer.alloc(length, 1);
      keydir.set(key, positionOf(1));
      key.fill(2);
      expect(keydir.get(Buffer.alloc(length, 1), empty())).toBe(true);
      expect(keydir.get(key, empty())).toBe(false);
    }
  });

  test('a position out of range is refused and changes nothing', () => {
    const keydir = createKeydir();
    expect(() => keydir.set(Buffer.from('a'), { ...positionOf(1), fileId: 0 })).toThrow(RangeError);
    expect(keydir.size).toBe(0);
  });

  test('a cursor that walks while its keys are deleted visits each of the others once', () => {
    const keydir = createKeydir(SMALL);
    for (let n = 0; n < 2000; n += 1) keydir.set(decimalKey(n), positionOf(n));
    const cursor = keydir.cursor();
    const seen: string[] = [];
    for (let more = cursor.seek(); more; more = cursor.next()) {
      const key = cursor.key();
      seen.push(String(key));
      if (seen.length % 2 === 0) keydir.delete(key);
    }
    expect(seen).toEqual(Array.from({ length: 2000 }, (_, n) => String(decimalKey(n))));
    checkKeydir(keydir);
  });
});

/** The numbers below `count`, in an order that only looks random. */
function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, n) => n);
  return order.sort((a, b) => (Math.imul(a, 0x9e3779b1) >>> 0) - (Math.imul(b, 0x9e3779b1) >>> 0));
}

function decimalKey(n: number): Uint8Array {
  return new Uint8Array(Buffer.from(String(n).padStart(16, '0')));
}

/** Keys around the length from which they are kept outside of pages, in groups with much in common. */
function longishKey(n: number): Uint8Array {
  return new Uint8Array(Buffer.from(`${'a'.repeat(40 + ((n >> 7) % 5) * 6)}${String(n).padStart(6, '0')}`));
}

function groupKey(group: number, n: number): Uint8Array {
  return new Uint8Array(Buffer.from(`${String(group).repeat(30)}/${n}`));
}
