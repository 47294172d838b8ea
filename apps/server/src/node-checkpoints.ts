/**
 * Housekeeping off the write path: checkpoints by time and by bytes proposed, retention of named logs, and log time moved
 * on when a session is due while nobody writes. One timer, once a second.
 */
import type { Clock, Timer } from '@shanghai/env';
import type { Wal } from '@shanghai/wal';
import type { LogCatalogueEntry } from './apply/catalogue.js';
import type { LogFiles } from './logs/log-files.js';
import type { LogPlace } from './logs/log-place.js';
import { expiredBefore } from './logs/log-retention.js';
import type { NodeListener } from './node-events.js';
import type { OwnReplica } from './raft/own-replica.js';
import type { Replica } from './raft/replica.js';
import type { SystemGroup } from './raft/system-group.js';

/** What housekeeping works on. */
export interface CheckpointParts {
  /** Of the groups that are shared with others. */
  readonly replicas: readonly Replica[];
  readonly own: OwnReplica;
  readonly system: SystemGroup;
  /** Retention of multi-master logs. */
  readonly trimStreams: () => Promise<void>;
  readonly files: LogFiles;
  readonly wal: Wal;
  readonly clock: Clock;
  readonly listener: NodeListener;
  readonly intervalMs: number;
  readonly bytes: number;
}

const tickMs = 1000;

/** What a group knows of the log, or stream, that lies there. */
function countersOf(replicas: readonly Replica[], place: LogPlace): { readonly firstSequence: number } | undefined {
  const { streamEpoch: epoch } = place;
  for (const { machine } of replicas) {
    const found = epoch === undefined ? machine.logs.get(place.logId) : machine.streams.get({ ...place, epoch });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The housekeeper of a node. */
export class NodeCheckpoints {
  readonly #parts: CheckpointParts;
  #timer: Timer | undefined;
  #running: Promise<readonly { groupId: number; durableAppliedIndex: number }[]> | undefined;
  #housekeeping: Promise<void> | undefined;
  #lastMs: number;
  #appendedBytes: number;
  #stopped = false;
  /** Logs whose retention failed, and was reported. */
  readonly #retentionFailed = new Set<number>();

  constructor(parts: CheckpointParts) {
    this.#parts = parts;
    this.#lastMs = parts.clock.monotonicMs();
    const { appendedBytes, bytes } = parts.wal.info();
    // What the log holds already has to be read again, too.
    this.#appendedBytes = appendedBytes - bytes;
  }

  start(): void {
    this.#timer = this.#parts.clock.setTimer(tickMs, () => {
      this.#housekeeping = this.#tick()
        .catch((error: Error) => this.#parts.listener.checkpointFailed?.({ error }))
        .then(() => {
          if (!this.#stopped) this.start();
        });
    });
  }

  /** Makes everything applied durable and cuts the log behind it. Calls that come meanwhile share the running one. */
  run(): Promise<readonly { groupId: number; durableAppliedIndex: number }[]> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Ends the timer and waits for what runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#housekeeping;
    await this.#running?.catch(() => undefined);
  }

  #replicas(): readonly Replica[] {
    return [...this.#parts.replicas, ...this.#parts.own.all];
  }

  async #tick(): Promise<void> {
    const { clock, intervalMs, bytes, wal } = this.#parts;
    const replicas = this.#replicas();
    for (const replica of replicas) {
      const { state, role } = replica.log.status();
      if (state !== 'open' || role !== 'leader') continue;
      if (replica.isDue(Math.min(replica.machine.sessions.soonestExpiryMs, Number.MAX_SAFE_INTEGER))) {
        await replica.advanceTime();
      }
    }
    await this.#trimLogs();
    await this.#parts.trimStreams();
    const idle = replicas.every((replica) => replica.durableAppliedIndex === replica.machine.visible.appliedIndex);
    if (idle) return;
    const appendedBytes = wal.info().appendedBytes - this.#appendedBytes;
    const due = clock.monotonicMs() - this.#lastMs >= intervalMs || appendedBytes >= bytes;
    if (due) await this.run();
  }

  async #run(): Promise<readonly { groupId: number; durableAppliedIndex: number }[]> {
    const { files, clock, listener, wal } = this.#parts;
    const replicas = this.#replicas();
    const done = [];
    const { appendedBytes } = wal.info();
    for (const replica of replicas) {
      const { state } = replica.log.status();
      if (state !== 'open' && state !== 'full') continue;
      const startMs = clock.monotonicMs();
      const { groupId } = replica;
      const durableAppliedIndex = await replica.checkpoint(async () => {
        await files.flush();
        return files.unstoredFrom((logId) => replica.machine.holdsLog(logId));
      });
      listener.checkpointed?.({ groupId, durableAppliedIndex, durationMs: clock.monotonicMs() - startMs });
      done.push({ groupId, durableAppliedIndex });
    }
    await this.#forgetLogs();
    this.#lastMs = clock.monotonicMs();
    this.#appendedBytes = appendedBytes;
    return done;
  }

  /** Files go only now: their deletion or trim is durable in the state. */
  async #forgetLogs(): Promise<void> {
    const { files } = this.#parts;
    const replicas = this.#replicas();
    await files.removeGone((logId) =>
      replicas.every(({ machine, durableAppliedIndex }) => machine.isLogGone(logId, durableAppliedIndex)),
    );
    for (const place of files.openPlaces()) {
      const log = countersOf(replicas, place);
      if (log === undefined || log.firstSequence === 1) continue;
      await files.release(place, log.firstSequence);
    }
  }

  /**
   * Proposes what retention asks for. Logs whose files are closed get no entries and wait until they are used again. A
   * log where it fails keeps its entries, and neither other logs nor checkpoints from going on.
   */
  async #trimLogs(): Promise<void> {
    const { files, system, listener } = this.#parts;
    const shared = files.openPlaces().filter(({ streamEpoch }) => streamEpoch === undefined);
    const places = new Map(shared.map((place) => [place.logId, place]));
    for (const log of system.catalogue.logs()) {
      const place = places.get(log.logId);
      const { retentionMs, retentionBytes, retentionEntries } = log.settings;
      const isKept = retentionMs === 0 && retentionBytes === 0 && retentionEntries === undefined;
      if (place === undefined || isKept) continue;
      try {
        await this.#trimLog(log, place);
        this.#retentionFailed.delete(log.logId);
      } catch (error) {
        if (this.#retentionFailed.has(log.logId)) continue;
        this.#retentionFailed.add(log.logId);
        listener.retentionFailed?.({
          logId: log.logId,
          error: error instanceof Error ? error : new Error(String(error)),
        });
      }
    }
  }

  async #trimLog(log: LogCatalogueEntry, place: LogPlace): Promise<void> {
    const { files, replicas, listener, clock } = this.#parts;
    const replica = replicas.find(({ groupId }) => groupId === log.groupId);
    if (replica?.log.status().role !== 'leader') return;
    const firstSequence = await files.use(place, (wal) => expiredBefore(wal, log.settings, clock.nowMs()));
    const known = replica.machine.logs.get(log.logId);
    if (known === undefined || firstSequence <= known.firstSequence) return;
    await replica.propose({ kind: 'logTrim', logId: log.logId, firstSequence });
    listener.logTrimmed?.({ logId: log.logId, firstSequence });
  }
}
