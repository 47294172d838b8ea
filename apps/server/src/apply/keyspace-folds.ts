/**
 * The keyspaces of mode multi-master in an own group: what its commands bring to the log of one is folded into its rows, in
 * the same batch that makes it the group's. Time is the group's log time, so a replay folds as it was folded.
 */
import { decodeOperation, KeyspaceFold, ReplicationError } from '@shanghai/replication';
import { FoldStore } from './fold-store.js';
import { readHlc } from './hlc-field.js';
import type { KeyspaceSettleCommand } from './keyspace-command.js';
import { keyspaceOfKey, rowKey } from './keyspace-keys.js';
import { keyspaceOfLog } from './keyspace-log.js';
import { readLogRecord } from './log-record-codec.js';
import { statePrefix } from './state-keys.js';
import { readStatePart } from './state-part.js';
import type { StateStore } from './state-store.js';
import { type StreamRun, splitRun } from './stream-run.js';
import type { WriteSet } from './write-set.js';

/** Bytes of an entry of a stream before its record: version, flags, stamp. Entries of keyspaces have no producer. */
const entryHeadBytes = 10;

/** All keyspaces of an own group. */
export class KeyspaceFolds {
  readonly #stores = new Map<number, FoldStore>();
  /** Those that a run has begun to change. */
  readonly #open = new Set<FoldStore>();
  /** Entries that were no operations: of a newer program, or none of ours. */
  unreadable = 0;

  async load(store: StateStore): Promise<void> {
    for (const { key, value } of await readStatePart(store, statePrefix.keyspace)) {
      this.#storeOf(keyspaceOfKey(key)).loadState(value);
    }
    for (const record of await readStatePart(store, statePrefix.keyspaceHeld)) {
      this.#storeOf(keyspaceOfKey(record.key)).loadHeld(record);
    }
    for (const record of await readStatePart(store, statePrefix.keyspaceVerdict)) {
      this.#storeOf(keyspaceOfKey(record.key)).loadVerdict(record);
    }
    for (const record of await readStatePart(store, statePrefix.keyspaceLost)) {
      this.#storeOf(keyspaceOfKey(record.key)).loadLost(record);
    }
  }

  /** What is known of a keyspace beside its rows. */
  get(keyspaceId: number): FoldStore | undefined {
    return this.#stores.get(keyspaceId);
  }

  ids(): number[] {
    return [...this.#stores.keys()];
  }

  /** Rows that a settling looks at. */
  keysRead({ keyspaceId, keys }: KeyspaceSettleCommand): Buffer[] {
    return keys.map((key) => rowKey(keyspaceId, key));
  }

  /** Folds the entries of a run from the `skip`-th on, where it is a keyspace's. `self`: this node. */
  fold({ stream, firstSequence, count, bytes }: StreamRun, skip: number, self: number, at: FoldTime): void {
    const keyspaceId = keyspaceOfLog(stream.logId);
    if (keyspaceId === undefined) return;
    const fold = this.#foldOf(keyspaceId, self, at.writes);
    const { origin, epoch } = stream;
    for (const [i, entry] of splitRun({ bytes, count }, skip).entries()) {
      const stamp = { hlc: readHlc(entry, 2), origin, epoch, sequence: firstSequence + skip + i };
      const operation = this.#operationOf(entry);
      if (operation !== undefined) fold.fold({ stamp, operation }, at.nowMs);
    }
  }

  /** Folds what was held until now. */
  advance(self: number, at: FoldTime): void {
    for (const [keyspaceId, store] of this.#stores) {
      if (store.firstHeld() !== undefined) this.#foldOf(keyspaceId, self, at.writes).advance(at.nowMs);
    }
  }

  settle({ keyspaceId, stable, keys }: KeyspaceSettleCommand, self: number, { writes }: FoldTime): void {
    const fold = this.#foldOf(keyspaceId, self, writes);
    fold.raiseFloor(stable);
    fold.settle(keys, stable);
  }

  /** Ends a run: what is written once a run goes into its writes. */
  end(): void {
    for (const store of this.#open) store.end();
    this.#open.clear();
  }

  #operationOf(entry: Uint8Array) {
    try {
      return decodeOperation(readLogRecord(entry.subarray(entryHeadBytes)).value);
    } catch (error) {
      if (!(error instanceof ReplicationError || error instanceof RangeError)) throw error;
      this.unreadable++;
      return undefined;
    }
  }

  #foldOf(keyspaceId: number, self: number, writes: WriteSet): KeyspaceFold {
    const store = this.#storeOf(keyspaceId);
    if (!this.#open.has(store)) {
      store.begin(writes);
      this.#open.add(store);
    }
    return new KeyspaceFold({ self, store });
  }

  #storeOf(keyspaceId: number): FoldStore {
    let store = this.#stores.get(keyspaceId);
    if (store === undefined) {
      store = new FoldStore(keyspaceId);
      this.#stores.set(keyspaceId, store);
    }
    return store;
  }
}

/** When something is folded, and where its changes go. */
export interface FoldTime {
  readonly writes: WriteSet;
  /** The group's log time. */
  readonly nowMs: number;
}
