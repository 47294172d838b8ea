/**
 * A named log as a queue of work: one appends; consumers read on from where they have come to, commit that, now and then go
 * elsewhere, and begin anew from what the log has of them; a rival commits what is long behind one of them.
 */
import { ClientError, type LogConsumer, type ShanghaiClient } from '@shanghai/client';
import { type Clock, delay, type Random } from '@shanghai/env';
import { Violation } from '../../raft/truth.js';
import type { VirtualWorld } from '../virtual-world.js';
import { ConsumerModel, type SaidPlace } from './consumer-model.js';

/** What a queue is worked on with. */
export interface WorkQueueParts {
  readonly world: Pick<VirtualWorld, 'trace'>;
  readonly random: Random;
  readonly clock: Clock;
  /** The first appends, and is the rival; each other one is a consumer. */
  readonly clients: readonly ShanghaiClient[];
  readonly meanPauseMs: number;
  count(what: string): void;
}

const name = 'work';

/** See above. */
export class WorkQueue {
  readonly #parts: WorkQueueParts;
  readonly #models = new Map<string, ConsumerModel>();
  /** The last sequence that was acknowledged. */
  #last = 0;
  #isStopped = false;

  constructor(parts: WorkQueueParts) {
    this.#parts = parts;
  }

  /** Works until it is stopped. Rejects with a `Violation`. */
  async run(): Promise<void> {
    const { clients } = this.#parts;
    const [first, ...consumers] = clients as readonly [ShanghaiClient, ...ShanghaiClient[]];
    await this.#insist(() => first.log.create(name));
    const names = consumers.map((_, i) => `consumer-${i + 1}`);
    for (const consumer of names) this.#models.set(consumer, new ConsumerModel(consumer));
    await Promise.all([
      this.#append(first),
      this.#rival(first, names[0] as string),
      ...consumers.map((client, i) => this.#consume(client, names[i] as string)),
    ]);
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Everybody reads to the end and says so: nothing is left to do, and the log knows it. Throws a `Violation`. */
  async check(): Promise<void> {
    const [client] = this.#parts.clients as readonly [ShanghaiClient];
    for (const [consumer, model] of this.#models) {
      const found = await this.#insist(() => client.log.consumers.get(name, consumer));
      model.sees(placeOf(found));
      const { lastSequence } = await this.#insist(() => client.log.read(name, { from: { last: 1 } }));
      if (lastSequence < this.#last) throw new Violation(`work: it ends at ${lastSequence}, ${this.#last} was told`);
      const generation = found?.generation ?? 0;
      model.tries(lastSequence, generation);
      const done = await this.#insist(() => client.log.consumers.commit(name, consumer, lastSequence, { generation }));
      model.committed(lastSequence, placeIn(done));
    }
    const all = await this.#insist(() => client.log.consumers.list(name));
    if (all.length !== this.#models.size)
      throw new Violation(`work: there are consumers ${all.map((one) => one.name)}`);
    for (const consumer of all) {
      this.#models.get(consumer.name)?.sees(placeOf(consumer));
      const [lag] = consumer.lags;
      if (lag?.entries !== 0) throw new Violation(`work: ${consumer.name} at the end lacks ${lag?.entries} entries`);
    }
  }

  async #append(client: ShanghaiClient): Promise<void> {
    const { random, clock, meanPauseMs } = this.#parts;
    for (let next = 1; !this.#isStopped; ) {
      const values = Array.from({ length: 1 + random.below(4) }, (_, i) => `job ${next + i}`);
      const producer = { producerId: 1, epoch: 1, sequence: next };
      const { lastSequence } = await this.#insist(() => client.log.append(name, values, { producer }));
      this.#last = Math.max(this.#last, lastSequence);
      next += values.length;
      await delay(clock, random.float() * 2 * meanPauseMs);
    }
  }

  /** What it commits is behind: within a generation that must change nothing. */
  async #rival(client: ShanghaiClient, consumer: string): Promise<void> {
    const { random, clock, meanPauseMs } = this.#parts;
    const model = this.#models.get(consumer) as ConsumerModel;
    while (!this.#isStopped) {
      await delay(clock, random.float() * 4 * meanPauseMs);
      if (model.generation === 0) continue;
      const sequence = random.below(3);
      model.tries(sequence, 0);
      await this.#attempt('rival', async () => {
        const place = placeIn(await client.log.consumers.commit(name, consumer, sequence));
        // Others went on meanwhile: only that it does not go back can be said.
        if (place.sequence < sequence) throw new Violation(`consumer ${consumer}: ${sequence} gave ${place.sequence}`);
      });
    }
  }

  async #consume(client: ShanghaiClient, consumer: string): Promise<void> {
    const { random, clock, meanPauseMs, count } = this.#parts;
    const model = this.#models.get(consumer) as ConsumerModel;
    let place: SaidPlace | undefined;
    while (!this.#isStopped) {
      await delay(clock, random.float() * 2 * meanPauseMs);
      const draw = random.float();
      const known = place;
      const isDone = await this.#attempt('consumer', async () => {
        if (known === undefined || draw < 0.15) {
          const found = placeOf(await client.log.consumers.get(name, consumer));
          model.sees(found);
          place = found ?? { generation: 0, sequence: 0 };
        } else if (draw < 0.3 && known.generation > 0) {
          place = await this.#seek(client, consumer, random.below(known.sequence + 1));
        } else place = await this.#work(client, consumer, known);
      });
      // It begins anew, as one that crashed.
      if (!isDone) {
        place = undefined;
        count('consumers begun anew');
      }
    }
  }

  async #work(client: ShanghaiClient, consumer: string, { generation, sequence }: SaidPlace): Promise<SaidPlace> {
    const { random, count } = this.#parts;
    const model = this.#models.get(consumer) as ConsumerModel;
    const page = await client.log.read(name, { from: sequence + 1, limit: 1 + random.below(8) });
    for (const [i, entry] of page.entries.entries()) {
      if (entry.sequence !== sequence + 1 + i) {
        throw new Violation(`work: entry ${entry.sequence} comes as ${sequence + 1 + i}`);
      }
    }
    const reached = page.entries.at(-1)?.sequence ?? sequence;
    if (reached === 0) return { generation, sequence };
    model.tries(reached, generation);
    const place = placeIn(await client.log.consumers.commit(name, consumer, reached, { generation }));
    model.committed(reached, place);
    count('positions committed');
    // Only its own reading takes it further, whatever a rival did.
    return { generation: place.generation, sequence: Math.max(reached, sequence) };
  }

  async #seek(client: ShanghaiClient, consumer: string, sequence: number): Promise<SaidPlace> {
    const model = this.#models.get(consumer) as ConsumerModel;
    try {
      const place = placeIn(await client.log.consumers.seek(name, consumer, { positions: [{ sequence }] }));
      model.sought(sequence, place);
      this.#parts.count('seeks');
      return place;
    } catch (error) {
      if (error instanceof ClientError && error.code === 'OUTCOME_UNKNOWN') model.mayHaveSought(sequence);
      throw error;
    }
  }

  /** Whether it was done. Throws what is no failure of a cluster that is broken. */
  async #attempt(what: string, act: () => Promise<void>): Promise<boolean> {
    try {
      await act();
      return true;
    } catch (error) {
      if (!isExpected(error)) throw error;
      this.#parts.count(`${what} ${error.code}`);
      this.#parts.world.trace(() => `${what}: ${error.code} ${error.message}`);
      return false;
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

function placeOf(consumer: LogConsumer | undefined): SaidPlace | undefined {
  return consumer === undefined ? undefined : placeIn(consumer);
}

function placeIn({ generation, positions }: Pick<LogConsumer, 'generation' | 'positions'>): SaidPlace {
  return { generation, sequence: positions[0]?.sequence ?? 0 };
}

function isExpected(error: unknown): error is ClientError {
  // What it commits it has read, so it is there: nothing it names is out of range.
  return error instanceof ClientError && error.code !== 'INTERNAL_ERROR' && error.code !== 'OUT_OF_RANGE';
}
