/**
 * How far the consumers of logs that every node writes have come: a fold over the upkeep log, on every node by itself.
 *
 * What is said of a consumer is joined, so that it does not matter in which order, how often or by which way it comes: the higher
 * generation counts, of two seeks that began the same number the one with the later stamp, and within a generation of every
 * stream the higher sequence. So no commit undoes a seek, and none is lost to another. A deletion is a generation of its
 * own without positions; so many of them are remembered, that what is still on its way is known for old.
 */
import { compareHlc } from '@shanghai/replication';
import { maxConsumers, mergedPositions } from './consumer-table.js';
import { sharedConsumerKey } from './state-keys.js';
import { decodeUpkeepEntry, encodeUpkeepEntry, type GenerationBegin, type SharedConsumer } from './upkeep-entry.js';
import type { WriteSet } from './write-set.js';

/** The consumers of an own group. */
export class SharedConsumers {
  readonly #logs = new Map<number, Map<string, SharedConsumer>>();
  /** In the order in which they were heard of. */
  readonly #deleted = new Set<SharedConsumer>();
  #count = 0;

  load(records: readonly { readonly value: Uint8Array }[]): void {
    for (const { value } of records) {
      const entry = decodeUpkeepEntry(value);
      if (entry.type === 'consumer') this.#set(entry.consumer);
    }
  }

  /** Those that are not deleted. */
  get count(): number {
    return this.#count - this.#deleted.size;
  }

  /** One that was deleted among them. */
  known(logId: number, name: string): SharedConsumer | undefined {
    return this.#logs.get(logId)?.get(name);
  }

  get(logId: number, name: string): SharedConsumer | undefined {
    const known = this.known(logId, name);
    return known?.isDeleted === true ? undefined : known;
  }

  /** Those of a log, in order of their names. */
  list(logId: number): SharedConsumer[] {
    const all = [...(this.#logs.get(logId)?.values() ?? [])].filter(({ isDeleted }) => !isDeleted);
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Logs of which anything is known. */
  logIds(): number[] {
    return [...this.#logs.keys()];
  }

  /** All that is known, deletions among it. */
  *all(): IterableIterator<SharedConsumer> {
    for (const consumers of this.#logs.values()) yield* consumers.values();
  }

  /** Joins what was said with what is known. */
  join(said: SharedConsumer, writes: WriteSet): void {
    const known = this.known(said.logId, said.name);
    const joined = known === undefined ? said : joinedConsumer(known, said);
    if (joined === known) return;
    this.#set(joined);
    writes.put(sharedConsumerKey(said.logId, said.name), encodeConsumer(joined));
    if (this.#deleted.size > maxConsumers) this.#forgetDeletion(writes);
  }

  dropLog(logId: number, writes: WriteSet): void {
    for (const consumer of [...(this.#logs.get(logId)?.values() ?? [])]) this.#forget(consumer, writes);
    this.#logs.delete(logId);
  }

  #set(consumer: SharedConsumer): void {
    const { logId, name } = consumer;
    let log = this.#logs.get(logId);
    if (log === undefined) {
      log = new Map();
      this.#logs.set(logId, log);
    }
    const before = log.get(name);
    if (before === undefined) this.#count++;
    else this.#deleted.delete(before);
    log.set(name, consumer);
    if (consumer.isDeleted) this.#deleted.add(consumer);
  }

  #forgetDeletion(writes: WriteSet): void {
    const [oldest] = this.#deleted;
    if (oldest !== undefined) this.#forget(oldest, writes);
  }

  #forget(consumer: SharedConsumer, writes: WriteSet): void {
    const { logId, name } = consumer;
    if (this.#logs.get(logId)?.delete(name) !== true) return;
    this.#count--;
    this.#deleted.delete(consumer);
    writes.delete(sharedConsumerKey(logId, name));
  }
}

/** A record of the state. */
export function encodeConsumer(consumer: SharedConsumer): Buffer {
  return encodeUpkeepEntry({ type: 'consumer', consumer, beginsHere: false });
}

/** The later of two generations, or what they say together where they are the same. `known` itself where nothing is new. */
export function joinedConsumer(known: SharedConsumer, said: SharedConsumer): SharedConsumer {
  const order = known.generation - said.generation || compareBegins(known.begin, said.begin);
  if (order !== 0) return order > 0 ? known : said;
  const positions = mergedPositions(known.positions, said.positions);
  const isNew = positions.some(({ sequence }, i) => sequence !== known.positions[i]?.sequence);
  if (!isNew && positions.length === known.positions.length && said.committedAtMs <= known.committedAtMs) return known;
  return {
    ...known,
    isDeleted: known.isDeleted || said.isDeleted,
    committedAtMs: Math.max(known.committedAtMs, said.committedAtMs),
    positions,
  };
}

/** Whether two generations are the same one. */
export function isSameGeneration(a: SharedConsumer, b: Pick<SharedConsumer, 'generation' | 'begin'>): boolean {
  return a.generation === b.generation && compareBegins(a.begin, b.begin) === 0;
}

function compareBegins(a: GenerationBegin, b: GenerationBegin): number {
  return compareHlc(a.hlc, b.hlc) || a.origin - b.origin;
}
