import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareStamps, type EntryId, type EntryStamp } from '../src/core/entry-id.js';
import { compareHlc, earlierHlc, type Hlc } from '../src/core/hlc.js';
import { KeyspaceFold } from '../src/core/keyspace/keyspace-fold.js';
import type { KeyspaceEntry, KeyspaceOperation } from '../src/core/keyspace/operation.js';
import { decodeOperation, encodeOperation } from '../src/core/keyspace/operation-codec.js';
import { mergeRows, takeTail } from '../src/core/keyspace/row-snapshot.js';
import { MemoryKeyspaceStore } from '../src/testing/memory-keyspace-store.js';

/**
 * Logs are made first, whole; then copies are given them in different interleavings, with everything else that may happen
 * in between. Whatever the interleaving, the copies must end equal byte for byte.
 */
const seed = Number(process.env.SHANGHAI_SEED ?? 20261122);
const numRuns = process.env.SHANGHAI_DEEP === '1' ? 20_000 : 1200;
const origins = 3;
const endMs = 1_000_000;
const end: Hlc = { ms: endMs, counter: 0 };

interface Draft {
  readonly origin: number;
  /** Beyond the origin's last entry. */
  readonly stepMs: number;
  readonly kind: 'put' | 'delete' | 'accept' | 'drop';
  readonly key: number;
  readonly seen: readonly number[];
  readonly ttlMs: number;
  readonly target: number;
}

const drafts: fc.Arbitrary<Draft> = fc.record({
  origin: fc.integer({ min: 1, max: origins }),
  stepMs: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 3 }) },
    { weight: 1, arbitrary: fc.constantFrom(9_000, 30_000) },
  ),
  kind: fc.oneof(
    { weight: 6, arbitrary: fc.constant('put' as const) },
    { weight: 3, arbitrary: fc.constant('delete' as const) },
    { weight: 2, arbitrary: fc.constantFrom('accept' as const, 'drop' as const, 'drop' as const) },
  ),
  key: fc.integer({ min: 1, max: 3 }),
  seen: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: origins, maxLength: origins }),
  ttlMs: fc.constantFrom(0, 0, 0, 5, 20_000),
  target: fc.nat(),
});

/** One thing that happens to a copy: it is given the next entry of an origin (again), time passes, rows settle. */
interface Step {
  readonly kind: 'deliver' | 'again' | 'time' | 'settle' | 'rows';
  readonly origin: number;
  readonly copy: number;
  readonly ms: number;
}

const steps: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(
    { weight: 8, arbitrary: fc.constant('deliver' as const) },
    { weight: 2, arbitrary: fc.constantFrom('again' as const, 'time' as const, 'rows' as const) },
    { weight: 4, arbitrary: fc.constant('settle' as const) },
  ),
  origin: fc.integer({ min: 1, max: origins }),
  copy: fc.nat({ max: origins - 1 }),
  ms: fc.constantFrom(1, 10, 12, 5_000, 40_000),
});

/** Turns drafts into streams: names, growing times, targets that exist. */
function logsOf(all: readonly Draft[]): readonly (readonly KeyspaceEntry[])[] {
  const logs: KeyspaceEntry[][] = Array.from({ length: origins }, () => []);
  const writes: { stamp: EntryStamp; key: Uint8Array }[] = [];
  for (const draft of all) {
    const log = logs[draft.origin - 1] as KeyspaceEntry[];
    const last = log.at(-1)?.stamp.hlc ?? { ms: 100, counter: 0 };
    const hlc =
      draft.stepMs === 0 ? { ...last, counter: last.counter + 1 } : { ms: last.ms + draft.stepMs, counter: 0 };
    const stamp = { origin: draft.origin, epoch: 1, sequence: log.length + 1, hlc };
    const operation = operationOf(draft, writes);
    if (operation === undefined) continue;
    if (operation.type !== 'verdict') writes.push({ stamp, key: operation.key });
    log.push({ stamp, operation: decodeOperation(encodeOperation(operation)) });
  }
  return logs;
}

function operationOf(
  { kind, key: number, seen: numbers, origin, ttlMs, target }: Draft,
  writes: readonly { stamp: EntryStamp; key: Uint8Array }[],
): KeyspaceOperation | undefined {
  const seen = numbers
    .map((sequence, i) => ({ origin: i + 1, epoch: 1, sequence }))
    .filter((id) => id.sequence > 0 && id.origin !== origin);
  const key = Uint8Array.of(number);
  if (kind === 'put') {
    const expiresAtMs = ttlMs === 0 ? 0 : 100 + ttlMs;
    return { type: 'put', seen, key, value: Uint8Array.of(origin, number), expiresAtMs };
  }
  if (kind === 'delete') return { type: 'delete', seen, key };
  const chosen = writes[target % Math.max(1, writes.length)];
  if (chosen === undefined) return undefined;
  const targets = [{ sequence: chosen.stamp.sequence, key: chosen.key }];
  return { type: 'verdict', seen, decision: kind, origin: chosen.stamp.origin, epoch: 1, targets };
}

class Copy {
  readonly store = new MemoryKeyspaceStore();
  readonly fold: KeyspaceFold;
  /** Entries of each origin that were given. */
  readonly has = Array.from({ length: origins }, () => 0);
  nowMs = 0;
  readonly #logs: readonly (readonly KeyspaceEntry[])[];

  constructor(self: number, logs: readonly (readonly KeyspaceEntry[])[]) {
    this.#logs = logs;
    this.fold = new KeyspaceFold({ self, store: this.store });
  }

  deliver(origin: number): void {
    const entry = this.#logs[origin - 1]?.[this.has[origin - 1] as number];
    if (entry === undefined) return;
    this.has[origin - 1] = (this.has[origin - 1] as number) + 1;
    this.fold.fold(entry, this.nowMs);
  }

  again(origin: number, back: number): void {
    const entry = this.#logs[origin - 1]?.[(this.has[origin - 1] as number) - 1 - back];
    if (entry !== undefined) this.fold.fold(entry, this.nowMs);
  }

  /** Up to where everything of all origins was given. */
  complete(): Hlc {
    return this.#logs
      .map((log, i) => log[this.has[i] as number]?.stamp.hlc)
      .map((next) => (next === undefined ? end : before(next)))
      .reduce(earlierHlc);
  }

  settle(stable: Hlc): void {
    this.fold.raiseFloor(stable);
    this.fold.settle(this.store.dueKeys(this.fold.effective(stable)), stable);
  }

  /** Takes over another copy's rows, and with them its position. */
  takeRows(other: Copy): void {
    const has = [...other.has];
    const giving = { origin: 1, epoch: 1, number: 1 };
    const isReceived = ({ origin, sequence }: EntryId) => (this.has[origin - 1] as number) >= sequence;
    for (let from: Uint8Array | undefined, isLast = false; !isLast; ) {
      const page = other.store.page(from, 2, giving);
      const own = { keys: this.store.keysIn(page), isReceived };
      mergeRows(this.fold, this.store, page, own, this.nowMs);
      isLast = page.to === undefined;
      from = page.to;
    }
    takeTail(this.fold, this.store, other.store.tail(), this.nowMs);
    for (const [i, count] of has.entries()) this.has[i] = Math.max(this.has[i] as number, count);
  }
}

function before({ ms, counter }: Hlc): Hlc {
  return counter > 0 ? { ms, counter: counter - 1 } : { ms: ms - 1, counter: 0xffff };
}

function run(logs: readonly (readonly KeyspaceEntry[])[], copies: readonly Copy[], script: readonly Step[]): void {
  const stable = () => copies.map((copy) => copy.complete()).reduce(earlierHlc);
  for (const { kind, origin, copy: index, ms } of script) {
    const copy = copies[index] as Copy;
    if (kind === 'deliver') copy.deliver(origin);
    else if (kind === 'again') copy.again(origin, ms % 7);
    else if (kind === 'settle') copy.settle(stable());
    else if (kind === 'rows') copy.takeRows(copies[origin - 1] as Copy);
    else {
      copy.nowMs += ms;
      copy.fold.advance(copy.nowMs);
    }
  }
  for (const copy of copies) {
    for (let origin = 1; origin <= origins; origin++) {
      for (let i = 0; i < (logs[origin - 1]?.length ?? 0); i++) copy.deliver(origin);
    }
  }
}

function finish(copies: readonly Copy[]): void {
  for (const copy of copies) {
    copy.nowMs = endMs;
    copy.fold.advance(endMs);
  }
  for (const copy of copies) copy.settle(end);
}

test('copies that were given the same entries in any order hold the same rows, whatever happened in between', () => {
  fc.assert(
    fc.property(fc.array(drafts, { maxLength: 14 }), fc.array(steps, { maxLength: 60 }), (all, script) => {
      const logs = logsOf(all);
      const copies = Array.from({ length: origins }, (_, i) => new Copy(i + 1, logs));
      run(logs, copies, script);
      finish(copies);
      for (const copy of copies) {
        expect(copy.store.firstHeld()).toBeUndefined();
        expect(copy.store.dump()).toBe((copies[0] as Copy).store.dump());
      }
    }),
    { seed, numRuns },
  );
});

test('the values that lost are the same everywhere, too, where no copy took over rows', () => {
  fc.assert(
    fc.property(fc.array(drafts, { maxLength: 14 }), fc.array(steps, { maxLength: 60 }), (all, script) => {
      const logs = logsOf(all);
      const copies = Array.from({ length: origins }, (_, i) => new Copy(i + 1, logs));
      const withoutRows = script.filter(({ kind }) => kind !== 'rows');
      run(logs, copies, withoutRows);
      finish(copies);
      for (const copy of copies) expect(copy.store.dumpLost()).toBe((copies[0] as Copy).store.dumpLost());
    }),
    { seed, numRuns },
  );
});

test('a copy that never forgets shows what the entries say: the last that was not dropped', () => {
  fc.assert(
    fc.property(fc.array(drafts, { maxLength: 14 }), (all) => {
      const logs = logsOf(all);
      const copy = new Copy(99, logs);
      run(logs, [copy], []);
      copy.nowMs = endMs;
      copy.fold.advance(endMs);
      const entries = logs.flat();
      const isDropped = (stamp: EntryStamp) =>
        entries.some(
          ({ stamp: by, operation }) =>
            operation.type === 'verdict' &&
            operation.decision === 'drop' &&
            operation.origin === stamp.origin &&
            operation.targets.some(({ sequence }) => sequence === stamp.sequence) &&
            compareHlc(by.hlc, stamp.hlc) < 0,
        );
      for (const number of [1, 2, 3]) {
        const writes = entries.filter(
          ({ stamp, operation }) => operation.type !== 'verdict' && operation.key[0] === number && !isDropped(stamp),
        );
        const last = writes
          .map(({ stamp }) => stamp)
          .sort(compareStamps)
          .at(-1);
        expect(copy.store.row(Uint8Array.of(number))?.at(-1)?.stamp).toEqual(last);
      }
    }),
    { seed, numRuns },
  );
});
