/**
 * Callers that do not wait for each other, on a disk whose every call takes a while of its own: writers, readers, merges
 * and checkpoints interleave as the seed has it. What may be seen follows from two moments (the temporal relation of
 * Arts and Hughes' tests of this kind of store): a read gives the state after some number of writes, at least those that
 * were acknowledged before it began and at most those that were called before it ended. A range gives one such state
 * for all its keys. Writes take effect in the order of their calls, and conditions are judged in that order.
 */
import assert from 'node:assert/strict';
import { createSeededRandom, type Random } from '@shanghai/env';
import { createFaultDisk, createManualClock, type FaultDisk, type ManualClock } from '@shanghai/env/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Bitcask } from '../src/bitcask.js';
import { BitcaskError } from '../src/bitcask-error.js';
import type { BitcaskOptions } from '../src/bitcask-options.js';
import { openBitcask } from '../src/open-bitcask.js';
import { bytesOf, directory, openOn, textOf } from './history.js';

const runs = process.env['SHANGHAI_DEEP'] === '1' ? 3_000 : 120;
const seed = Number(process.env['SHANGHAI_SEED'] || 20_261_121);

type State = ReadonlyMap<string, string>;

interface Call {
  readonly kind: 'put' | 'delete' | 'batch' | 'if absent' | 'if current' | 'get' | 'range' | 'merge' | 'checkpoint';
  readonly key: number;
  /** Milliseconds that pass before the next call. */
  readonly pauseMs: number;
}

const call: fc.Arbitrary<Call> = fc.record({
  kind: fc.constantFrom<Call['kind'][]>(
    ...(['put', 'put', 'put', 'delete', 'delete', 'batch', 'if absent', 'if current'] as const),
    ...(['get', 'get', 'range', 'merge', 'checkpoint'] as const),
  ),
  key: fc.integer({ min: 0, max: 5 }),
  pauseMs: fc.constantFrom(0, 0, 0, 1, 5, 30),
});

/** Gives calls of the disk random lengths: some are over at once, some are passed by dozens of others. */
function delayCalls(disk: FaultDisk, random: Random): void {
  for (const operation of ['write', 'sync', 'read', 'rename', 'open', 'truncate', 'syncDirectory'] as const) {
    for (let after = 0; after < 60; after++) {
      if (random.float() < 0.6) continue;
      const delayMs = 1 + Math.floor(random.float() * 20);
      disk.inject({ operation, after, effect: { kind: 'delay', delayMs } });
    }
  }
}

class Schedule {
  readonly disk: FaultDisk;
  readonly clock: ManualClock = createManualClock();
  readonly options: Partial<BitcaskOptions>;
  store!: Bitcask;
  /** The state after each number of writes that took effect, in the order of the calls. */
  readonly states: State[] = [new Map()];
  /** The sequences that live keys got, by key. */
  readonly sequences = new Map<string, number>();
  /** Writes called and acknowledged so far; of those that are conditional, only the ones that take effect. */
  acknowledged = 0;
  #sequence = 0;
  #value = 0;
  readonly pending: Promise<void>[] = [];

  constructor(options: Partial<BitcaskOptions>, diskSeed: number) {
    this.options = options;
    this.disk = createFaultDisk({ seed: diskSeed, clock: this.clock });
  }

  get called(): number {
    return this.states.length - 1;
  }

  async open(disk: FaultDisk): Promise<Bitcask> {
    const random = createSeededRandom(disk.seed + disk.steps + 1);
    const merge = { bytesPerSecond: 0, enabled: false };
    const opening = openBitcask({
      directory,
      disk,
      clock: this.clock,
      random,
      segmentBytes: 4_096,
      merge,
      ...this.options,
    });
    return await this.passTime(opening);
  }

  /** Lets time pass until something is done. */
  async passTime<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    const settled = promise.finally(() => {
      isDone = true;
    });
    settled.catch(() => undefined);
    for (let turn = 0; !isDone; turn++) {
      assert.ok(turn < 50_000, 'a call hangs');
      await this.clock.advance(1);
    }
    return await settled;
  }

  begin({ kind, key }: Call): void {
    const name = `k${key}`;
    if (kind === 'put') this.#write([[name, this.#next()]], kind);
    else if (kind === 'delete') this.#write([[name, undefined]], kind);
    else if (kind === 'if absent') this.#conditional(name, 0);
    else if (kind === 'if current') this.#conditional(name, this.sequences.get(name) ?? 0);
    else if (kind === 'batch') {
      this.#write([
        [name, this.#next()],
        [`k${(key + 1) % 6}`, undefined],
        [`k${(key + 2) % 6}`, this.#next()],
      ]);
    } else this.pending.push(this.#look(kind, name));
  }

  async #look(kind: 'get' | 'range' | 'merge' | 'checkpoint', name: string): Promise<void> {
    if (kind === 'get') await this.#get(name);
    else if (kind === 'range') await this.#range();
    else if (kind === 'checkpoint') await this.#checkpoint();
    else await this.store.merge({ force: name < 'k3' });
  }

  #next(): string {
    return `${++this.#value}`.padEnd(40 + ((this.#value * 131) % 500), '.');
  }

  #write(changes: readonly (readonly [string, string | undefined])[], kind?: 'put' | 'delete'): void {
    const [[name, value]] = changes as [[string, string | undefined]];
    // Deleting what is not there writes nothing and takes no sequence.
    const isNothing = kind === 'delete' && !(this.states.at(-1) as State).has(name);
    if (!isNothing) this.#apply(changes);
    const number = this.called;
    const done =
      kind === 'put'
        ? this.store.put(bytesOf(name), bytesOf(value as string))
        : kind === 'delete'
          ? this.store.delete(bytesOf(name)).then((was) => assert.equal(was, !isNothing, `delete of ${name}`))
          : this.store.batch(
              changes.map(([key, text]) =>
                text === undefined
                  ? { type: 'delete', key: bytesOf(key) }
                  : { type: 'put', key: bytesOf(key), value: bytesOf(text) },
              ),
            );
    this.#acknowledge(done, number);
  }

  #conditional(name: string, revision: number): void {
    const current = this.sequences.get(name) ?? 0;
    const value = this.#next();
    const holds = current === revision;
    if (holds) this.#apply([[name, value]]);
    const number = this.called;
    const done = this.store.put(bytesOf(name), bytesOf(value), { ifRevision: revision });
    if (holds) {
      this.#acknowledge(done, number);
      return;
    }
    const refused = assert.rejects(
      done,
      (error) =>
        error instanceof BitcaskError && error.code === 'CONDITION_FAILED' && error.details['current'] === current,
      `a put of ${name} if ${revision}, while it has ${current}`,
    );
    this.pending.push(refused);
  }

  #apply(changes: readonly (readonly [string, string | undefined])[]): void {
    const next = new Map(this.states.at(-1));
    for (const [key, value] of changes) {
      this.#sequence++;
      if (value === undefined) {
        next.delete(key);
        this.sequences.delete(key);
      } else {
        next.set(key, value);
        this.sequences.set(key, this.#sequence);
      }
    }
    this.states.push(next);
  }

  #acknowledge(done: Promise<unknown>, number: number): void {
    const acknowledged = done.then(() => {
      this.acknowledged = Math.max(this.acknowledged, number);
    });
    this.pending.push(acknowledged);
  }

  async #get(name: string): Promise<void> {
    const from = this.acknowledged;
    const read = await this.store.get(bytesOf(name));
    const value = read === undefined ? undefined : textOf(read);
    const possible = this.states.slice(from, this.called + 1).map((state) => state.get(name));
    assert.ok(possible.includes(value), `get of ${name} gave ${value}, possible were ${[...new Set(possible)]}`);
  }

  async #range(): Promise<void> {
    const from = this.acknowledged;
    const given: string[] = [];
    for await (const { key, value } of this.store.range()) given.push(`${textOf(key)}=${textOf(value)}`);
    const asText = (state: State) => [...state].map(([key, value]) => `${key}=${value}`).sort();
    const isPossible = this.states
      .slice(from, this.called + 1)
      .some((state) => asText(state).join('\n') === given.join('\n'));
    assert.ok(isPossible, `a range gave ${given.map((one) => one.slice(0, 6))}, which no moment had`);
  }

  async #checkpoint(): Promise<void> {
    const { durableSequence } = await this.store.checkpoint();
    assert.ok(durableSequence <= this.#sequence, `${durableSequence} is durable, ${this.#sequence} were called`);
  }

  async compare(store: Bitcask, least: number): Promise<void> {
    const given = new Map<string, string>();
    const readAll = async () => {
      for await (const { key, value } of store.range()) given.set(textOf(key), textOf(value));
    };
    await this.passTime(readAll());
    for (let number = this.called; number >= least; number--) {
      const state = this.states[number] as State;
      if (state.size === given.size && [...state].every(([key, value]) => given.get(key) === value)) return;
    }
    assert.fail(`the store holds no state after ${least} to ${this.called} writes`);
  }
}

async function run(calls: readonly Call[], options: Partial<BitcaskOptions>, diskSeed: number, ends: boolean) {
  const schedule = new Schedule(options, diskSeed);
  schedule.store = await schedule.open(schedule.disk);
  delayCalls(schedule.disk, createSeededRandom(diskSeed));
  for (const one of calls) {
    schedule.begin(one);
    for (const pending of schedule.pending) pending.catch(() => undefined);
    if (one.pauseMs > 0) await schedule.clock.advance(one.pauseMs);
  }
  if (!ends) {
    // The power fails with calls under way.
    const least = schedule.acknowledged;
    schedule.disk.crash();
    const left = await schedule.open(schedule.disk.restart('random'));
    await schedule.compare(left, schedule.options.durability === 'never' ? 0 : least);
    return;
  }
  await schedule.passTime(Promise.all(schedule.pending));
  await schedule.compare(schedule.store, schedule.called);
  await schedule.passTime(schedule.store.close());
  const again = await schedule.open(schedule.disk.restart('none'));
  await schedule.compare(again, schedule.called);
  await schedule.passTime(again.close());
}

for (const durability of ['always', 'never'] as const) {
  for (const ends of [true, false]) {
    const how = ends ? 'to its end' : 'until the power fails';
    test(`every read in a schedule of concurrent calls gives a state that a moment had (${durability}, ${how})`, async () => {
      const calls = fc.array(call, { minLength: 1, maxLength: 50 });
      const property = fc.asyncProperty(calls, fc.integer({ min: 1, max: 1_000_000 }), (list, diskSeed) =>
        run(list, { durability }, diskSeed, ends),
      );
      await fc.assert(property, { numRuns: runs, seed });
    });
  }
}

test('conditions of calls that wait together are judged in the order of the calls', async () => {
  const store = await openOn(createFaultDisk({ seed: 1 }));
  const key = bytesOf('k');
  const results = await Promise.allSettled([
    store.put(key, bytesOf('1'), { ifRevision: 0 }),
    store.put(key, bytesOf('2'), { ifRevision: 0 }),
    store.put(key, bytesOf('3'), { ifRevision: 1 }),
    store.delete(key, { ifRevision: 2 }),
    store.put(key, bytesOf('4'), { ifRevision: 2 }),
    store.put(key, bytesOf('5'), { ifRevision: 0 }),
  ]);
  expect(results.map(({ status }) => status === 'fulfilled')).toEqual([true, false, true, true, false, true]);
  expect(textOf((await store.get(key)) as Uint8Array)).toBe('5');
  await store.close();
});

test('a checkpoint tells what was written before its sync, not what came while the disk was at it', async () => {
  const clock = createManualClock();
  const disk = createFaultDisk({ seed: 1, clock });
  const store = await openOn(disk, { durability: 'never', clock });
  await store.put(bytesOf('a'), bytesOf('1'));
  disk.inject({ operation: 'sync', effect: { kind: 'delay', delayMs: 50 } });
  const checkpoint = store.checkpoint();
  await clock.advance(10);
  await store.put(bytesOf('b'), bytesOf('2'));
  await clock.advance(100);
  expect(await checkpoint).toEqual({ durableSequence: 1 });
  disk.crash();
  const left = await openOn(disk.restart('none'));
  expect([left.has(bytesOf('a')), left.has(bytesOf('b'))]).toEqual([true, false]);
  await left.close();
});
