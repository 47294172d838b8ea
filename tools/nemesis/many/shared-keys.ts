/**
 * A keyspace of mode multi-master under faults: at each node a writer that asks this node and no other, for keys of its own
 * and for keys that all write.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientError, type ShanghaiClient } from '@shanghai/client';
import { createSeededRandom } from '@shanghai/env';
import { Violation } from '../../simulator/raft/truth.js';
import { checkKeys, type KeyWrite, type ShownPair } from './key-writes.js';

/** What keys are written with. */
export interface SharedKeysParts {
  readonly seed: number;
  /** Of every place a client that knows this node alone, and where it speaks HTTP. */
  readonly clients: ReadonlyMap<number, ShanghaiClient>;
  readonly addresses: ReadonlyMap<number, string>;
  readonly writers: readonly number[];
  readonly meanPauseMs: number;
  count(what: string): void;
}

interface Answer {
  readonly data?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

/** The keyspace's name. */
export const keyspaceName = 'shared';
const sharedKeys = 12;
const requestTimeoutMs = 4_000;
/** Codes that say nothing of the outcome. */
const unknownCodes = ['OUTCOME_UNKNOWN', 'DEADLINE_EXCEEDED', 'CANCELLED'];

/** See above. */
export class SharedKeys {
  readonly writes: KeyWrite[] = [];
  readonly #parts: SharedKeysParts;
  #isStopped = false;

  constructor(parts: SharedKeysParts) {
    this.#parts = parts;
  }

  /** Makes the keyspace. */
  async create(): Promise<void> {
    const [first = 1] = this.#parts.writers;
    for (;;) {
      try {
        await this.#client(first).keyspaces.create(keyspaceName, { mode: 'multi-master' });
        return;
      } catch (error) {
        if (!(error instanceof ClientError) || error.code === 'INTERNAL_ERROR') throw error;
        await sleep(200);
      }
    }
  }

  /** Writes until it is stopped. Rejects at an answer that may not be. */
  run(): readonly Promise<void>[] {
    return this.#parts.writers.map((nodeId) => this.#write(nodeId));
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Lets all nodes fold what they hold back, waits until they show the same, and checks that. Gives in words what they show. */
  async check(members: readonly number[], lostNodes: ReadonlySet<number>, isOverdue: () => boolean): Promise<string> {
    let accepted = 0;
    for (;;) {
      let texts: string[];
      let pairs: readonly ShownPair[] = [];
      try {
        for (const nodeId of members) accepted += await this.#acceptHeld(nodeId);
        const shown = [];
        for (const nodeId of members) shown.push(await this.#shownBy(nodeId));
        texts = shown.map((one) => JSON.stringify(one));
        pairs = shown[0] ?? [];
      } catch (error) {
        if (error instanceof TypeError) throw error;
        texts = ['', (error as Error).message];
      }
      if (new Set(texts).size === 1 && (await this.#held(members)) === 0) {
        checkKeys(this.writes, pairs, lostNodes);
        return `${pairs.length} keys of ${this.writes.length} writes, the same at all; ${accepted} entries were held until accepted`;
      }
      if (isOverdue()) throw new Violation(`keys: the nodes show different ones: ${texts.join(' | ')}`);
      await sleep(500);
    }
  }

  async #write(nodeId: number): Promise<void> {
    const { seed, meanPauseMs, count } = this.#parts;
    const random = createSeededRandom(seed * 100 + nodeId * 10 + 3);
    for (let number = 1; !this.#isStopped; number++) {
      const key = random.float() < 0.4 ? `own/${nodeId}` : `all/${random.below(sharedKeys)}`;
      const value = random.float() < 0.15 ? undefined : `${nodeId}.${number}`;
      const write: KeyWrite = { key, value, nodeId, outcome: 'unknown' };
      this.writes.push(write);
      write.outcome = await this.#send(nodeId, key, value);
      count(`keys ${write.outcome}`);
      await sleep(random.float() * 2 * meanPauseMs);
    }
  }

  async #send(nodeId: number, key: string, value: string | undefined): Promise<KeyWrite['outcome']> {
    const path = `/kv/${encodeURIComponent(key)}?keyspace=${keyspaceName}`;
    let answer: Answer;
    try {
      answer = await this.#ask(nodeId, value === undefined ? 'DELETE' : 'PUT', path, value);
    } catch (error) {
      const { cause } = error as { cause?: NodeJS.ErrnoException };
      return cause?.code === 'ECONNREFUSED' ? 'refused' : 'unknown';
    }
    const { code, message } = answer.error ?? {};
    if (code === undefined || code === 'NOT_FOUND') return 'acknowledged';
    if (code === 'INTERNAL_ERROR') throw new Error(`${path} at node ${nodeId}: ${message}`);
    return unknownCodes.includes(code) ? 'unknown' : 'refused';
  }

  async #shownBy(nodeId: number): Promise<readonly ShownPair[]> {
    const { data, error } = await this.#ask(
      nodeId,
      'GET',
      `/kv/range?prefix=&keyspace=${keyspaceName}&level=stale&limit=10000`,
    );
    if (error !== undefined) throw new Error(error.message);
    const { pairs } = data as { pairs: { key: string; value: string; offset: number }[] };
    return pairs.map(({ key, value, offset }) => ({ key, value, revision: offset }));
  }

  async #held(members: readonly number[]): Promise<number> {
    let held = 0;
    for (const nodeId of members) held += (await this.#client(nodeId).keyspaces.held(keyspaceName)).held;
    return held;
  }

  /** Entries of a clock that had jumped ahead are waited for by no reader here: they are to count now. */
  async #acceptHeld(nodeId: number): Promise<number> {
    const { keyspaces } = this.#client(nodeId);
    const { entries } = await keyspaces.held(keyspaceName, { limit: 1000 });
    const byStream = new Map<string, { origin: number; epoch: number; firstSequence: number; lastSequence: number }>();
    for (const { version } of entries) {
      const { origin, epoch, sequence } = version;
      const known = byStream.get(`${origin}.${epoch}`);
      if (known === undefined) {
        byStream.set(`${origin}.${epoch}`, { origin, epoch, firstSequence: sequence, lastSequence: sequence });
      } else {
        known.firstSequence = Math.min(known.firstSequence, sequence);
        known.lastSequence = Math.max(known.lastSequence, sequence);
      }
    }
    let accepted = 0;
    for (const range of byStream.values()) {
      accepted += await keyspaces.giveVerdict(keyspaceName, { decision: 'accept', ...range });
    }
    return accepted;
  }

  async #ask(nodeId: number, method: string, path: string, value?: string): Promise<Answer> {
    const response = await fetch(`http://${this.#parts.addresses.get(nodeId)}${path}`, {
      method,
      ...(value === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ value }) }),
      signal: AbortSignal.timeout(requestTimeoutMs),
    });
    return (await response.json()) as Answer;
  }

  #client(nodeId: number): ShanghaiClient {
    const client = this.#parts.clients.get(nodeId);
    if (client === undefined) throw new RangeError(`there is no client of node ${nodeId}`);
    return client;
  }
}
