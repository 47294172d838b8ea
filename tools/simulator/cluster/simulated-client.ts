/** One client: the real one, which does one thing after another and tells what it was told. */
import { ClientError, type Condition, type ShanghaiClient, type WriteOperation } from '@shanghai/client';
import { type Clock, delay, type Random } from '@shanghai/env';
import { Violation } from '../raft/truth.js';
import type { AppendedKeys } from './appended-keys.js';
import type { KeyFamilies, KeyFamily } from './key-families.js';
import type { KeyChange, KeyCondition, KeysInput } from './keys-model.js';
import type { Recorder } from './recorder.js';
import type { VirtualWorld } from './virtual-world.js';

/** What a client asks: the real client, or something that speaks to a node by itself. Failures are `ClientError`s. */
export type ClientStore = Pick<
  ShanghaiClient,
  'get' | 'put' | 'append' | 'delete' | 'batch' | 'transact' | 'range' | 'close'
>;

/** What a client works with. */
export interface SimulatedClientParts<Store extends ClientStore> {
  readonly id: number;
  readonly world: Pick<VirtualWorld, 'nowMs' | 'trace' | 'fail'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Store;
  /** What the store cannot do is not asked of it. */
  readonly cannot?: readonly ('transact' | 'session')[];
  readonly families: KeyFamilies;
  readonly recorder: Recorder;
  readonly appended: AppendedKeys;
  readonly meanPauseMs: number;
  /** A pause in which sessions end; 0: there is none. */
  readonly longPauseMs: number;
  count(what: string): void;
}

/** Calls that do something at once. */
const loops = 3;

/** Failures that may happen; anything else is a defect. */
const expected = new Set([
  'CLUSTER_ERROR',
  'DEADLINE_EXCEEDED',
  'OUTCOME_UNKNOWN',
  'RESOURCE_EXHAUSTED',
  'SERVICE_UNAVAILABLE',
  'SESSION_EXPIRED',
  'STORAGE_FULL',
]);

/** See above. */
export class SimulatedClient<Store extends ClientStore = ShanghaiClient> {
  readonly client: Store;
  acknowledged = 0;
  readonly #parts: SimulatedClientParts<Store>;
  readonly #revisions = new Map<string, number>();
  #nextToken = 1;
  #isStopped = false;

  constructor(parts: SimulatedClientParts<Store>) {
    this.#parts = parts;
    this.client = parts.store;
  }

  /** Begins; what it resolves to is its end, after `stop`. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: loops }, () => this.#loop()));
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Reads a key as it is, until it gets an answer. */
  async readAtEnd(family: KeyFamily): Promise<readonly (string | undefined)[]> {
    for (;;) {
      const values = await this.#read(family, family.keys);
      if (values !== undefined) return values;
    }
  }

  /** Writes something, and says whether that was acknowledged. */
  async writeSomething(): Promise<boolean> {
    return this.#attempt(() => this.client.put('liveness', `${this.#parts.world.nowMs}`)).then(
      () => true,
      (error: unknown) => {
        this.#parts.world.trace(() => `client ${this.#parts.id}: ${String(error)}`);
        return false;
      },
    );
  }

  async #loop(): Promise<void> {
    const { random, families, clock, meanPauseMs, longPauseMs } = this.#parts;
    while (!this.#isStopped) {
      const family = families.draw();
      const chance = random.float();
      if (family.kind === 'pair') await this.#usePair(family, chance);
      else if (family.kind === 'appended') await this.#useAppended(family, chance);
      else await this.#useExpiring(family, chance);
      // Now and then for so long that its session goes.
      const pauseMs = random.float() < 0.005 && longPauseMs > 0 ? longPauseMs : random.float() * 2 * meanPauseMs;
      await delay(clock, pauseMs);
    }
  }

  async #usePair(family: KeyFamily, chance: number): Promise<void> {
    const [first = '', second = ''] = family.keys;
    const key = this.#parts.random.float() < 0.5 ? first : second;
    if (chance < 0.25) await this.#read(family, [key]);
    else if (chance < 0.35) await this.#read(family, family.keys);
    else if (chance < 0.5) await this.#write(family, [{ type: 'put', key, value: this.#token() }]);
    else if (chance < 0.6) await this.#write(family, [{ type: 'append', key, value: this.#token() }]);
    else if (chance < 0.68) await this.#write(family, [{ type: 'delete', key }]);
    else {
      const value = this.#token();
      const both: KeyChange[] = [
        { type: 'put', key: first, value },
        { type: 'put', key: second, value },
      ];
      if (chance < 0.8) await this.#write(family, both);
      else await this.#swap(family, key, both);
    }
  }

  /** Writes both if one is still as it was read. */
  async #swap(family: KeyFamily, key: string, changes: readonly KeyChange[]): Promise<void> {
    const values = await this.#read(family, [key]);
    if (values === undefined || this.#parts.cannot?.includes('transact')) return;
    await this.#write(family, changes, [{ key, value: values[0] }]);
  }

  async #useAppended(family: KeyFamily, chance: number): Promise<void> {
    const key = family.keys[0] as string;
    if (chance < 0.6) {
      const { appended } = this.#parts;
      const value = this.#token();
      const outcome = await this.#write(family, [{ type: 'append', key, value }]);
      if (outcome === 'refused') appended.refused(key, value);
      if (outcome === 'done') appended.acknowledged(key, value);
    } else if (chance < 0.75) {
      const values = await this.#read(family, [key]);
      if (values !== undefined) this.#parts.appended.seen(key, values[0]);
    } else {
      const isSession = chance < 0.9 && !this.#parts.cannot?.includes('session');
      await this.#readOlder(key, isSession ? 'session' : 'stale');
    }
  }

  async #useExpiring(family: KeyFamily, chance: number): Promise<void> {
    const key = family.keys[0] as string;
    const { random } = this.#parts;
    if (chance < 0.5) await this.#read(family, [key]);
    else if (chance < 0.6) await this.#write(family, [{ type: 'delete', key }]);
    else {
      const value = this.#token();
      const expires = chance < 0.9;
      await this.#write(family, [{ type: 'put', key, value, expires }], [], 500 + random.below(4000));
    }
  }

  async #read(family: KeyFamily, keys: readonly string[]): Promise<readonly (string | undefined)[] | undefined> {
    const { recorder, id } = this.#parts;
    // A range that is taken up after its connection broke goes on behind what it has given: each key has a moment of its own.
    const calls = keys.map((key) => recorder.call(family.name, id, { type: 'read', keys: [key] }));
    try {
      const values = await this.#attempt(() => this.#valuesOf(family, keys));
      for (const [i, call] of calls.entries()) call.answered({ values: [values[i]] });
      this.#parts.count('reads');
      return values;
    } catch {
      for (const call of calls) call.refused();
      return undefined;
    }
  }

  async #valuesOf(family: KeyFamily, keys: readonly string[]): Promise<(string | undefined)[]> {
    if (keys.length > 1) {
      const found = new Map<string, string>();
      for await (const { key, value } of this.client.range({ prefix: `{${family.name}}` })) {
        found.set(textOf(key), textOf(value));
      }
      return keys.map((key) => found.get(key));
    }
    const entry = await this.client.get(keys[0] as string);
    if (entry !== undefined) this.#saw(keys[0] as string, entry.revision);
    return [entry === undefined ? undefined : textOf(entry.value)];
  }

  /** What this client has seen, it goes on seeing at level `session`; at any level nobody sees what never was. */
  async #readOlder(key: string, level: 'session' | 'stale'): Promise<void> {
    const least = this.#revisions.get(key) ?? 0;
    const entry = await this.#attempt(() => this.client.get(key, { level })).catch(() => 'failed' as const);
    if (entry === 'failed') return;
    this.#parts.count(`${level} reads`);
    this.#parts.appended.seen(key, entry === undefined ? undefined : textOf(entry.value));
    if (level !== 'session') return;
    if ((entry?.revision ?? 0) < least) {
      const { world, id } = this.#parts;
      world.fail(new Violation(`session: client ${id} saw ${key} at ${least}, then ${entry?.revision ?? 'nothing'}`));
    }
    if (entry !== undefined) this.#saw(key, entry.revision);
  }

  async #write(
    family: KeyFamily,
    changes: readonly KeyChange[],
    conditions: readonly KeyCondition[] = [],
    ttlMs = 1000,
  ): Promise<'done' | 'refused' | 'unknown'> {
    const { recorder, id, count } = this.#parts;
    const input: KeysInput = { type: 'write', changes, conditions };
    const call = recorder.call(family.name, id, input);
    try {
      const results = await this.#attempt(() => this.#send(changes, conditions, ttlMs));
      call.answered({ isApplied: true, results });
      this.acknowledged++;
      count('writes');
      return 'done';
    } catch (error) {
      const { code } = error as ClientError;
      if (code === 'CONFLICT') call.answered({ isApplied: false });
      else if (code === 'OUTCOME_UNKNOWN') call.unknown();
      else call.refused();
      return code === 'OUTCOME_UNKNOWN' ? 'unknown' : 'refused';
    }
  }

  async #send(changes: readonly KeyChange[], conditions: readonly KeyCondition[], ttlMs: number) {
    const { client } = this;
    const [only] = changes;
    if (changes.length === 1 && only !== undefined && conditions.length === 0) return [await this.#one(only, ttlMs)];
    const operations = changes.map(operationOf);
    const outcomes =
      conditions.length > 0
        ? await client.transact({ conditions: conditions.map(conditionOf), operations })
        : await client.batch(operations, { atomic: true });
    return outcomes.map((outcome) => {
      if (!outcome.ok) throw new ClientError(outcome.code, outcome.message);
      return outcomeOf(outcome);
    });
  }

  async #one(change: KeyChange, ttlMs: number) {
    const { client } = this;
    const { key } = change;
    switch (change.type) {
      case 'put': {
        const { revision } = await client.put(key, change.value, change.expires === true ? { ttlMs } : {});
        this.#saw(key, revision);
        return {};
      }
      case 'append': {
        const { revision, valueBytes } = await client.append(key, change.value);
        this.#saw(key, revision);
        return { valueBytes };
      }
      case 'delete':
        return { deleted: (await client.delete(key)).deleted };
    }
  }

  /** A call; what may not happen ends the simulation. */
  async #attempt<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      const { world, id, count } = this.#parts;
      if (error instanceof ClientError && (expected.has(error.code) || error.code === 'CONFLICT')) {
        count(`client ${error.code}`);
        world.trace(() => `client ${id}: ${error.code} ${error.message}`);
      } else world.fail(error);
      throw error;
    }
  }

  #saw(key: string, revision: number): void {
    this.#revisions.set(key, Math.max(revision, this.#revisions.get(key) ?? 0));
  }

  #token(): string {
    return `${this.#parts.id}.${this.#nextToken++};`;
  }
}

function operationOf(change: KeyChange): WriteOperation {
  switch (change.type) {
    case 'put':
      return { put: change.key, value: change.value };
    case 'append':
      return { append: change.key, value: change.value };
    case 'delete':
      return { delete: change.key };
  }
}

function conditionOf({ key, value }: KeyCondition): Condition {
  return value === undefined ? { key, exists: false } : { key, value };
}

function outcomeOf({ deleted, valueBytes }: { readonly deleted?: boolean; readonly valueBytes?: number }) {
  return { ...(deleted === undefined ? {} : { deleted }), ...(valueBytes === undefined ? {} : { valueBytes }) };
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
