/** Somebody who uses a cluster, one request after the other, with the real client; every request goes on record. */
import { createClient, type ShanghaiClient } from '@shanghai/client';
import { type Clock, delay, type Random } from '@shanghai/env';
import type { KeyChange, KeysInput, KeysOutput } from '../cluster/keys-model.js';
import type { Recorder } from '../cluster/recorder.js';
import type { VirtualClientTransport } from '../cluster/virtual-client-transport.js';

/** What a clerk works with. */
export interface KvClerkParts {
  readonly id: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: VirtualClientTransport;
  readonly endpoints: readonly string[];
  readonly recorder: Recorder;
  /** Whether its writes are numbered: sent again, they are done once all the same. */
  readonly hasSession: boolean;
}

/** Longer than anything goes wrong in a scenario: no request may fail. */
const timeoutMs = 120_000;

/** See above. Every method rejects with whatever the client rejects with, which no scenario expects. */
export class KvClerk {
  readonly id: number;
  readonly random: Random;
  readonly #client: ShanghaiClient;
  readonly #clock: Clock;
  readonly #recorder: Recorder;

  constructor({ id, clock, random, transport, endpoints, recorder, hasSession }: KvClerkParts) {
    this.id = id;
    this.random = random;
    this.#clock = clock;
    this.#recorder = recorder;
    const first = id % endpoints.length;
    const ownOrder = [...endpoints.slice(first), ...endpoints.slice(0, first)];
    this.#client = createClient(transport, { endpoints: ownOrder, clock, random, timeoutMs, sessions: hasSession });
  }

  /** What a key holds; a key that is not there reads as empty text. */
  async get(key: string): Promise<string> {
    const value = await this.#recorded(key, { type: 'read', keys: [key] }, async () => {
      const entry = await this.#client.get(key);
      return { values: [entry === undefined ? undefined : textOf(entry.value)] };
    });
    return value.values?.[0] ?? '';
  }

  async put(key: string, value: string): Promise<void> {
    await this.#write({ type: 'put', key, value }, async () => {
      await this.#client.put(key, value);
      return {};
    });
  }

  async append(key: string, value: string): Promise<void> {
    await this.#write({ type: 'append', key, value }, async () => {
      const { valueBytes } = await this.#client.append(key, value);
      return { valueBytes };
    });
  }

  /** Does nothing for a while, `meanMs` on the average. */
  async rest(meanMs: number): Promise<void> {
    await delay(this.#clock, this.random.float() * 2 * meanMs);
  }

  async #write(change: KeyChange, send: () => Promise<{ readonly valueBytes?: number }>): Promise<void> {
    await this.#recorded(change.key, { type: 'write', changes: [change], conditions: [] }, async () => {
      return { isApplied: true, results: [await send()] };
    });
  }

  async #recorded(key: string, input: KeysInput, request: () => Promise<KeysOutput>): Promise<KeysOutput> {
    const call = this.#recorder.call(key, this.id, input);
    try {
      const output = await request();
      call.answered(output);
      return output;
    } catch (error) {
      call.unknown();
      throw error;
    }
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
