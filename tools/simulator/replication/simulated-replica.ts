import type { Clock, Random } from '@shanghai/env';
import {
  defaultReplicatorLimits,
  type EntryStoreObserver,
  laterHlc,
  type OriginMark,
  openReplicator,
  type Replicator,
  type ReplicatorLimits,
  type StreamPosition,
} from '@shanghai/replication';
import { MemoryEntryDirectory, MemoryEntryStore, type MemoryReplicationNetwork } from '@shanghai/replication/testing';
import type { ReplicationTruth } from './replication-truth.js';

/** What replicas of a simulation share. */
export interface ReplicaWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: MemoryReplicationNetwork;
  readonly truth: ReplicationTruth;
  readonly directories: Map<number, MemoryEntryDirectory>;
  readonly limits: Partial<ReplicatorLimits>;
  readonly nextEpoch: () => number;
  readonly foldedLog: number;
  readonly members: readonly { readonly nodeId: number; readonly address: string }[];
  readonly count: (what: string) => void;
  readonly fail: (error: unknown) => void;
}

/** A store that shows the truth what becomes durable, before anybody else hears of it. */
class WatchedStore extends MemoryEntryStore {
  readonly #world: ReplicaWorld;

  constructor(world: ReplicaWorld, nodeId: number, clock: Clock, syncMs: () => number) {
    const directory = world.directories.get(nodeId) as MemoryEntryDirectory;
    super({ nodeId, nextEpoch: world.nextEpoch, clock, directory, syncMs });
    this.#world = world;
  }

  override observe(observer: EntryStoreObserver): () => void {
    const { truth, fail } = this.#world;
    const guard = (check: () => void) => {
      try {
        check();
      } catch (error) {
        fail(error);
      }
    };
    return super.observe({
      onPositions: (positions: readonly StreamPosition[]) => {
        guard(() =>
          truth.changed(
            this.ownOrigin,
            positions.map(({ stream }) => stream),
          ),
        );
        observer.onPositions(positions);
      },
      onMarks: (marks: readonly OriginMark[]) => {
        for (const mark of marks) guard(() => truth.marked(this.ownOrigin, mark));
        observer.onMarks(marks);
      },
      onLogRemoved: (logId) => observer.onLogRemoved(logId),
    });
  }
}

/** A node of a simulation: goes down, comes back, on its directory or on another. */
export class SimulatedReplica {
  readonly nodeId: number;
  store!: MemoryEntryStore;
  replicator!: Replicator;
  isUp = false;
  /** An earlier state of the directory, which may be put back. */
  backup: MemoryEntryDirectory | undefined;
  /** How slow its disk is. */
  slowMs = 0;
  /** How far its clock is from the others'. */
  skewMs = 0;
  readonly #world: ReplicaWorld;

  constructor(world: ReplicaWorld, nodeId: number) {
    this.#world = world;
    this.nodeId = nodeId;
    world.directories.set(nodeId, new MemoryEntryDirectory());
    this.start();
  }

  get directory(): MemoryEntryDirectory {
    return this.#world.directories.get(this.nodeId) as MemoryEntryDirectory;
  }

  start(): void {
    const { random, network, members, limits, clock, foldedLog, count, fail } = this.#world;
    const skewed: Clock = {
      nowMs: () => clock.nowMs() + this.skewMs,
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (ms, callback) => clock.setTimer(ms, callback),
      soon: (callback) => clock.soon(callback),
    };
    const syncMs = () => 1 + random.below(4 + this.slowMs);
    this.store = new WatchedStore(this.#world, this.nodeId, skewed, syncMs);
    this.store.foldLog(foldedLog);
    this.isUp = true;
    this.replicator = openReplicator({
      nodeId: this.nodeId,
      store: this.store,
      transport: network.transport(this.nodeId),
      clock: skewed,
      members,
      limits: { ...defaultReplicatorLimits, ...limits },
      onFatal: (error) => fail(error),
      listener: {
        diverged: (stream, sequence, peer) =>
          fail(new Error(`${JSON.stringify(stream)} ${sequence} diverged from node ${peer}`)),
        disconnected: (_peer, _role, reason) => {
          if (reason.includes('is next')) count('gap');
        },
        skipped: () => count('skipped'),
        blocked: () => count('blocked'),
        behind: () => count('behind'),
        caughtUp: () => count('caughtUp'),
        sourceChanged: (origin, source) => {
          if (source !== undefined && source !== origin) count(origin === this.nodeId ? 'recovered' : 'relayed');
        },
      },
    });
  }

  async crash(): Promise<void> {
    this.isUp = false;
    this.store.crash();
    await this.replicator.close();
  }

  /** Comes back with what it had before, or with nothing. */
  putBack(directory: MemoryEntryDirectory): void {
    const before = this.directory;
    // Who gives out numbers for epochs knows the time, too: a new one begins above the stamps of those that were lost.
    directory.ceiling = laterHlc(directory.ceiling, before.latestHlc());
    this.#world.directories.set(this.nodeId, directory);
    this.#world.truth.replaced(this.nodeId, before);
  }
}
