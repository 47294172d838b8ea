import { invariant } from '@shanghai/env';
import type { Producer } from '../logs/log-requests.js';
import { type ApplyResult, failed } from './apply-result.js';
import { readU32, readU64, writeU32, writeU64 } from './byte-fields.js';
import { producerKey } from './state-keys.js';
import type { WriteSet } from './write-set.js';

/** Producers a group remembers, over all its logs. */
export const maxProducers = 10_000;

/** Appends of a producer that are answered again when repeated. */
export const rememberedAppends = 5;

/** One append of a producer: its first number, how many records, where they lie in the log. */
export interface SentBatch {
  readonly first: number;
  readonly count: number;
  readonly logFirst: number;
  readonly timeMs: number;
}

interface ProducerState {
  readonly logId: number;
  readonly producerId: number;
  epoch: number;
  lastUsedIndex: number;
  /** Newest last. Never empty. */
  batches: SentBatch[];
  /** In which epoch of this node, as an origin, the batches lie. 0 = it is none. */
  originEpoch: number;
}

const recordVersion = 1;
const headBytes = 44;
const batchBytes = 28;

/** What a group remembers of the producers of its logs. Replicated state, changed by entries only. */
export class ProducerTable {
  /** In the order of last use, oldest first. */
  readonly #producers = new Map<string, ProducerState>();

  load(records: readonly { readonly value: Uint8Array }[]): void {
    const states = records.map(({ value }) => decodeProducer(value));
    states.sort((a, b) => a.lastUsedIndex - b.lastUsedIndex);
    for (const state of states) this.#producers.set(nameOf(state.logId, state.producerId), state);
  }

  /** The epoch a producer is in, and the last append that was accepted; `undefined` where it is not known. */
  lastOf(logId: number, producerId: number): { readonly epoch: number; readonly last: SentBatch } | undefined {
    const state = this.#producers.get(nameOf(logId, producerId));
    return state === undefined ? undefined : { epoch: state.epoch, last: state.batches.at(-1) as SentBatch };
  }

  /** Why the records must not be appended (a repetition, a gap, an old epoch), or `undefined`. */
  judge(logId: number, producer: Producer, count: number, originEpoch = 0): ApplyResult | undefined {
    const state = this.#producers.get(nameOf(logId, producer.producerId));
    if (state !== undefined && producer.epoch < state.epoch) {
      return failed(
        'CONFLICT',
        `producer ${producer.producerId} has begun epoch ${state.epoch}, got ${producer.epoch}`,
        {
          producerEpoch: state.epoch,
        },
      );
    }
    if (state === undefined || producer.epoch > state.epoch) {
      return producer.sequence === 1 ? undefined : wrongSequence(producer, 1);
    }
    const newest = state.batches.at(-1) as SentBatch;
    const expected = newest.first + newest.count;
    if (producer.sequence === expected) return undefined;
    // What was sent alone at first may come again in company, and the other way round.
    const sent = state.batches.find(
      ({ first, count: records }) => producer.sequence >= first && producer.sequence + count <= first + records,
    );
    // What it sent in another epoch of this node has another name than it would be answered with.
    if (sent === undefined || state.originEpoch !== originEpoch) return wrongSequence(producer, expected);
    const firstSequence = sent.logFirst + producer.sequence - sent.first;
    const lastSequence = firstSequence + count - 1;
    const answer = { firstSequence, lastSequence, timeMs: sent.timeMs, duplicate: true } as const;
    return { type: 'logAppended', ...answer, ...(originEpoch === 0 ? {} : { epoch: originEpoch }) };
  }

  /** Remembers an append that was accepted. */
  sent(
    logId: number,
    producer: Producer,
    batch: SentBatch,
    entryIndex: number,
    writes: WriteSet,
    originEpoch = 0,
  ): void {
    const name = nameOf(logId, producer.producerId);
    const known = this.#producers.get(name);
    const goesOn = known?.epoch === producer.epoch && known.originEpoch === originEpoch;
    const batches = goesOn ? [...known.batches, batch].slice(-rememberedAppends) : [batch];
    if (known === undefined && this.#producers.size >= maxProducers) this.#evict(writes);
    const { producerId, epoch } = producer;
    const state: ProducerState = { logId, producerId, epoch, lastUsedIndex: entryIndex, batches, originEpoch };
    this.#producers.delete(name);
    this.#producers.set(name, state);
    writes.put(producerKey(logId, producerId), encodeProducer(state));
  }

  dropLog(logId: number, writes: WriteSet): void {
    for (const [name, state] of this.#producers) {
      if (state.logId !== logId) continue;
      this.#producers.delete(name);
      writes.delete(producerKey(logId, state.producerId));
    }
  }

  #evict(writes: WriteSet): void {
    const oldest = this.#producers.entries().next().value;
    invariant(oldest !== undefined, 'there is no producer to forget');
    this.#producers.delete(oldest[0]);
    writes.delete(producerKey(oldest[1].logId, oldest[1].producerId));
  }
}

function nameOf(logId: number, producerId: number): string {
  return `${logId}/${producerId}`;
}

function wrongSequence(producer: Producer, expected: number): ApplyResult {
  return failed(
    'CONFLICT',
    `producer ${producer.producerId} must go on with sequence ${expected}, got ${producer.sequence}`,
    { expectedSequence: expected },
  );
}

//   0        1..3  4       8            16     24                     32   40     44
//   version  0     log id  producer id  epoch  index of the last use  origin epoch  count  batches: first, log first, time, count
function encodeProducer(state: ProducerState): Buffer {
  const bytes = Buffer.alloc(headBytes + state.batches.length * batchBytes);
  bytes[0] = recordVersion;
  writeU32(bytes, 4, state.logId);
  writeU64(bytes, 8, state.producerId);
  writeU64(bytes, 16, state.epoch);
  writeU64(bytes, 24, state.lastUsedIndex);
  writeU64(bytes, 32, state.originEpoch);
  writeU32(bytes, 40, state.batches.length);
  for (const [i, batch] of state.batches.entries()) {
    const at = headBytes + i * batchBytes;
    writeU64(bytes, at, batch.first);
    writeU64(bytes, at + 8, batch.logFirst);
    writeU64(bytes, at + 16, batch.timeMs);
    writeU32(bytes, at + 24, batch.count);
  }
  return bytes;
}

function decodeProducer(bytes: Uint8Array): ProducerState {
  invariant(bytes.length >= headBytes && bytes[0] === recordVersion, 'a producer record of an unknown version');
  const count = readU32(bytes, 40);
  invariant(bytes.length === headBytes + count * batchBytes && count > 0, 'a producer record of the wrong length');
  const batches: SentBatch[] = [];
  for (let i = 0; i < count; i++) {
    const at = headBytes + i * batchBytes;
    batches.push({
      first: readU64(bytes, at),
      logFirst: readU64(bytes, at + 8),
      timeMs: readU64(bytes, at + 16),
      count: readU32(bytes, at + 24),
    });
  }
  return {
    logId: readU32(bytes, 4),
    producerId: readU64(bytes, 8),
    epoch: readU64(bytes, 16),
    lastUsedIndex: readU64(bytes, 24),
    originEpoch: readU64(bytes, 32),
    batches,
  };
}
