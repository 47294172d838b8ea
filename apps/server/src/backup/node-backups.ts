/** What a node gives away of itself for backups: its state, and the log of its groups. */
import type { Entry, EntryType } from '@shanghai/raft';
import type { Replica } from '../raft/replica.js';
import type { Gate } from '../requests/gate.js';
import { ServerError } from '../requests/server-error.js';
import type { BackupPart, GroupLogEntry, GroupLogPage } from './backup-parts.js';
import { type OutgoingBackupParts, outgoingBackup } from './outgoing-backup.js';

/** What it stands on. */
export interface NodeBackupParts extends OutgoingBackupParts {
  readonly gate: Gate;
}

const pageBytes = 1_048_576;

/** As in docs/formats/command-log.md. */
const typeNumbers: Readonly<Record<EntryType, number>> = { EntryNormal: 0, EntryConfChange: 2, EntryConfChangeV2: 3 };

/** The backups of one node. */
export class NodeBackups {
  readonly #parts: NodeBackupParts;
  #isSaving = false;

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
    if (replicas.some(({ state }) => state.waitsForSpace)) {
      throw new ServerError('STORAGE_FULL', "this node's disk is full, and a backup needs some; ask another node");
    }
    this.#isSaving = true;
    try {
      yield* gate.untilClosed(options.signal, (signal) => outgoingBackup(this.#parts, { ...options, signal }));
    } finally {
      this.#isSaving = false;
    }
  }

  /** See `ShanghaiNode.readGroupLog`. */
  async *readLog(
    groupId: number,
    fromIndex: number,
    signal: AbortSignal,
  ): AsyncGenerator<GroupLogPage, void, undefined> {
    const replica = this.#parts.replicas.find((one) => one.groupId === groupId);
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
