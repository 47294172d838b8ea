/**
 * A named log with cleanup policy `compact` as the state of a few keys: each key has one writer, who puts and deletes; readers
 * go through the log again and again, at whichever replica, while it is compacted under them.
 */
import { ClientError, type LogEntry, type ShanghaiClient } from '@shanghai/client';
import { type Clock, delay, type Random } from '@shanghai/env';
import { Violation } from '../../raft/truth.js';
import type { VirtualWorld } from '../virtual-world.js';

/** What a log is written and read with. */
export interface LatestValuesParts {
  readonly world: Pick<VirtualWorld, 'trace' | 'nowMs'>;
  readonly random: Random;
  readonly clock: Clock;
  /** The first half writes, the others read. */
  readonly clients: readonly ShanghaiClient[];
  readonly meanPauseMs: number;
  count(what: string): void;
}

/** A write, by its number among those of its key. */
interface Write {
  readonly key: string;
  readonly number: number;
  /** `undefined`: it deletes. */
  readonly value: string | undefined;
  sequence?: number;
}

const name = 'latest';
const keysOfWriter = 3;
/** Long, so that a few appends fill a file, and compaction has something to do. */
const filler = '.'.repeat(3_000);
/** A pass that took longer may have missed a deletion. */
const tombstoneRetentionMs = 20_000;

/** See above. */
export class LatestValues {
  readonly #parts: LatestValuesParts;
  /** Of each key all writes, in order. */
  readonly #writes = new Map<string, Write[]>();
  readonly #bySequence = new Map<number, Write>();
  #isStopped = false;

  constructor(parts: LatestValuesParts) {
    this.#parts = parts;
  }

  /** Writes and reads until it is stopped. Rejects with a `Violation`. */
  async run(): Promise<void> {
    const { clients } = this.#parts;
    const half = Math.ceil(clients.length / 2);
    const [first] = clients as readonly [ShanghaiClient];
    await this.#insist(() => first.log.create(name, { cleanupPolicy: 'compact', tombstoneRetentionMs }));
    await Promise.all([
      ...clients.slice(0, half).map((client, i) => this.#write(client, i)),
      ...clients.slice(half).map((client) => this.#read(client)),
    ]);
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Goes through it once more, to its end. Throws a `Violation`. */
  async check(): Promise<void> {
    const [client] = this.#parts.clients as readonly [ShanghaiClient];
    await this.#insist(() => this.#pass(client, 100));
  }

  async #write(client: ShanghaiClient, writer: number): Promise<void> {
    const { random, clock, meanPauseMs, count } = this.#parts;
    for (let next = 1; !this.#isStopped; next++) {
      const key = `${writer}.${random.below(keysOfWriter)}`;
      const writes = this.#writes.get(key) ?? [];
      this.#writes.set(key, writes);
      const number = writes.length + 1;
      const value = random.float() < 0.15 ? undefined : `${number};${filler}`;
      const write: Write = { key, number, value };
      writes.push(write);
      const record =
        value === undefined ? { key, value: '', headers: [{ name: 'delete', value: '' }] } : { key, value };
      const producer = { producerId: 1 + writer, epoch: 1, sequence: next };
      const { firstSequence } = await this.#insist(() => client.log.append(name, record, { producer }));
      write.sequence = firstSequence;
      const other = this.#bySequence.get(firstSequence);
      if (other !== undefined)
        throw new Violation(`latest: two writes were told ${firstSequence}: ${other.key}, ${key}`);
      this.#bySequence.set(firstSequence, write);
      count('latest writes');
      await delay(clock, random.float() * 2 * meanPauseMs);
    }
  }

  async #read(client: ShanghaiClient): Promise<void> {
    const { random, clock, meanPauseMs, count, world } = this.#parts;
    while (!this.#isStopped) {
      await delay(clock, random.float() * 20 * meanPauseMs);
      try {
        await this.#pass(client, 1 + random.below(30));
        count('latest passes');
      } catch (error) {
        if (!isExpected(error)) throw error;
        count(`latest ${error.code}`);
        world.trace(() => `latest: ${error.code} ${error.message}`);
      }
    }
  }

  /** From the first entry to the end, in pages of `limit` entries, with pauses in which it may be compacted. */
  async #pass(client: ShanghaiClient, limit: number): Promise<void> {
    const { random, clock, meanPauseMs, count, world } = this.#parts;
    const startMs = world.nowMs;
    const acknowledged = new Map([...this.#writes].map(([key, writes]) => [key, lastAcknowledged(writes)]));
    const shown = new Map<string, Write>();
    for (let next = 1; ; ) {
      const page = await client.log.read(name, { from: next, limit });
      let behind = next - 1;
      let hidden = 0;
      const places = [
        ...page.gaps.map(({ firstSequence, lastSequence }) => ({ firstSequence, lastSequence, entry: undefined })),
        ...page.entries.map((entry) => ({ firstSequence: entry.sequence, lastSequence: entry.sequence, entry })),
      ].sort((a, b) => a.firstSequence - b.firstSequence);
      for (const { firstSequence, lastSequence, entry } of places) {
        if (firstSequence !== behind + 1) throw new Violation(`latest: ${firstSequence} comes behind ${behind}`);
        behind = lastSequence;
        if (entry === undefined) {
          this.#checkHidden(firstSequence, lastSequence);
          hidden += lastSequence - firstSequence + 1;
        } else this.#show(shown, entry);
      }
      if (hidden > 0) count('latest pages with gaps');
      if (behind + 1 !== page.nextSequence)
        throw new Violation(`latest: ${page.nextSequence} is next behind ${behind}`);
      if (page.nextSequence === next || page.nextSequence > page.lastSequence) break;
      next = page.nextSequence;
      await delay(clock, random.float() * meanPauseMs);
    }
    this.#compare(acknowledged, shown, world.nowMs - startMs);
  }

  #show(shown: Map<string, Write>, { key, value, sequence, headers }: LogEntry): void {
    const text = new TextDecoder();
    const name = text.decode(key);
    const isDeletion = value.length === 0 && headers.some((header) => header.name === 'delete');
    const writes = this.#writes.get(name) ?? [];
    const told = this.#bySequence.get(sequence);
    const before = shown.get(name);
    const write = isDeletion
      ? (told ?? writes.find((one) => one.value === undefined && one.sequence === undefined))
      : writes[Number(text.decode(value).split(';')[0]) - 1];
    const isRight = write !== undefined && write.key === name && (write.value ?? '') === text.decode(value);
    if (!isRight || (write.sequence !== undefined && write.sequence !== sequence)) {
      throw new Violation(`latest: ${sequence} of key ${name} is not what was written there`);
    }
    if (before !== undefined && write.number <= before.number) {
      throw new Violation(`latest: write ${write.number} of ${name} comes behind ${before.number}`);
    }
    shown.set(name, write);
  }

  /** What is hidden has a later write of its key, or was a deletion. */
  #checkHidden(firstSequence: number, lastSequence: number): void {
    for (let sequence = firstSequence; sequence <= lastSequence; sequence++) {
      const write = this.#bySequence.get(sequence);
      if (write?.value === undefined) continue;
      const isLast = (this.#writes.get(write.key)?.length ?? 0) === write.number;
      if (isLast) throw new Violation(`latest: ${sequence} is gone, the last write of ${write.key}`);
    }
  }

  #compare(
    acknowledged: ReadonlyMap<string, Write | undefined>,
    shown: ReadonlyMap<string, Write>,
    tookMs: number,
  ): void {
    for (const [key, last] of acknowledged) {
      if (last === undefined) continue;
      const found = shown.get(key);
      if (found !== undefined && found.number >= last.number) continue;
      // Nothing shows of a key that is deleted for long, or whose deletion went before it was come to.
      const later = (this.#writes.get(key) ?? []).slice(last.number - 1);
      const mayBeGone = later.some(({ value }) => value === undefined);
      if (mayBeGone && (found === undefined || tookMs > tombstoneRetentionMs / 2)) continue;
      throw new Violation(
        `latest: key ${key} ends with write ${found?.number}, ${last.number} was acknowledged before`,
      );
    }
  }

  /** Again and again until it is done. */
  async #insist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isExpected(error)) throw error;
        await delay(this.#parts.clock, 100);
      }
    }
  }
}

function lastAcknowledged(writes: readonly Write[]): Write | undefined {
  return writes.findLast(({ sequence }) => sequence !== undefined);
}

function isExpected(error: unknown): error is ClientError {
  return error instanceof ClientError && error.code !== 'INTERNAL_ERROR';
}
