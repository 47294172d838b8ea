/**
 * Multi-master logs on this node: its own group, what it writes there as an origin, and shipping between the nodes. All of it
 * begins when the catalogue first has such a log, and goes on from then on.
 */
import type { Clock } from '@shanghai/env';
import {
  type AcknowledgementLevel,
  earlierHlc,
  type Hlc,
  maxHlcCounter,
  ReplicationError,
  type Replicator,
  type ReplicatorStatus,
  type StreamId,
} from '@shanghai/replication';
import type { NodeEntry } from '../apply/catalogue-command.js';
import { keyspaceLogId, keyspaceOfLog } from '../apply/keyspace-log.js';
import { ownGroup } from '../apply/own-group.js';
import { upkeepLogId } from '../apply/upkeep-entry.js';
import type { LogFiles } from '../logs/log-files.js';
import type { ReplicationFilter } from '../node.js';
import type { OwnReplica } from '../raft/own-replica.js';
import type { Replica } from '../raft/replica.js';
import type { SystemGroup } from '../raft/system-group.js';
import { ServerError } from '../requests/server-error.js';
import { EpochVoucher } from './epoch-voucher.js';
import { oldestAgeMs } from './oldest-age.js';
import { OriginWriter } from './origin-writer.js';
import { OwnEntryStore } from './own-entry-store.js';
import { repairStreams } from './repair-streams.js';
import { trimStreams } from './stream-retention.js';
import { tidyUpkeepLog } from './upkeep-log.js';

/** Makes the replicator of a node, which is the caller's. Absent where the node has no listener for others. */
export type OpenReplication = (store: OwnEntryStore, members: readonly NodeEntry[]) => OpenedReplication;

/** A replicator, and how it is told who belongs to the cluster. */
export interface OpenedReplication {
  readonly replicator: Replicator;
  setMembers(members: readonly NodeEntry[]): void;
}

/** What it stands on. */
export interface MultiMasterParts {
  readonly nodeId: number;
  readonly system: SystemGroup;
  readonly own: OwnReplica;
  readonly files: LogFiles;
  readonly clock: Clock;
  readonly maxCommandBytes: number;
  readonly openReplication?: OpenReplication;
  /** A stream is kept for a member that lacks it up to so many bytes. */
  readonly maxLagBytes: number;
  readonly onTrimmed: (logId: number, firstSequence: number) => void;
  readonly onRetentionFailed: (logId: number, error: unknown) => void;
  /** Told when it has begun. */
  readonly onBegun?: (parts: OriginParts) => void;
  /** Told of what keeps it from beginning; it is tried again. */
  readonly onError: (error: Error) => void;
}

/** Once it has begun. */
export interface OriginParts {
  readonly replica: Replica;
  readonly writer: OriginWriter;
  readonly store: OwnEntryStore;
  readonly replication: OpenedReplication | undefined;
  /** Absent where there are no others that could know better. */
  readonly voucher: EpochVoucher | undefined;
}

const recentBytes = 16 * 1024 * 1024;
const retryMs = 1000;

/** A member that is not heard is waited for so long; what it wrote meanwhile is not known. */
const completeWaitMs = 5000;

/** Multi-master logs of one node. */
export class MultiMaster {
  readonly #parts: MultiMasterParts;
  readonly #stopping = new AbortController();
  #beginning: Promise<OriginParts> | undefined;
  #begun: OriginParts | undefined;
  #members = '';
  #isRunning = false;
  #epoch: Promise<void> | undefined;

  constructor(parts: MultiMasterParts) {
    this.#parts = parts;
  }

  /** `undefined`: it has not begun. */
  get begun(): OriginParts | undefined {
    return this.#begun;
  }

  /** Follows the catalogue until `stop`. */
  start(): void {
    this.#isRunning = true;
    void this.#follow();
  }

  /** Resolves when this node may write: it has its own group, and an epoch. Rejects with a `ServerError`. */
  async ready(): Promise<OriginParts> {
    const parts = this.#begun ?? (await this.#begin());
    if (parts.store.ownEpoch() === 0) await this.#ensureEpoch(parts);
    await parts.voucher?.vouch();
    return parts;
  }

  /** Begins where it has not. */
  async open(): Promise<OriginParts> {
    return this.#begun ?? this.#begin();
  }

  /** Up to where all entries of a log, of all origins, are here. */
  watermark(logId: number, parts: OriginParts): Hlc {
    const { replication, replica } = parts;
    if (this.#nodes().length < 2 || replication === undefined) return replica.machine.streams.visibleOwn.highestHlc;
    return replication.replicator.watermark(logId);
  }

  /** Up to when whatever any member wrote is here, in all logs, by the stamps; `undefined` where it has not begun. */
  completeToMs(): number | undefined {
    const parts = this.#begun;
    if (parts === undefined) return undefined;
    if (this.isAlone) return parts.replica.nowMs();
    if (parts.replication === undefined) return undefined;
    const logIds = parts.replica.machine.streams.logIds();
    if (logIds.length === 0) return undefined;
    const completeToMs = Math.min(...logIds.map((logId) => this.watermark(logId, parts).ms));
    return completeToMs === 0 ? undefined : completeToMs;
  }

  /** As `completeToMs`, once that is not before the call, or after some seconds. */
  async whenComplete(signal: AbortSignal): Promise<number | undefined> {
    const parts = this.#begun;
    if (parts === undefined) return undefined;
    const { published } = parts.replica.state.changes;
    const sinceMs = parts.replica.nowMs();
    const timeout = new AbortController();
    const timer = this.#parts.clock.setTimer(completeWaitMs, () => timeout.abort());
    const given = AbortSignal.any([signal, timeout.signal, this.#stopping.signal]);
    try {
      for (;;) {
        const seen = published.count;
        const completeToMs = this.completeToMs();
        if ((completeToMs ?? 0) >= sinceMs || given.aborted) return completeToMs;
        await published.wait(given, seen);
      }
    } finally {
      timer.cancel();
    }
  }

  /** Whether there is nobody but this node. */
  get isAlone(): boolean {
    return this.#nodes().length < 2;
  }

  /** Up to where every member holds everything of all members in a log; `undefined` as long as that is not known. */
  stable(logId: number, { replication, replica }: OriginParts): Hlc | undefined {
    // Whatever this node writes next has a later stamp than that.
    if (this.isAlone) return { ms: replica.nowMs() - 1, counter: maxHlcCounter };
    let stable: Hlc | undefined;
    for (const { nodeId } of this.#nodes()) {
      const ofOrigin = replication?.replicator.stableAt(logId, nodeId);
      if (ofOrigin === undefined) return undefined;
      stable = stable === undefined ? ofOrigin : earlierHlc(stable, ofOrigin);
    }
    return stable;
  }

  /**
   * How far behind the clock the watermark, or the stable stamp, of the one of these logs is where it is least. `undefined`
   * where there is none, or a member was not heard since this node started.
   */
  oldestAgeMs(logIds: readonly number[], which: 'watermark' | 'stable'): number | undefined {
    const parts = this.#begun;
    if (parts === undefined) return undefined;
    return oldestAgeMs(
      this.#parts.clock.nowMs(),
      logIds.map((logId) => this[which](logId, parts)),
    );
  }

  /** Of all logs of this kind that have a name. */
  watermarkAgeMs(): number | undefined {
    // Nobody else writes: everything is here, however long ago the last entry was.
    if (this.isAlone) return undefined;
    const logs = this.#parts.system.catalogue.logs();
    const logIds = logs.filter(({ groupId }) => groupId === ownGroup).map(({ logId }) => logId);
    return this.oldestAgeMs(logIds, 'watermark');
  }

  /**
   * Resolves when so many nodes hold an entry that this one holds. Rejects with `OUTCOME_UNKNOWN` where that takes longer
   * than `timeoutMs`.
   */
  async heldBy(stream: StreamId, sequence: number, level: AcknowledgementLevel, timeoutMs: number): Promise<void> {
    if (level === 'local' || this.#nodes().length < 2) return;
    const { replication } = await this.open();
    const abort = new AbortController();
    const timer = this.#parts.clock.setTimer(timeoutMs, () => abort.abort(new Error('timeout')));
    try {
      if (replication === undefined) throw new Error('this node reaches no others');
      await replication.replicator.whenHeldBy(stream, sequence, level, abort.signal);
    } catch (error) {
      throw notHeld(level, timeoutMs, error);
    } finally {
      timer.cancel();
    }
  }

  /** The last sequence of a stream that every member is known to hold. */
  heldByAll(stream: StreamId): number {
    if (this.isAlone) return Number.MAX_SAFE_INTEGER;
    return this.#begun?.replication?.replicator.heldBy(stream, 'all') ?? 0;
  }

  /** Trims what is beyond the logs' retention. */
  async trim(): Promise<void> {
    const { system, files, clock, maxLagBytes, onTrimmed, onRetentionFailed } = this.#parts;
    const begun = this.#begun;
    if (begun === undefined) return;
    const { replica } = begun;
    const heldByAll = (stream: StreamId) => this.heldByAll(stream);
    await tidyUpkeepLog(begun, heldByAll).catch((error: unknown) => onRetentionFailed(upkeepLogId, error));
    await trimStreams({
      ...{ replica, system, files, heldByAll, maxLagBytes, onTrimmed },
      nowMs: clock.nowMs(),
      onFailed: onRetentionFailed,
    });
  }

  /** Ships nothing to a follower, or to any, until `resume`. Holds until this process ends. */
  async pause(follower: number | 'all', isPaused: boolean): Promise<void> {
    const { replication } = await this.open();
    if (replication === undefined) throw new ServerError('UNSUPPORTED', 'this node has no listener for other nodes');
    if (isPaused) replication.replicator.pause(follower);
    else replication.replicator.resume(follower);
  }

  status({ log, ...filter }: ReplicationFilter = {}): ReplicatorStatus | undefined {
    const ofLog = log === undefined ? {} : { logId: this.#logId(log) };
    return this.#begun?.replication?.replicator.status({ ...filter, ...ofLog });
  }

  /** Ends shipping. The own group is closed with the others. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#stopping.abort();
    await this.#beginning?.catch(() => undefined);
    await this.#begun?.replication?.replicator.close();
    await this.#begun?.voucher?.close();
    this.#begun?.store.close();
  }

  #logId(name: string): number {
    const log = this.#parts.system.catalogue.log(name);
    if (log === undefined) throw new ServerError('NOT_FOUND', `there is no log '${name}'`);
    const { logId, groupId } = log;
    if (groupId === ownGroup) return logId;
    throw new ServerError(
      'INVALID_REQUEST',
      `log '${name}' is ordered by group ${groupId}: its copies are that group's`,
    );
  }

  #nodes(): readonly NodeEntry[] {
    return this.#parts.system.catalogue.nodes;
  }

  async #follow(): Promise<void> {
    const { system, own } = this.#parts;
    const { signal } = this.#stopping;
    const { published } = system.replica.state.changes;
    while (this.#isRunning) {
      const seen = published.count;
      const isWanted = own.replica !== undefined || this.#isWanted();
      if (isWanted) await this.#attempt();
      await published.wait(signal, seen);
    }
  }

  async #attempt(): Promise<void> {
    try {
      const parts = await this.ready();
      this.#review(parts);
      if ((await parts.voucher?.retry()) === false) this.#lookAgain();
      await this.#dropGone(parts);
    } catch (error) {
      if (!this.#isRunning) return;
      this.#parts.onError(error as Error);
      this.#lookAgain();
    }
  }

  /** Whoever waits for the catalogue is woken. */
  #lookAgain(): void {
    const { clock, system } = this.#parts;
    clock.setTimer(retryMs, () => this.#isRunning && system.replica.state.changes.published.notify());
  }

  #isWanted(): boolean {
    const { catalogue } = this.#parts.system;
    return (
      catalogue.logs().some(({ groupId }) => groupId === ownGroup) ||
      catalogue.keyspaces().some(({ mode }) => mode === 'multi-master')
    );
  }

  #review({ replication }: OriginParts): void {
    const members = JSON.stringify(this.#nodes().map(({ nodeId, peerAddress }) => [nodeId, peerAddress]));
    if (members === this.#members) return;
    this.#members = members;
    replication?.setMembers(this.#nodes());
  }

  /** Logs that the catalogue has no more go here too: their ids are below those that it has yet to give out. */
  async #dropGone({ replica }: OriginParts): Promise<void> {
    const { catalogue } = this.#parts.system;
    const wanted = new Set(catalogue.logs().map(({ logId }) => logId));
    const next = catalogue.cluster?.nextLogId ?? 0;
    const { streams, upkeep } = replica.machine;
    for (const logId of new Set([...streams.logIds(), ...upkeep.logIds()])) {
      if (wanted.has(logId) || logId >= next) continue;
      await replica.propose({ kind: 'originDrop', logId });
    }
    await this.#dropKeyspaces(replica);
  }

  #voucherOf(own: Replica, store: OwnEntryStore, replication: OpenedReplication | undefined): EpochVoucher | undefined {
    const { nodeId, system, clock } = this.#parts;
    if (replication === undefined || this.isAlone) return undefined;
    return new EpochVoucher({
      ...{ nodeId, system, own, clock, signal: this.#stopping.signal },
      hasHeardAll: () => replication.replicator.hasHeardAll(),
      beginEpoch: () => store.tryBeginEpoch(),
    });
  }

  /** Also those of which nothing is here: something of them may still be on its way. */
  async #dropKeyspaces(replica: Replica): Promise<void> {
    const { catalogue } = this.#parts.system;
    const wanted = new Set(catalogue.keyspaces().map(({ id }) => id));
    const next = catalogue.cluster?.nextKeyspaceId ?? 0;
    const { streams } = replica.machine;
    const held = streams.logIds().flatMap((logId) => keyspaceOfLog(logId) ?? []);
    const deleted = [...catalogue.deletedKeyspaces()].map(({ id }) => id);
    for (const id of new Set([...held, ...deleted])) {
      const logId = keyspaceLogId(id);
      if (wanted.has(id) || id >= next || streams.isDropped(logId)) continue;
      await replica.propose({ kind: 'originDrop', logId });
    }
  }

  #begin(): Promise<OriginParts> {
    this.#beginning ??= this.#beginOnce().catch((error: unknown) => {
      this.#beginning = undefined;
      throw error;
    });
    return this.#beginning;
  }

  async #beginOnce(): Promise<OriginParts> {
    const { own, nodeId, files, clock, maxCommandBytes, openReplication } = this.#parts;
    const replica = await own.open();
    const writer = new OriginWriter(replica, clock);
    const store = new OwnEntryStore({
      ...{ nodeId, own: replica, files, writer, clock, maxCommandBytes, recentBytes },
      signal: this.#stopping.signal,
      nextEpoch: () => this.#nextEpoch(),
    });
    await this.#repair(replica, store);
    const replication = openReplication?.(store, this.#nodes());
    const voucher = this.#voucherOf(replica, store, replication);
    this.#begun = { replica, writer, store, replication, voucher };
    this.#parts.onBegun?.(this.#begun);
    return this.#begun;
  }

  /** Where there are other nodes, and only of named logs: keyspaces are folded from what came. */
  async #repair(replica: Replica, store: OwnEntryStore): Promise<void> {
    const { system, files } = this.#parts;
    if (this.#nodes().length < 2 || this.#parts.openReplication === undefined) return;
    const named = new Set(system.catalogue.logs().map(({ logId }) => logId));
    // What the upkeep log says may be said again.
    const isElsewhere = (logId: number) => named.has(logId) || logId === upkeepLogId;
    // Where it cannot be mended now, for want of an epoch, all of it waits: what is fetched could not be taken back later.
    await repairStreams({ replica, files, isElsewhere, beginEpoch: () => store.tryBeginEpoch() });
  }

  #ensureEpoch({ store }: OriginParts): Promise<void> {
    this.#epoch ??= store
      .tryBeginEpoch()
      .then(() => undefined)
      .finally(() => {
        this.#epoch = undefined;
      });
    return this.#epoch;
  }

  async #nextEpoch(): Promise<number> {
    const { system, nodeId } = this.#parts;
    await system.change({ type: 'beginEpoch', nodeId });
    return system.catalogue.originEpoch(nodeId);
  }
}

function notHeld(level: AcknowledgementLevel, timeoutMs: number, cause: unknown): ServerError {
  if (cause instanceof ReplicationError && cause.code === 'BUSY') {
    return new ServerError('OUTCOME_UNKNOWN', 'the entries are on the disk of this node; too many wait for others', {
      cause,
    });
  }
  return new ServerError(
    'OUTCOME_UNKNOWN',
    `the entries are on the disk of this node and will get to the others; that ${level === 'all' ? 'all nodes' : 'most nodes'} ` +
      `hold them was not known within ${timeoutMs} ms`,
    { cause, details: { isDurableHere: true, acknowledgement: level } },
  );
}
