import assert from 'node:assert/strict';
import { createSeededRandom } from '@shanghai/env';
import { createManualClock, type FaultDisk } from '@shanghai/env/testing';
import type { BatchOperation, Bitcask } from '../src/bitcask.js';
import type { BitcaskOptions } from '../src/bitcask-options.js';
import { openBitcask } from '../src/open-bitcask.js';

/** What a workload did, so that any state a crash leaves can be judged: it must be the state after a prefix. */
export interface History {
  /** Atomic groups of changes in the order of the calls; `undefined` = deleted. */
  readonly groups: ReadonlyMap<string, string | undefined>[];
  /** So many of them must survive. */
  durableGroups: number;
}

export const directory = '/store';

export function startHistory(): History {
  return { groups: [], durableGroups: 0 };
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Opens a store on a simulated disk: small segments, no timers that fire, ids from a fixed seed. */
export function openOn(disk: FaultDisk, options: Partial<BitcaskOptions> = {}): Promise<Bitcask> {
  return openBitcask({
    directory,
    disk,
    clock: createManualClock(),
    random: createSeededRandom(disk.seed + disk.steps),
    segmentBytes: 4_096,
    ...options,
    merge: { bytesPerSecond: 0, enabled: false, ...options.merge },
  });
}

/** Calls a store and writes the history down. In mode `always` what was acknowledged is durable. */
export class Recorder {
  readonly store: Bitcask;
  readonly history: History;
  readonly #always: boolean;

  constructor(store: Bitcask, history: History) {
    this.store = store;
    this.history = history;
    this.#always = store.stats().durability === 'always';
  }

  put(key: string, value: string): Promise<void> {
    return this.#do([[key, value]], () => this.store.put(bytesOf(key), bytesOf(value)));
  }

  delete(key: string): Promise<void> {
    return this.#do([[key, undefined]], () => this.store.delete(bytesOf(key)));
  }

  batch(changes: readonly (readonly [string, string | undefined])[]): Promise<void> {
    const operations: BatchOperation[] = changes.map(([key, value]) =>
      value === undefined
        ? { type: 'delete', key: bytesOf(key) }
        : { type: 'put', key: bytesOf(key), value: bytesOf(value) },
    );
    return this.#do(changes, () => this.store.batch(operations));
  }

  async checkpoint(): Promise<void> {
    const covered = this.history.groups.length;
    await this.store.checkpoint();
    this.history.durableGroups = Math.max(this.history.durableGroups, covered);
  }

  async close(): Promise<void> {
    const covered = this.history.groups.length;
    await this.store.close();
    this.history.durableGroups = covered;
  }

  async #do(changes: readonly (readonly [string, string | undefined])[], call: () => Promise<unknown>): Promise<void> {
    this.history.groups.push(new Map(changes));
    const number = this.history.groups.length;
    await call();
    if (this.#always) this.history.durableGroups = Math.max(this.history.durableGroups, number);
  }
}

/** Everything in a store, read by a range, checked against point reads. */
export async function contentsOf(store: Bitcask): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for await (const { key, value } of store.range()) contents.set(textOf(key), textOf(value));
  for (const [key, value] of contents) {
    const read = await store.get(bytesOf(key));
    assert.equal(read === undefined ? undefined : textOf(read), value, `range and get differ at '${key}'`);
  }
  assert.equal(store.size, contents.size, 'size differs from what a range gives');
  return contents;
}

/** The state after the first `count` groups. */
export function stateAfter(history: History, count: number): Map<string, string> {
  const state = new Map<string, string>();
  for (const group of history.groups.slice(0, count)) {
    for (const [key, value] of group) {
      if (value === undefined) state.delete(key);
      else state.set(key, value);
    }
  }
  return state;
}

/** Fails unless the store holds the state after a prefix of the history that contains all that must survive. */
export async function assertPrefix(store: Bitcask, history: History): Promise<void> {
  const contents = [...(await contentsOf(store))].sort();
  for (let count = history.groups.length; count >= history.durableGroups; count--) {
    if (same(contents, [...stateAfter(history, count)].sort())) return;
  }
  const shown = contents.map(([key, value]) => `${key}=${value.slice(0, 8)}`).join(' ');
  assert.fail(
    `the store holds no prefix of between ${history.durableGroups} and ${history.groups.length} groups: ${shown}`,
  );
}

function same(a: readonly (readonly [string, string])[], b: readonly (readonly [string, string])[]): boolean {
  return a.length === b.length && a.every(([key, value], i) => key === b[i]?.[0] && value === b[i]?.[1]);
}
