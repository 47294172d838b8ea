/**
 * How far the consumers of a group's logs have come. Replicated state, changed by entries only.
 *
 * A position is a vector: for each origin and epoch the last sequence that is behind the consumer. Commits may arrive out
 * of order and twice, so within a generation they are merged by maximum. Going back is a seek, which begins a new
 * generation: a commit that names an older one, from a reader that has not heard of the seek, is refused.
 */
import { invariant } from '@shanghai/env';
import { type ApplyResult, failed } from './apply-result.js';
import { readU32, readU64, writeU32, writeU64 } from './byte-fields.js';
import { consumerKey } from './state-keys.js';
import type { WriteSet } from './write-set.js';

/** Consumers a group remembers, over all its logs. One more is refused: which of them is needed no program can know. */
export const maxConsumers = 10_000;

/** Origins and epochs in one position. */
export const maxPositions = 1_024;

/** A place in an origin's log: everything up to `sequence` is behind its owner. */
export interface LogPosition {
  readonly origin: number;
  readonly epoch: number;
  readonly sequence: number;
}

/** A consumer of a log. `positions` are in the order of origin and epoch. */
export interface ConsumerState {
  readonly logId: number;
  readonly name: string;
  readonly generation: number;
  readonly committedAtMs: number;
  readonly positions: readonly LogPosition[];
}

const recordVersion = 1;
const headBytes = 32;
const positionBytes = 24;

/** The consumers of one group's logs. */
export class ConsumerTable {
  readonly #logs = new Map<number, Map<string, ConsumerState>>();
  #count = 0;

  load(records: readonly { readonly value: Uint8Array }[]): void {
    for (const { value } of records) this.#set(decodeConsumer(value));
  }

  get(logId: number, name: string): ConsumerState | undefined {
    return this.#logs.get(logId)?.get(name);
  }

  /** Those of a log, in order of their names. */
  list(logId: number): ConsumerState[] {
    return [...(this.#logs.get(logId)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Merges positions into a consumer's, which begins with its first commit. `generation` 0: the present one. */
  commit(
    logId: number,
    name: string,
    generation: number,
    positions: readonly LogPosition[],
    timeMs: number,
    writes: WriteSet,
  ): ApplyResult {
    const known = this.get(logId, name);
    const present = known?.generation ?? 1;
    if (generation !== 0 && generation !== present) {
      return failed(
        'CONFLICT',
        `consumer '${name}' is in generation ${present}, the commit names ${generation}: it was put elsewhere meanwhile`,
        { generation: present },
      );
    }
    if (known === undefined && this.#count >= maxConsumers) return tooMany(name);
    const merged = mergedPositions(known?.positions ?? [], positions);
    if (merged.length > maxPositions) return tooLong(name, merged.length);
    return this.#put({ logId, name, generation: present, committedAtMs: timeMs, positions: merged }, known, writes);
  }

  /** Puts a consumer elsewhere: in the place of what it had, in a new generation. */
  seek(logId: number, name: string, positions: readonly LogPosition[], timeMs: number, writes: WriteSet): ApplyResult {
    const known = this.get(logId, name);
    if (known === undefined && this.#count >= maxConsumers) return tooMany(name);
    const sorted = mergedPositions([], positions);
    if (sorted.length > maxPositions) return tooLong(name, sorted.length);
    const generation = (known?.generation ?? 0) + 1;
    return this.#put({ logId, name, generation, committedAtMs: timeMs, positions: sorted }, known, writes);
  }

  delete(logId: number, name: string, writes: WriteSet): void {
    const known = this.get(logId, name);
    if (known === undefined) return;
    this.#logs.get(logId)?.delete(name);
    this.#count--;
    writes.delete(consumerKey(logId, name));
  }

  dropLog(logId: number, writes: WriteSet): void {
    for (const { name } of this.list(logId)) this.delete(logId, name, writes);
    this.#logs.delete(logId);
  }

  #put(state: ConsumerState, earlier: ConsumerState | undefined, writes: WriteSet): ApplyResult {
    this.#set(state);
    writes.put(consumerKey(state.logId, state.name), encodeConsumer(state));
    const { generation, positions } = state;
    return { type: 'consumer', generation, positions, earlierPositions: earlier?.positions ?? [] };
  }

  #set(state: ConsumerState): void {
    let log = this.#logs.get(state.logId);
    if (log === undefined) {
      log = new Map();
      this.#logs.set(state.logId, log);
    }
    if (!log.has(state.name)) this.#count++;
    log.set(state.name, state);
  }
}

/** Of each origin and epoch the higher sequence, in their order. */
export function mergedPositions(a: readonly LogPosition[], b: readonly LogPosition[]): LogPosition[] {
  const merged = new Map<string, LogPosition>();
  for (const position of [...a, ...b]) {
    const place = `${position.origin}/${position.epoch}`;
    const known = merged.get(place);
    if (known === undefined || known.sequence < position.sequence) merged.set(place, position);
  }
  return [...merged.values()].sort((x, y) => x.origin - y.origin || x.epoch - y.epoch);
}

function tooMany(name: string): ApplyResult {
  return failed(
    'RESOURCE_EXHAUSTED',
    `consumer '${name}' would be one more than the ${maxConsumers} allowed; delete some`,
  );
}

function tooLong(name: string, count: number): ApplyResult {
  return failed(
    'INVALID_REQUEST',
    `consumer '${name}' would have ${count} positions, at most ${maxPositions} are kept`,
  );
}

//   0        1..3  4       8           16         24              28
//   version  0     log id  generation  committed  name's length   positions   name, then positions: origin, epoch, sequence
function encodeConsumer(state: ConsumerState): Buffer {
  const name = Buffer.from(state.name);
  const bytes = Buffer.alloc(headBytes + name.length + state.positions.length * positionBytes);
  bytes[0] = recordVersion;
  writeU32(bytes, 4, state.logId);
  writeU64(bytes, 8, state.generation);
  writeU64(bytes, 16, state.committedAtMs);
  writeU32(bytes, 24, name.length);
  writeU32(bytes, 28, state.positions.length);
  bytes.set(name, headBytes);
  let at = headBytes + name.length;
  for (const { origin, epoch, sequence } of state.positions) {
    writeU64(bytes, at, origin);
    writeU64(bytes, at + 8, epoch);
    writeU64(bytes, at + 16, sequence);
    at += positionBytes;
  }
  return bytes;
}

/**
 * A consumer's record in the state of another cluster, made from this one: its position is the same in the log's next epoch,
 * and readers of the old cluster are told that they are elsewhere.
 */
export function consumerElsewhere(record: Uint8Array): Uint8Array {
  const state = decodeConsumer(record);
  // Logs in mode quorum have origin 0; the epochs of nodes are the nodes' matter.
  const positions = state.positions.map((each) => (each.origin === 0 ? { ...each, epoch: each.epoch + 1 } : each));
  return encodeConsumer({ ...state, generation: state.generation + 1, positions });
}

function decodeConsumer(bytes: Uint8Array): ConsumerState {
  invariant(bytes.length >= headBytes && bytes[0] === recordVersion, 'a consumer record of an unknown version');
  const nameBytes = readU32(bytes, 24);
  const count = readU32(bytes, 28);
  invariant(
    bytes.length === headBytes + nameBytes + count * positionBytes,
    `a consumer record of ${bytes.length} bytes with a name of ${nameBytes} and ${count} positions`,
  );
  const positions: LogPosition[] = [];
  for (let at = headBytes + nameBytes; at < bytes.length; at += positionBytes) {
    positions.push({ origin: readU64(bytes, at), epoch: readU64(bytes, at + 8), sequence: readU64(bytes, at + 16) });
  }
  return {
    logId: readU32(bytes, 4),
    name: Buffer.from(bytes.subarray(headBytes, headBytes + nameBytes)).toString(),
    generation: readU64(bytes, 8),
    committedAtMs: readU64(bytes, 16),
    positions,
  };
}
