/** What a node gives away of itself for backups: its state, and the log of its groups. */
import type { Clock, Timer } from '@shanghai/env';
import type { Entry, EntryType } from '@shanghai/raft';
import { ownGroup } from '../apply/own-group.js';
import type { Replica } from '../raft/replica.js';
import type { Gate } from '../requests/gate.js';
import { ServerError } from '../requests/server-error.js';
import type { BackupPart, GroupLogEntry, GroupLogPage } from './backup-parts.js';
import { type OutgoingBackupParts, outgoingBackup } from './outgoing-backup.js';

/** What it stands on. */
export interface NodeBackupParts extends OutgoingBackupParts {
  readonly gate: Gate;
  readonly clock: Clock;
}

const pageBytes = 1_048_576;

/** A reader who asks for nothing for so long is given up. */
const idleReaderMs = 120_000;

/** As in docs/formats/command-log.md. */
const typeNumbers: Readonly<Record<EntryType, number>> = { EntryNormal: 0, EntryConfChange: 2, EntryConfChangeV2: 3 };

/** The backups of one node. */
export class NodeBackups {
  readonly #parts: NodeBackupParts;
  #isSaving = false;
  #reader: ReaderWatch | undefined;

  constructor(parts: NodeBackupParts) {
    this.#parts = parts;
  }

  /** See `ShanghaiNode.saveSnapshot`. */
  async *save(options: {
    readonly stale: boolean;
    readonly signal: AbortSignal;
  }): AsyncGenerator<BackupPart, void, undefined> {
    // What is linked stays on the disk as long as somebody reads it.
    if (this.#isSaving) {
      throw new ServerError('RESOURCE_EXHAUSTED', 'this node is sending a backup already; wait, or ask another node');
    }
    const { gate, replicas } = this.#parts;
    if (replicas().some(({ state }) => state.waitsForSpace)) {
      throw new ServerError('STORAGE_FULL', "this node's disk is full, and a backup needs some; ask another node");
    }
    const watch = new ReaderWatch(this.#parts.clock);
    this.#isSaving = true;
    // Given up while it asks for nothing: the next one need not wait for it.
    watch.signal.addEventListener('abort', () => this.#end(watch), { once: true });
    this.#reader = watch;
    try {
      const given = AbortSignal.any([options.signal, watch.signal]);
      for await (const part of gate.untilClosed(given, (signal) =>
        outgoingBackup(this.#parts, { ...options, signal }),
      )) {
        watch.offered();
        yield part;
        watch.asked();
      }
      watch.signal.throwIfAborted();
    } finally {
      watch.stop();
      this.#end(watch);
    }
  }

  #end(reader: ReaderWatch): void {
    if (this.#reader !== reader) return;
    this.#reader = undefined;
    this.#isSaving = false;
  }

  /** See `ShanghaiNode.readGroupLog`. */
  async *readLog(
    groupId: number,
    fromIndex: number,
    signal: AbortSignal,
  ): AsyncGenerator<GroupLogPage, void, undefined> {
    const replica = this.#parts.replicas().find((one) => one.groupId === groupId && groupId !== ownGroup);
    if (replica === undefined) throw new ServerError('NOT_FOUND', `there is no group ${groupId} at this node`);
    await replica.readBarrier({ keyspace: '', level: 'linearizable' });
    const lastIndex = replica.machine.visible.appliedIndex;
    const { clusterId } = this.#parts.identity;
    const first = Math.max(fromIndex, 1);
    if (first > lastIndex + 1) throw beyondEnd(replica, first, lastIndex);
    replica.pins.pin(first - 1);
    let at = first;
    do {
      signal.throwIfAborted();
      const entries = at > lastIndex ? [] : replica.log.entries(at, lastIndex + 1, pageBytes);
      if (entries === 'compacted') throw givenUp(replica, at);
      yield { clusterId, entries: entries.map(logEntry), lastIndex };
      at += entries.length;
    } while (at <= lastIndex);
    replica.pins.pin(lastIndex);
  }
}

/** Aborts when a reader has asked for nothing for too long: what it holds is kept from going. */
class ReaderWatch {
  readonly #clock: Clock;
  readonly #controller = new AbortController();
  /** Since when something has been there for it to ask for. */
  #offeredMs: number | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#arm();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  offered(): void {
    this.#offeredMs = this.#clock.monotonicMs();
  }

  asked(): void {
    this.#offeredMs = undefined;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimer(idleReaderMs, () => {
      const nowMs = this.#clock.monotonicMs();
      if (nowMs - (this.#offeredMs ?? nowMs) < idleReaderMs) return this.#arm();
      const message = `a backup was asked for and not read for ${idleReaderMs} ms; save it again`;
      this.#controller.abort(new ServerError('DEADLINE_EXCEEDED', message));
    });
  }
}

function logEntry({ index, term, type, data }: Entry): GroupLogEntry {
  return { index, term, type: typeNumbers[type], data };
}

function givenUp({ groupId, log }: Replica, index: number): ServerError {
  const { firstIndex } = log.status();
  return new ServerError(
    'OUT_OF_RANGE',
    `entry ${index} of group ${groupId} was given up, the first one kept is ${firstIndex}; a new backup is due`,
    { details: { groupId, firstIndex } },
  );
}

function beyondEnd({ groupId, log }: Replica, index: number, lastIndex: number): ServerError {
  const { firstIndex } = log.status();
  return new ServerError('OUT_OF_RANGE', `group ${groupId} ends at entry ${lastIndex}, before ${index}`, {
    details: { groupId, firstIndex, lastIndex },
  });
}
