/** A client that watches the keys that only grow: it must be told of every write, once, in order, whatever breaks. */
import { ClientError, type ShanghaiClient } from '@shanghai/client';
import { type Clock, delay } from '@shanghai/env';
import { Violation } from '../raft/truth.js';
import type { VirtualWorld } from './virtual-world.js';

/** What a watcher works with. */
export interface WatcherParts {
  readonly world: Pick<VirtualWorld, 'trace'>;
  readonly client: ShanghaiClient;
  readonly clock: Clock;
  readonly prefix: string;
  count(what: string): void;
}

/** See above. */
export class Watcher {
  /** The last value of each key that it was told of. */
  readonly values = new Map<string, string>();
  readonly #parts: WatcherParts;
  readonly #stop = new AbortController();
  #revision = 0;

  constructor(parts: WatcherParts) {
    this.#parts = parts;
  }

  /** Watches until it is stopped. */
  async run(): Promise<void> {
    const { client, clock, prefix, count, world } = this.#parts;
    const { signal } = this.#stop;
    let position: Uint8Array | undefined;
    while (!signal.aborted) {
      try {
        const from = position === undefined ? {} : { position };
        for await (const page of client.watch({ prefix, signal, ...from })) {
          for (const { key, value, revision } of page.events) this.#told(textOf(key), textOf(value), revision);
          position = page.position;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ClientError) || error.code === 'INTERNAL_ERROR') throw error;
        count(`watch ${error.code}`);
        world.trace(() => `watch: ${error.code} ${error.message}`);
        // A node keeps the last changes only, and not beyond its life: what is missed must be read. A watch that begins
        // anew begins where the node is that takes it, which may be behind.
        if (error.code === 'OUT_OF_RANGE') {
          position = undefined;
          this.#revision = 0;
          this.values.clear();
        }
        await delay(clock, 200, signal).catch(() => {});
      }
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  #told(key: string, value: string, revision: number): void {
    this.#parts.count('changes watched');
    const before = this.values.get(key);
    if (revision <= this.#revision) {
      throw new Violation(`watch: revision ${revision} of ${key} comes behind ${this.#revision}`);
    }
    this.#revision = revision;
    const added = value.slice(before?.length ?? 0);
    if (before !== undefined && (!value.startsWith(before) || added.indexOf(';') !== added.length - 1)) {
      throw new Violation(`watch: ${key} goes from ${before} to ${value}`);
    }
    this.values.set(key, value);
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
