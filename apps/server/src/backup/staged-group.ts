/**
 * A group of a backup where it is being restored: its files, copied and compared, opened as they are, under the
 * cluster they came from. Entries behind the cut go through the same state machine that applied them first.
 */
import { createHash } from 'node:crypto';
import {
  type Clock,
  type Disk,
  ensureDirectory,
  parentDirectory,
  type Random,
  readFully,
  writeFully,
} from '@shanghai/env';
import type { StateMachine } from '../apply/state-machine.js';
import type { EngineName, StorageEngine } from '../engine/storage-engine.js';
import { defaultLimits, maxEntryBytes, type NodeLimits } from '../limits.js';
import { LogFiles } from '../logs/log-files.js';
import { isUnread } from '../logs/log-place.js';
import { groupLogs } from '../raft/group-log-images.js';
import { openGroupStore } from '../raft/open-group-store.js';
import { type StateChecksum, stateChecksum } from '../raft/state-checksum.js';
import { BackupError } from './backup-error.js';
import { type BackupManifest, groupDirectory, type ManifestFile, type ManifestGroup } from './backup-manifest.js';
import type { GroupLogEntry } from './backup-parts.js';

/** What a group is staged with. */
export interface StagingOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly backup: string;
  readonly manifest: BackupManifest;
  readonly signal?: AbortSignal;
  /** Told of every piece that was copied. */
  readonly onCopied: (bytes: number) => void;
}

const chunkBytes = 1_048_576;
const logSegmentBytes = 64 * 1024 * 1024;
const firstLogSegmentBytes = 1024 * 1024;
const openLogs = 64;

/** Wider than any node's: what a state holds was let in by limits that the backup does not know. */
const limits: NodeLimits = {
  ...defaultLimits,
  maxValueBytes: 256 * 1024 * 1024,
  maxRequestBytes: 256 * 1024 * 1024,
  maxProposalBytes: 256 * 1024 * 1024,
};

/** An entry as the state machine takes it; without a command it only moves the index. */
export type ReplayedEntry = Pick<GroupLogEntry, 'index' | 'term'> & { readonly command: Uint8Array | undefined };

/** A group that is being restored. Close it. */
export class StagedGroup {
  readonly cut: ManifestGroup;
  readonly directory: string;
  readonly files: LogFiles;
  readonly store: StorageEngine;
  /** Where the state is, as long as nobody else has written to the store. */
  readonly machine: StateMachine;

  private constructor(
    cut: ManifestGroup,
    directory: string,
    files: LogFiles,
    store: StorageEngine,
    machine: StateMachine,
  ) {
    this.cut = cut;
    this.directory = directory;
    this.files = files;
    this.store = store;
    this.machine = machine;
  }

  /** Copies and opens a group. Rejects with `BackupError` `DATA_CORRUPTED` where a file, or the state in it, is not the manifest's. */
  static async open(options: StagingOptions, cut: ManifestGroup, directory: string): Promise<StagedGroup> {
    for (const file of cut.files) await copyFile(options, cut.groupId, file, directory);
    await ensureDirectory(options.disk, `${directory}/logs`);
    const { disk, clock, random, manifest } = options;
    const { clusterId } = manifest;
    const files = new LogFiles({
      directory: `${directory}/logs`,
      clusterId,
      disk,
      clock,
      random,
      maxOpen: openLogs,
      maxRecordBytes: maxEntryBytes(limits),
      maxQueuedBytes: 2 * limits.maxProposalBytes,
      segmentBytes: logSegmentBytes,
      firstSegmentBytes: firstLogSegmentBytes,
    });
    const opened = { groupId: cut.groupId, clusterId, logFiles: files, limits, store: {}, disk, clock, listener: {} };
    const engine = manifest.engine as EngineName;
    const { store, machine } = await openGroupStore({ ...opened, engine }, `${directory}/store`);
    const staged = new StagedGroup(cut, directory, files, store, machine);
    try {
      await staged.#check();
      return staged;
    } catch (error) {
      await staged.close().catch(() => undefined);
      throw error;
    }
  }

  /** Applies entries behind those that the state holds. */
  async replay(entries: readonly ReplayedEntry[]): Promise<void> {
    await this.machine.apply(entries);
  }

  /** Of the state as it is, comparable with that of any replica at the same entry. */
  async checksum(): Promise<StateChecksum> {
    return stateChecksum(this.store, this.files);
  }

  /** Makes all of it durable. */
  async close(): Promise<void> {
    this.machine.stop();
    try {
      await this.files.close();
    } finally {
      await this.store.close();
    }
  }

  async #check(): Promise<void> {
    const { groupId, appliedIndex, appliedTerm, revision } = this.cut;
    const { visible } = this.machine;
    if (visible.appliedIndex !== appliedIndex || visible.appliedTerm !== appliedTerm || visible.revision !== revision) {
      throw new BackupError(
        'DATA_CORRUPTED',
        `the state of group ${groupId} is at entry ${visible.appliedIndex}, the manifest says ${appliedIndex}; use another backup`,
      );
    }
    for (const { place, ...held } of groupLogs(this.machine)) {
      await this.files.expect({ ...place, ...held });
      if (held.lastSequence > 0 && !isUnread(place, held)) await this.files.check(place);
    }
  }
}

/** An archived entry as it is applied. */
export function replayed({ index, term, type, data }: GroupLogEntry): ReplayedEntry {
  return { index, term, command: type === 0 && data.length > 0 ? data : undefined };
}

async function copyFile(
  { disk, backup, signal, onCopied }: StagingOptions,
  groupId: number,
  { name, bytes, sha256 }: ManifestFile,
  directory: string,
): Promise<void> {
  const from = `${backup}/${groupDirectory(groupId)}/${name}`;
  const to = `${directory}/${name}`;
  await ensureDirectory(disk, parentDirectory(to));
  if ((await disk.stat(from))?.bytes !== bytes) throw changed(from, 'it is missing, or has another length');
  const source = await disk.open(from, 'read');
  try {
    const target = await disk.open(to, 'create');
    try {
      const hash = createHash('sha256');
      const chunk = new Uint8Array(Math.min(chunkBytes, bytes));
      for (let at = 0; at < bytes; ) {
        if (signal?.aborted === true) throw new BackupError('INTERRUPTED', 'interrupted; nothing was kept');
        const part = chunk.subarray(0, Math.min(chunk.length, bytes - at));
        if ((await readFully(source, part, at)) < part.length) throw changed(from, 'it was cut');
        hash.update(part);
        await writeFully(target, part, at);
        at += part.length;
        onCopied(part.length);
      }
      if (hash.digest('hex') !== sha256) throw changed(from, 'its SHA-256 is another one');
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

function changed(path: string, what: string): BackupError {
  return new BackupError(
    'DATA_CORRUPTED',
    `'${path}' is not what was saved: ${what}; verify the backup and use another one`,
    { details: { file: path } },
  );
}
