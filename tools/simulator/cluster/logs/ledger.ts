/**
 * A log of mode multi-master under faults: at each node writers that ask this node and no other, one with numbers that
 * does not give up and one without, and somebody who follows everything there.
 */
import { ClientError, type LogEntry, type LogPosition, type ShanghaiClient } from '@shanghai/client';
import { type Clock, createSeededRandom, delay, type Random } from '@shanghai/env';
import { Violation } from '../../raft/truth.js';
import {
  checkLedger,
  checkSameCopies,
  type LedgerAppend,
  type LedgerCopy,
  type LedgerEntry,
  type LedgerPlace,
  streamOf,
  sumsOf,
} from './ledger-check.js';

/** What a ledger is written with. */
export interface LedgerParts {
  readonly seed: number;
  /** Of every place a client that knows this node alone. */
  readonly clients: ReadonlyMap<number, ShanghaiClient>;
  /** At which there are writers. */
  readonly writers: readonly number[];
  readonly meanPauseMs: number;
  readonly clock: Clock;
  count(what: string): void;
  /** What may not happen and did. */
  defect(error: unknown): void;
}

const name = 'ledger';
/** A writer that does not give up does so when the end is so long past. */
const graceMs = 30_000;
const appendTimeoutMs = 4_000;

/** See above. */
export class Ledger {
  readonly appends: LedgerAppend[] = [];
  readonly #parts: LedgerParts;
  readonly #stopped = new AbortController();
  /** Of each follower how far it is in every stream. */
  readonly #followed = new Map<number, Map<string, number>>();
  readonly #ending = new AbortController();
  #stopMs = Number.POSITIVE_INFINITY;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  /** Makes the log. */
  async create(): Promise<void> {
    const [first] = this.#parts.writers as [number];
    await this.#again(() => this.#at(first).create(name, { mode: 'multi-master', acknowledgement: 'local' }), 120_000);
  }

  /** Writes and follows until it is stopped. */
  run(): readonly Promise<void>[] {
    const { writers, defect } = this.#parts;
    for (const nodeId of writers) void this.#follow(nodeId).catch(defect);
    return writers.flatMap((nodeId) => [this.#write(nodeId, true), this.#write(nodeId, false)]);
  }

  stop(): void {
    this.#stopMs = this.#nowMs;
    this.#stopped.abort();
  }

  /** Ends the followers. */
  close(): void {
    this.#ending.abort();
  }

  /** Waits until all copies are the same, and checks them. Gives what they hold in words. Throws a `Violation`. */
  async check(members: readonly number[], lostNodes: ReadonlySet<number>, isOverdue: () => boolean): Promise<string> {
    const copies = await this.#untilSame(members, isOverdue);
    checkSameCopies(copies);
    const [copy] = [...copies.values()] as [LedgerCopy];
    checkLedger(this.appends, copy, lostNodes);
    await this.#checkOrderOfTime(members, copy.length, isOverdue);
    await this.#checkFollowers(members, copy, isOverdue);
    const sums = [...sumsOf(copy, 'any node')].map(
      ([stream, { count, sum }]) => `${stream}: ${count} ${sum.slice(0, 8)}`,
    );
    return `${copy.length} entries, the same at nodes ${members.join(', ')}: ${sums.join(', ')}`;
  }

  async #write(nodeId: number, isNumbered: boolean): Promise<void> {
    const { seed, meanPauseMs, count, defect } = this.#parts;
    const writer = isNumbered ? 1 : 2;
    const random = createSeededRandom(seed * 100 + nodeId * 10 + writer);
    let [producerId, next] = [1000 * nodeId + writer, 1];
    for (let number = 1; !this.#stopped.signal.aborted; ) {
      const values = Array.from({ length: 1 + random.below(3) }, (_, i) =>
        drawValue(random, nodeId, writer, number + i),
      );
      number += values.length;
      const producer = { producerId, epoch: 1, sequence: next };
      const append: LedgerAppend = {
        values,
        nodeId,
        startMs: this.#nowMs,
        endMs: Number.POSITIVE_INFINITY,
        outcome: 'unknown',
      };
      this.appends.push(append);
      try {
        await (isNumbered ? this.#insist(append, producer) : this.#once(append, drawLevel(random)));
      } catch (error) {
        defect(error);
        return;
      }
      count(`ledger ${append.outcome}`);
      // Whose numbers are not right any more begins under another name: an origin that forgot is told in a new epoch.
      if (isNumbered && append.outcome !== 'acknowledged') [producerId, next] = [producerId + 100_000, 1];
      else next += values.length;
      await this.#sleep(random.float() * 2 * meanPauseMs);
    }
  }

  /** Appends once; whatever becomes of it is written down. */
  async #once(append: LedgerAppend, acknowledgement: 'local' | 'quorum' | 'all'): Promise<void> {
    const { nodeId, values } = append;
    try {
      const told = await this.#at(nodeId).append(name, values, {
        at: 'contact',
        timeoutMs: appendTimeoutMs,
        acknowledgement,
      });
      acknowledged(append, told, this.#nowMs);
    } catch (error) {
      if (!isExpected(error)) throw error;
      append.outcome = outcomeOf(error);
      append.endMs = append.outcome === 'unknown' ? Number.POSITIVE_INFINITY : this.#nowMs;
    }
  }

  /** The same records again and again until the node takes them, or says that their numbers are not right. */
  async #insist(
    append: LedgerAppend,
    producer: { producerId: number; epoch: number; sequence: number },
  ): Promise<void> {
    const { nodeId, values } = append;
    while (this.#nowMs < this.#stopMs + graceMs) {
      try {
        const told = await this.#at(nodeId).append(name, values, {
          at: 'contact',
          timeoutMs: appendTimeoutMs,
          producer,
        });
        if (told.duplicate) this.#parts.count('ledger duplicates');
        acknowledged(append, told, this.#nowMs);
        return;
      } catch (error) {
        if (!isExpected(error)) throw error;
        if (error.code === 'CONFLICT') return;
        await this.#sleep(100);
      }
    }
  }

  /** Every stream in its order, each entry once, over whatever connections. */
  async #follow(nodeId: number): Promise<void> {
    const places = new Map<string, number>();
    this.#followed.set(nodeId, places);
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        const positions = [...places].map(([stream, sequence]): LogPosition => {
          const [origin = 0, epoch = 0] = stream.split('.').map(Number);
          return { origin, epoch, sequence };
        });
        const options = { allOrigins: true, positions, at: 'contact', signal } as const;
        for await (const entry of this.#at(nodeId).tail(name, options)) followed(places, entry, nodeId);
      } catch (error) {
        if (signal.aborted) return;
        if (!isExpected(error)) throw error;
        this.#parts.count(`ledger tail ${error.code}`);
        await delay(this.#parts.clock, 300, signal).catch(() => undefined);
      }
    }
  }

  async #checkFollowers(members: readonly number[], copy: LedgerCopy, isOverdue: () => boolean): Promise<void> {
    const counts = new Map([...sumsOf(copy, 'any node')].map(([stream, { count }]) => [stream, count]));
    for (const nodeId of members) {
      const places = this.#followed.get(nodeId);
      if (places === undefined) continue;
      const behind = () => [...counts].find(([stream, count]) => places.get(stream) !== count);
      while (behind() !== undefined) {
        const [stream, count] = behind() as [string, number];
        if (isOverdue()) {
          throw new Violation(
            `ledger: who follows at node ${nodeId} saw ${places.get(stream)} of ${count} of ${stream}`,
          );
        }
        await this.#sleep(200);
      }
    }
    this.#ending.abort();
  }

  async #untilSame(members: readonly number[], isOverdue: () => boolean): Promise<ReadonlyMap<number, LedgerCopy>> {
    for (;;) {
      const copies = new Map<number, LedgerCopy>();
      let texts: string[];
      try {
        for (const nodeId of members) copies.set(nodeId, await this.#copyAt(nodeId, 'arrival'));
        texts = [...copies].map(([nodeId, copy]) => countsOf(copy, nodeId));
      } catch (error) {
        if (!isExpected(error)) throw error;
        texts = ['', error.message];
      }
      if (new Set(texts).size === 1) return copies;
      if (isOverdue()) throw new Violation(`ledger: the copies stay apart: ${texts.join(' | ')}`);
      await this.#sleep(500);
    }
  }

  /** In the order of time all give the same, in the end all of it. */
  async #checkOrderOfTime(members: readonly number[], entries: number, isOverdue: () => boolean): Promise<void> {
    for (;;) {
      const orders: string[][] = [];
      for (const nodeId of members) {
        const copy = await this.#copyAt(nodeId, 'time').catch((error: unknown) => {
          if (!isExpected(error)) throw error;
          return [];
        });
        orders.push(copy.map((entry) => `${streamOf(entry)}.${entry.sequence}`));
      }
      const shortest = Math.min(...orders.map(({ length }) => length));
      const texts = new Set(orders.map((order) => order.slice(0, shortest).join()));
      if (texts.size > 1) throw new Violation('ledger: nodes give another order of time');
      if (shortest === entries) return;
      if (isOverdue()) throw new Violation(`ledger: the order of time ends at ${shortest} of ${entries} entries`);
      await this.#sleep(500);
    }
  }

  async #copyAt(nodeId: number, order: 'arrival' | 'time'): Promise<LedgerCopy> {
    const entries: LedgerEntry[] = [];
    let positions: readonly LogPosition[] = [];
    for (;;) {
      const page = await this.#at(nodeId).read(name, {
        allOrigins: true,
        positions,
        order,
        limit: 1_000,
        at: 'contact',
        timeoutMs: 10_000,
      });
      if (page.entries.length === 0) return entries;
      entries.push(...page.entries.map(entryOf));
      positions = page.positions ?? [];
    }
  }

  /** Until it succeeds. */
  async #again(call: () => Promise<unknown>, limitMs: number): Promise<void> {
    const endMs = this.#nowMs + limitMs;
    for (;;) {
      try {
        await call();
        return;
      } catch (error) {
        if (!isExpected(error) || this.#nowMs > endMs) throw error;
        await this.#sleep(200);
      }
    }
  }

  #sleep(ms: number): Promise<void> {
    return delay(this.#parts.clock, ms);
  }

  get #nowMs(): number {
    return this.#parts.clock.monotonicMs();
  }

  #at(nodeId: number): ShanghaiClient['log'] {
    const client = this.#parts.clients.get(nodeId);
    if (client === undefined) throw new RangeError(`there is no client of node ${nodeId}`);
    return client.log;
  }
}

function acknowledged(append: LedgerAppend, { origin, epoch, firstSequence }: LedgerPlace, nowMs: number): void {
  append.outcome = 'acknowledged';
  append.endMs = nowMs;
  append.place = { origin, epoch, firstSequence };
}

function outcomeOf({ code, details }: ClientError): LedgerAppend['outcome'] {
  if (code === 'OUTCOME_UNKNOWN' && details?.['isDurableHere'] === true) return 'durable';
  const isUnknown = code === 'OUTCOME_UNKNOWN' || code === 'DEADLINE_EXCEEDED' || code === 'CANCELLED';
  return isUnknown ? 'unknown' : 'refused';
}

function followed(places: Map<string, number>, entry: LogEntry, nodeId: number): void {
  const stream = streamOf(entry);
  const before = places.get(stream) ?? 0;
  if (entry.sequence !== before + 1) {
    throw new Violation(
      `ledger: who follows at node ${nodeId} is given ${entry.sequence} of ${stream} behind ${before}`,
    );
  }
  places.set(stream, entry.sequence);
}

/** Mostly small; now and then larger than a run that is shipped. */
function drawValue(random: Random, nodeId: number, writer: number, number: number): string {
  const bytes = random.float() < 0.01 ? 40_000 : random.below(200);
  return `${nodeId}.${writer}.${number};${'x'.repeat(bytes)}`;
}

function drawLevel(random: Random): 'local' | 'quorum' | 'all' {
  const draw = random.float();
  return draw < 0.8 ? 'local' : draw < 0.95 ? 'quorum' : 'all';
}

function entryOf({ origin, epoch, sequence, timeMs, value }: LogEntry): LedgerEntry {
  return { origin, epoch, sequence, timeMs, value: new TextDecoder().decode(value) };
}

function countsOf(copy: LedgerCopy, nodeId: number): string {
  return [...sumsOf(copy, `node ${nodeId}`)].map(([stream, { count }]) => `${stream}:${count}`).join(' ');
}

/** Whether a call failed as calls of a broken cluster do. */
function isExpected(error: unknown): error is ClientError {
  return error instanceof ClientError && error.code !== 'INTERNAL_ERROR' && error.code !== 'DATA_CORRUPTED';
}
