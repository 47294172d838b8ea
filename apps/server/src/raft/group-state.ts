/**
 * A group's replicated state on this node as consensus sees it: the store that is the group's now, and the state machine
 * over it. A snapshot from another node puts others in their place, so nobody keeps `store` or `machine` across a wait;
 * the ring of changes alone stays, and tells its watchers.
 */
import type { Entry, StateMachine as ReplicatedState, Snapshot, SnapshotMetadata, StateSnapshot } from '@shanghai/raft';
import type { ApplyResult } from '../apply/apply-result.js';
import type { ChangeRing } from '../apply/change-ring.js';
import type { StateMachine } from '../apply/state-machine.js';
import type { StorageEngine } from '../engine/storage-engine.js';
import type { CommandApplier, CommittedEntry } from './command-log.js';
import { type GroupStore, type GroupStoreOptions, openGroupStore } from './open-group-store.js';

/** What a group's state is opened with. */
export interface GroupStateOptions extends GroupStoreOptions {
  /** `groups/` of the data directory. */
  readonly directory: string;
}

/** The state of one group. */
export class GroupState implements ReplicatedState<ApplyResult> {
  readonly groupId: number;
  /** The last changes; the same ring whatever state is put in. */
  readonly changes: ChangeRing;
  /** As whom commands without consensus are applied. */
  readonly applier: CommandApplier<ApplyResult>;
  #current: GroupStore;
  /** Checkpoints and what replaces the store come one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: GroupStateOptions, opened: GroupStore) {
    this.groupId = options.groupId;
    this.changes = opened.machine.changes;
    this.#current = opened;
    const machine = () => this.machine;
    this.applier = {
      apply: (entries) => machine().apply(entries),
      get waitsForSpace() {
        return machine().waitsForSpace;
      },
    };
  }

  /** Opens the group's store, making it where there is none. Rejects as `openGroupStore` does. */
  static async open(options: GroupStateOptions): Promise<GroupState> {
    return new GroupState(options, await openGroupStore(options, `${options.directory}/${options.groupId}`));
  }

  /** Not to be kept across a wait. */
  get store(): StorageEngine {
    return this.#current.store;
  }

  /** Not to be kept across a wait. */
  get machine(): StateMachine {
    return this.#current.machine;
  }

  get appliedIndex(): number {
    return this.machine.visible.appliedIndex;
  }

  /** Whether applying waits for space on the disk. */
  get waitsForSpace(): boolean {
    return this.machine.waitsForSpace;
  }

  /** From now on a full disk is waited out; see `StateMachine.beginServing`. */
  beginServing(): void {
    this.machine.beginServing();
  }

  async apply(entries: readonly Entry[]): Promise<readonly (ApplyResult | undefined)[]> {
    const held = this.appliedIndex;
    const results = await this.machine.apply(entries.map(committed));
    if (entries.length === 0 || (entries[0] as Entry).index > held) return results;
    return results.map((result, i) => ((entries[i] as Entry).index <= held ? undefined : result));
  }

  async snapshot(_metadata: SnapshotMetadata): Promise<StateSnapshot> {
    throw new Error(`group ${this.groupId} cannot be sent to another node by this version`);
  }

  async restore(_snapshot: Snapshot): Promise<void> {
    throw new Error(`group ${this.groupId} cannot be put in from another node by this version`);
  }

  /**
   * Makes what is applied durable. `syncOthers` syncs what the group keeps outside its store and resolves to the first
   * entry it could not take (infinite: it took all). Resolves to the last entry that is durable without the log.
   */
  checkpoint(syncOthers: () => Promise<number>): Promise<number> {
    return this.#inTurn(async () => {
      const { store, machine } = this.#current;
      const { appliedIndex } = machine.visible;
      const [, unstoredFrom] = await Promise.all([store.checkpoint(), syncOthers()]);
      const index = Math.min(appliedIndex, unstoredFrom - 1);
      await machine.forgetNotes(index);
      return index;
    });
  }

  /** Ends waiting for space, and closes the store. Idempotent. */
  async close(): Promise<void> {
    this.machine.stop();
    await this.#last;
    await this.store.close();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

/** Changes of the configuration are the host's: here they only move the index, as entries without data do. */
function committed({ index, term, type, data }: Entry): CommittedEntry {
  return { index, term, command: type === 'EntryNormal' && data.length > 0 ? data : undefined };
}
