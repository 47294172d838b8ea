/** The upkeep log in an own group: what its entries say is folded in the step that brings them, on every node alike. */
import { readHlc } from './hlc-field.js';
import { readLogRecord } from './log-record-codec.js';
import { SharedConsumers } from './shared-consumers.js';
import { statePrefix } from './state-keys.js';
import { readStatePart } from './state-part.js';
import type { StateStore } from './state-store.js';
import { type StreamRun, splitRun } from './stream-run.js';
import type { StreamTable } from './stream-table.js';
import { decodeUpkeepEntry, type GenerationBegin, type UpkeepEntry, upkeepLogId } from './upkeep-entry.js';
import type { WriteSet } from './write-set.js';

/** Bytes of an entry of a stream before its record: version, flags, stamp. Entries of the upkeep log have no producer. */
const entryHeadBytes = 10;

/** What the upkeep log says. */
export class UpkeepFold {
  readonly consumers = new SharedConsumers();
  readonly #streams: StreamTable;
  /** Entries that could not be read: of a newer program. */
  unreadable = 0;

  constructor(streams: StreamTable) {
    this.#streams = streams;
  }

  async load(store: StateStore): Promise<void> {
    this.consumers.load(await readStatePart(store, statePrefix.sharedConsumer));
    this.#streams.floors.load(await readStatePart(store, statePrefix.trimFloor));
  }

  /** Things that it knows, as many entries as say them all. */
  get size(): number {
    return [...this.consumers.all()].length + this.#streams.floors.count;
  }

  /** Logs of which it knows something. */
  logIds(): number[] {
    return [...this.consumers.logIds(), ...[...this.#streams.floors.all()].map(({ stream }) => stream.logId)];
  }

  /** Folds the entries of a run from the `skip`-th on, where it is the upkeep log's. */
  fold({ stream, count, bytes }: StreamRun, skip: number, writes: WriteSet): void {
    if (stream.logId !== upkeepLogId) return;
    for (const bytesOfOne of splitRun({ bytes, count }, skip)) {
      const entry = this.#entryOf(bytesOfOne);
      if (entry !== undefined) this.#foldOne(entry, { hlc: readHlc(bytesOfOne, 2), origin: stream.origin }, writes);
    }
  }

  dropLog(logId: number, writes: WriteSet): void {
    this.consumers.dropLog(logId, writes);
    this.#streams.floors.dropLog(logId, writes);
  }

  #foldOne(entry: UpkeepEntry, stamp: GenerationBegin, writes: WriteSet): void {
    if (entry.type === 'consumer') {
      const { consumer, beginsHere } = entry;
      if (this.#streams.isDropped(consumer.logId)) return;
      this.consumers.join(beginsHere ? { ...consumer, begin: stamp } : consumer, writes);
      return;
    }
    const { logId, positions } = entry;
    if (this.#streams.isDropped(logId)) return;
    for (const { origin, epoch, sequence } of positions) {
      this.#streams.raiseFloor({ logId, origin, epoch }, sequence + 1, writes);
    }
  }

  #entryOf(bytes: Uint8Array): UpkeepEntry | undefined {
    try {
      return decodeUpkeepEntry(readLogRecord(bytes.subarray(entryHeadBytes)).value);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.unreadable++;
      return undefined;
    }
  }
}
