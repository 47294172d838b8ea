/** A named log: writers that number what they append and do not give up, one that does not, and one who follows it all. */
import { ClientError, type ShanghaiClient } from '@shanghai/client';
import { type Clock, delay, type Random } from '@shanghai/env';
import { Violation } from '../raft/truth.js';
import type { VirtualWorld } from './virtual-world.js';

/** What a journal is written with. */
export interface JournalParts {
  readonly world: Pick<VirtualWorld, 'trace'>;
  readonly random: Random;
  readonly clock: Clock;
  /** The first writes without numbers. The last one follows. */
  readonly clients: readonly ShanghaiClient[];
  readonly meanPauseMs: number;
  count(what: string): void;
}

interface Told {
  readonly firstSequence: number;
  readonly values: readonly string[];
}

const name = 'journal';

/** See above. */
export class Journal {
  readonly #parts: JournalParts;
  readonly #told: Told[] = [];
  readonly #refused = new Set<string>();
  /** What the follower has seen: the entry of sequence n stands at n − 1. */
  readonly #followed: string[] = [];
  readonly #stop = new AbortController();
  #isStopped = false;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  /** Writes until it is stopped, and goes on until what was begun has ended. */
  async run(): Promise<void> {
    const { clients } = this.#parts;
    await this.#create(clients[0] as ShanghaiClient);
    await Promise.all(clients.slice(0, -1).map((client, i) => this.#write(client, i)));
  }

  /** Follows until it has seen all there is at the end. */
  async follow(): Promise<void> {
    const { clients, clock, count, world } = this.#parts;
    const client = clients.at(-1) as ShanghaiClient;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const { sequence, value } of client.log.tail(name, { from: this.#followed.length + 1, signal })) {
          if (sequence !== this.#followed.length + 1) {
            throw new Violation(`tail: entry ${sequence} comes behind ${this.#followed.length}`);
          }
          this.#followed.push(textOf(value));
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof ClientError) || error.code === 'INTERNAL_ERROR') throw error;
        count(`tail ${error.code}`);
        world.trace(() => `tail: ${error.code} ${error.message}`);
        await delay(clock, 300, signal).catch(() => {});
      }
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Reads all of it, and throws a `Violation` unless everything that was acknowledged is there, once and in order. */
  async check(): Promise<void> {
    const held = await this.#readAll();
    for (const { firstSequence, values } of this.#told) {
      const there = held.slice(firstSequence - 1, firstSequence - 1 + values.length);
      if (there.join() !== values.join()) {
        throw new Violation(`journal: ${values} was acknowledged at ${firstSequence}, there is ${there}`);
      }
    }
    if (new Set(held).size !== held.length) throw new Violation(`journal: something is in it twice: ${held}`);
    for (const value of held) if (this.#refused.has(value)) throw new Violation(`journal: ${value} was refused`);
    const { clients, clock } = this.#parts;
    for (let writer = 1; writer < clients.length - 1; writer++) {
      const numbers = held.filter((one) => one.startsWith(`${writer}.`)).map((one) => Number(one.split('.')[1]));
      const gap = numbers.findIndex((number, i) => number !== i + 1);
      if (gap >= 0) throw new Violation(`journal: of writer ${writer} ${numbers[gap]} comes as number ${gap + 1}`);
    }
    while (this.#followed.length < held.length) await delay(clock, 100);
    this.#stop.abort();
    if (this.#followed.join() !== held.join()) throw new Violation('tail: it has given other entries than are there');
  }

  async #create(client: ShanghaiClient): Promise<void> {
    await this.#insist(() => client.log.create(name));
  }

  async #write(client: ShanghaiClient, writer: number): Promise<void> {
    const { random, clock, meanPauseMs, count } = this.#parts;
    for (let next = 1; !this.#isStopped; ) {
      const values = Array.from({ length: 1 + random.below(3) }, (_, i) => `${writer}.${next + i}`);
      const producer = { producerId: 1000 + writer, epoch: 1, sequence: next };
      const isNumbered = writer > 0;
      try {
        const append = () => client.log.append(name, values, isNumbered ? { producer } : {});
        const { firstSequence } = await (isNumbered ? this.#insist(append) : append());
        this.#told.push({ firstSequence, values });
        count('appends');
      } catch (error) {
        const { code } = error as ClientError;
        if (!(error instanceof ClientError) || code === 'INTERNAL_ERROR') throw error;
        count(`append ${code}`);
        if (code !== 'OUTCOME_UNKNOWN') for (const value of values) this.#refused.add(value);
      }
      next += values.length;
      await delay(clock, random.float() * 2 * meanPauseMs);
    }
  }

  /** Again and again until it is done. */
  async #insist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof ClientError) || error.code === 'INTERNAL_ERROR') throw error;
        this.#parts.world.trace(() => `journal: ${error.code} ${error.message}`);
        await delay(this.#parts.clock, 100);
      }
    }
  }

  async #readAll(): Promise<readonly string[]> {
    const [client] = this.#parts.clients as readonly [ShanghaiClient];
    const held: string[] = [];
    for (;;) {
      const page = await this.#insist(() => client.log.read(name, { from: held.length + 1, limit: 200 }));
      for (const { value } of page.entries) held.push(textOf(value));
      if (page.nextSequence > page.lastSequence) return held;
    }
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
