/**
 * A group's replicated state on this node as consensus sees it: the store that is the group's now, and the state machine
 * over it. A snapshot from another node puts others in their place, so nobody keeps `store` or `machine` across a wait;
 * the ring of changes alone stays, and tells its watchers.
 *
 * Where things lie, and what a crash leaves, is said in docs/formats/group-snapshot.md.
 */
import { delay } from '@shanghai/env';
import type {
  Entry,
  StateMachine as ReplicatedState,
  Snapshot,
  SnapshotMetadata,
  SnapshotSink,
  StateSnapshot,
} from '@shanghai/raft';
import type { ApplyResult } from '../apply/apply-result.js';
import type { ChangeRing } from '../apply/change-ring.js';
import { isDiskFull } from '../apply/disk-full.js';
import type { GroupCounters } from '../apply/group-counters.js';
import type { StateMachine } from '../apply/state-machine.js';
import type { StorageEngine } from '../engine/storage-engine.js';
import { removeIfPresent } from '../logs/remove-tree.js';
import { ApplyBoundary } from './apply-boundary.js';
import type { CommittedEntry } from './command-log.js';
import { GroupDirectories } from './group-directories.js';
import { groupLogIds, groupLogImages } from './group-log-images.js';
import { GroupSnapshotError } from './group-snapshot-error.js';
import { gatheredSnapshot, IncomingSnapshot } from './incoming-snapshot.js';
import { type GroupStore, type GroupStoreOptions, openGroupStore } from './open-group-store.js';
import { OutgoingSnapshot } from './outgoing-snapshot.js';
import { isJournalOf } from './snapshot-journal.js';
import { checkOffer, encodeOffer } from './snapshot-offer.js';
import { type StateChecksum, stateChecksum } from './state-checksum.js';
import { Turns } from './turns.js';

/** What a group's state is opened with. */
export interface GroupStateOptions extends GroupStoreOptions {
  /** `groups/` of the data directory. */
  readonly directory: string;
}

const diskFullRetryMs = 500;

/** The state of one group. */
export class GroupState implements ReplicatedState<ApplyResult> {
  readonly groupId: number;
  /** The last changes; the same ring whatever state is put in. */
  readonly changes: ChangeRing;
  /** Told after entries were applied, and after a snapshot was put in. */
  onApplied: () => void = () => undefined;
  readonly #options: GroupStateOptions;
  readonly #directories: GroupDirectories;
  #current: GroupStore;
  #isServing = false;
  #durableIndex = 0;
  #incoming: IncomingSnapshot | undefined;
  readonly #outgoing = new Set<OutgoingSnapshot>();
  #snapshotsTaken = 0;
  /** Of checkpoints, and of what replaces the store. */
  readonly #turns = new Turns();
  readonly #boundary = new ApplyBoundary();
  /** Of what writes to where snapshots are gathered. */
  readonly #gathering = new Turns();
  #failure: Error | undefined;
  #waitsForSpace = false;
  readonly #stop = new AbortController();
  #closing: Promise<void> | undefined;

  private constructor(options: GroupStateOptions, directories: GroupDirectories, opened: GroupStore) {
    this.groupId = options.groupId;
    this.changes = opened.machine.changes;
    this.#options = options;
    this.#directories = directories;
    this.#current = opened;
  }

  /**
   * Opens the group's store, making it where there is none. Rejects as `openGroupStore` does, and with
   * `DataDirectoryError` where it is not known which store is the group's, or that one is gone.
   */
  static async open(options: GroupStateOptions): Promise<GroupState> {
    const { disk, directory, groupId, logFiles } = options;
    const directories = await GroupDirectories.open(disk, directory, groupId);
    const { current } = directories;
    if (current !== undefined) {
      await logFiles.relocate(current.logIds, directories.logsOf(current.metadata));
      await logFiles.removeMoved();
    }
    const opened = await openGroupStore(options, directories.store);
    const state = new GroupState(options, directories, opened);
    await directories.removeOvertaken(state.appliedIndex);
    return state;
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

  get restored(): SnapshotMetadata | undefined {
    return this.#directories.current?.metadata;
  }

  /** The last entry that is known to be durable without the log; 0 = not known. */
  get durableIndex(): number {
    return this.#durableIndex;
  }

  /** Whether applying waits for space on the disk. */
  get waitsForSpace(): boolean {
    return this.machine.waitsForSpace || this.#waitsForSpace;
  }

  /** From now on a full disk is waited out; see `StateMachine.beginServing`. */
  beginServing(): void {
    this.#isServing = true;
    this.machine.beginServing();
  }

  apply(entries: readonly Entry[]): Promise<readonly (ApplyResult | undefined)[]> {
    return this.#boundary.run(() => this.#apply(entries));
  }

  /** The state between two runs of entries, as a snapshot, with its counters. Who takes it releases it. One at a time. */
  async cut(): Promise<{ readonly counters: Readonly<GroupCounters>; readonly source: OutgoingSnapshot }> {
    // A checkpoint under way would be waited for with applying held up.
    await this.#turns.idle();
    // In this order: a run that waits for space may need the checkpoints that give some.
    return this.#boundary.between(() =>
      this.#turns.run(async () => {
        if (this.#failure !== undefined) throw this.#failure;
        const counters = this.machine.visible;
        const { appliedIndex: index, appliedTerm: term } = counters;
        return { counters, source: (await this.#take({ index, term })).source };
      }),
    );
  }

  /** Looks at the state between two runs of entries. Resolves to what `look` gives. */
  between<Seen>(look: (machine: StateMachine) => Seen): Promise<Seen> {
    return this.#boundary.between(async () => look(this.machine));
  }

  async #apply(entries: readonly Entry[]): Promise<readonly (ApplyResult | undefined)[]> {
    if (this.#failure !== undefined) throw this.#failure;
    const held = this.appliedIndex;
    const results = await this.machine.apply(entries.map(committed));
    this.onApplied();
    if (entries.length === 0 || (entries[0] as Entry).index > held) return results;
    return results.map((result, i) => ((entries[i] as Entry).index <= held ? undefined : result));
  }

  /** Rejects with `DATA_CORRUPTED` where a log of the group is damaged here: what is lost here must not be lost elsewhere too. */
  snapshot(metadata: SnapshotMetadata): Promise<StateSnapshot> {
    return this.#take(metadata);
  }

  async #take({
    term,
    index,
  }: Pick<SnapshotMetadata, 'term' | 'index'>): Promise<{ data: Uint8Array; source: OutgoingSnapshot }> {
    const { disk } = this.#options;
    const { store, machine } = this.#current;
    const { visible } = machine;
    if (visible.appliedIndex !== index || visible.appliedTerm !== term) {
      throw new RangeError(
        `group ${this.groupId} is at entry ${visible.appliedIndex}, not at ${index} of term ${term}`,
      );
    }
    const directory = `${this.#directories.outgoing}/${term}-${index}.${this.#snapshotsTaken++}`;
    const release = this.#options.logFiles.hold(groupLogIds(machine));
    try {
      const logFiles = await groupLogImages(machine, this.#options.logFiles);
      const engine = await store.snapshot(`${directory}/store`);
      const source: OutgoingSnapshot = new OutgoingSnapshot({
        disk,
        directory,
        engine,
        logFiles,
        onReleased: () => {
          this.#outgoing.delete(source);
          release();
        },
      });
      this.#outgoing.add(source);
      return { data: encodeOffer(this.#owner, visible), source };
    } catch (error) {
      release();
      await removeIfPresent(disk, directory).catch(() => undefined);
      throw error;
    }
  }

  /** One is gathered at a time: another one takes the place of one that is still on its way. */
  async receive(snapshot: Snapshot): Promise<SnapshotSink> {
    checkOffer(snapshot, this.#owner);
    const { index } = snapshot.metadata;
    if (index <= this.appliedIndex) {
      const message = `group ${this.groupId} is at entry ${this.appliedIndex} and needs no snapshot at ${index}`;
      throw new GroupSnapshotError('NOT_NEWER', message);
    }
    await this.#incoming?.replace('another snapshot of the group is on its way in');
    const incoming = new IncomingSnapshot({
      disk: this.#options.disk,
      directory: this.#directories.incoming,
      snapshot,
      inTurn: (work) => this.#gathering.run(work),
      onComplete: () => this.#directories.takeIncoming(snapshot.metadata),
    });
    this.#incoming = incoming;
    return incoming;
  }

  /**
   * Rejects with `GroupSnapshotError`, or as the engine does; then the state is what it was. A full disk is waited out, as
   * by `apply`: the log has let go of what the snapshot stands for.
   */
  restore(snapshot: Snapshot): Promise<void> {
    return this.#turns.run(async () => {
      if (snapshot.metadata.index <= this.appliedIndex) return;
      checkOffer(snapshot, this.#owner);
      const { disk } = this.#options;
      const gathered = await gatheredSnapshot(disk, this.#directories.stateOf(snapshot.metadata));
      if (gathered === undefined || !isJournalOf(gathered, snapshot)) {
        throw new GroupSnapshotError(
          'INCOMPLETE',
          `the snapshot of group ${this.groupId} at entry ${snapshot.metadata.index} has not come; it must be sent again`,
        );
      }
      await this.#untilSpace(() => this.#putIn(snapshot.metadata));
    });
  }

  /**
   * Makes what is applied durable. `syncOthers` syncs what the group keeps outside its store and resolves to the first
   * entry it could not take (infinite: it took all). Resolves to the last entry that is durable without the log.
   */
  checkpoint(syncOthers: () => Promise<number>): Promise<number> {
    return this.#turns.run(async () => {
      if (this.#failure !== undefined) throw this.#failure;
      const { store, machine } = this.#current;
      const { appliedIndex } = machine.visible;
      const [, unstoredFrom] = await Promise.all([store.checkpoint(), syncOthers()]);
      const index = Math.min(appliedIndex, unstoredFrom - 1);
      this.#durableIndex = Math.max(this.#durableIndex, index);
      await machine.forgetNotes(index);
      // What stays is removed another time.
      await this.#gathering.run(() => this.#directories.removeOvertaken(appliedIndex)).catch(() => undefined);
      return index;
    });
  }

  /**
   * A checksum of what is replicated, at some entry between now and then; for comparing copies. Reads all of it, and once
   * more where a snapshot took its place meanwhile: the store is closed then, and the files are another state's.
   */
  async checksum(): Promise<StateChecksum> {
    for (;;) {
      const read = this.#current;
      const release = this.#options.logFiles.hold(groupLogIds(read.machine));
      try {
        const sum = await stateChecksum(read.store, this.#options.logFiles);
        if (read === this.#current) return sum;
      } catch (error) {
        if (read === this.#current) throw error;
      } finally {
        release();
      }
    }
  }

  /** Ends waiting for space and snapshots on their way, and closes the store. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stop.abort(new Error('the group was closed'));
    this.machine.stop();
    await this.#incoming?.replace('the node is closing');
    await this.#turns.idle();
    await Promise.all([...this.#outgoing].map((source) => source.release()));
    await this.store.close();
  }

  async #putIn(metadata: SnapshotMetadata): Promise<void> {
    await this.#replace(await this.#openRestored(metadata), metadata);
  }

  async #untilSpace(attempt: () => Promise<void>): Promise<void> {
    try {
      for (;;) {
        try {
          await attempt();
          return;
        } catch (error) {
          if (!isDiskFull(error) || !this.#isServing || this.#failure !== undefined) throw error;
        }
        this.#waitsForSpace = true;
        await delay(this.#options.clock, diskFullRetryMs, this.#stop.signal);
      }
    } finally {
      this.#waitsForSpace = false;
    }
  }

  /** Opens what came, and makes it durable as it is then. Where it is not what the log says it goes again. */
  async #openRestored(metadata: SnapshotMetadata): Promise<GroupStore> {
    const directory = this.#directories.stateOf(metadata);
    let opened: GroupStore | undefined;
    try {
      opened = await openGroupStore(this.#options, `${directory}/store`, this.changes);
      const { appliedIndex, appliedTerm, revision } = opened.machine.visible;
      if (appliedIndex !== metadata.index || appliedTerm !== metadata.term || revision < this.changes.revision) {
        throw new GroupSnapshotError(
          'DAMAGED',
          `the snapshot of group ${this.groupId} holds entry ${appliedIndex} of term ${appliedTerm} and revision ${revision}, ` +
            `expected entry ${metadata.index} of term ${metadata.term}`,
        );
      }
      await opened.store.checkpoint();
      return opened;
    } catch (error) {
      await opened?.store.close().catch(() => undefined);
      if (!isDiskFull(error)) await removeIfPresent(this.#options.disk, directory).catch(() => undefined);
      throw error;
    }
  }

  async #replace(next: GroupStore, metadata: SnapshotMetadata): Promise<void> {
    const { logFiles } = this.#options;
    const before = this.#current;
    const logIds = next.machine.logs.ids();
    try {
      await this.#directories.makeCurrent({ metadata, logIds });
    } catch (error) {
      await next.store.close().catch(() => undefined);
      if (this.#directories.isUncertain) this.#failure = error as Error;
      throw error;
    }
    this.#current = next;
    this.onApplied();
    this.#durableIndex = metadata.index;
    if (this.#isServing) next.machine.beginServing();
    const gone = before.machine.logs.ids().filter((logId) => !logIds.includes(logId));
    const left = [
      logFiles.relocate(logIds, this.#directories.logsOf(metadata)),
      logFiles.relocate(gone, undefined),
      // Reads that are under way there fail with `CLOSED`, which callers are told to repeat.
      before.store.close().catch(() => undefined),
    ];
    this.changes.restart(next.machine.visible.revision);
    before.machine.stop();
    await this.#expectLogs(next.machine);
    await Promise.all(left);
    // What stays is removed at the next start.
    await this.#directories.removeOthers().catch(() => undefined);
    await logFiles.removeMoved().catch(() => undefined);
  }

  async #expectLogs(machine: StateMachine): Promise<void> {
    for (const logId of machine.logs.ids()) {
      const log = machine.logs.get(logId);
      if (log === undefined) continue;
      const { origin, firstSequence, lastSequence } = log;
      await this.#options.logFiles.expect({ logId, origin, firstSequence, lastSequence });
    }
  }

  get #owner() {
    const { clusterId, groupId, engine } = this.#options;
    return { clusterId, groupId, engine };
  }
}

/** Changes of the configuration are the host's: here they only move the index, as entries without data do. */
function committed({ index, term, type, data }: Entry): CommittedEntry {
  return { index, term, command: type === 'EntryNormal' && data.length > 0 ? data : undefined };
}
