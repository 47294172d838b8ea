import {
  decodeConfChange,
  type Entry,
  emptyConfState,
  type HardState,
  isEmptyHardState,
  type Message,
  noData,
  type RaftOptions,
  RawNode,
  type Snapshot,
} from '@shanghai/raft';
import { MemoryLogStorage } from '@shanghai/raft/testing';

/** A node of a trace with its storage, its state machine (all data it ever applied, one behind the other) and its pending work. */
export class ScriptedNode {
  readonly storage: ScriptedStorage;
  readonly raft: RawNode;
  readonly isAsync: boolean;
  readonly appendWork: Message[] = [];
  readonly applyWork: Message[] = [];

  constructor(options: Omit<RaftOptions, 'storage'>, origin: Snapshot | undefined) {
    this.storage = new ScriptedStorage(origin);
    this.isAsync = options.asyncStorageWrites === true;
    const applied = origin === undefined ? {} : { applied: origin.metadata.index };
    this.raft = new RawNode({ ...options, ...applied, storage: this.storage });
  }

  /** Writes what is to be written. */
  append(hardState: HardState, entries: readonly Entry[], snapshot: Snapshot | undefined): void {
    if (!isEmptyHardState(hardState)) this.storage.setHardState(hardState);
    if (snapshot === undefined) {
      this.storage.append(entries);
      return;
    }
    if (entries.length > 0) throw new Error("can't apply snapshot and entries at the same time");
    this.storage.applySnapshot(snapshot);
    this.storage.history.push(snapshot);
  }

  /** Applies entries, each of which makes a new state. */
  apply(entries: readonly Entry[]): void {
    for (const { type, data, index, term } of entries) {
      const before = this.storage.history.at(-1) as Snapshot;
      let added = data;
      let { confState } = before.metadata;
      if (type !== 'EntryNormal') {
        const change = decodeConfChange(data);
        added = change.context ?? noData;
        confState = this.raft.applyConfChange(change);
      }
      const metadata = { index, term, confState };
      this.storage.history.push({ metadata, data: Buffer.concat([before.data, added]) });
    }
  }
}

/** A log in memory whose snapshot is always the newest state. */
export class ScriptedStorage extends MemoryLogStorage {
  readonly history: Snapshot[] = [];

  constructor(origin: Snapshot | undefined) {
    super();
    if (origin !== undefined) this.applySnapshot(origin);
    this.history.push(origin ?? { metadata: { index: 0, term: 0, confState: emptyConfState }, data: noData });
  }

  override snapshot(): Snapshot {
    return this.history.at(-1) as Snapshot;
  }
}
