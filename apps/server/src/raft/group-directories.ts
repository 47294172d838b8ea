/**
 * Where a group's state lies, and what decides it (docs/formats/group-snapshot.md, "In the data directory"):
 *
 *   groups/<id>/                   the store, as long as no snapshot was put in
 *   groups/<id>.current            which of the others it is since then; replaced atomically
 *   groups/<id>.<term>-<index>/    a snapshot that was put in
 *   groups/<id>.incoming/, groups/<id>.snapshots/
 *
 * The one file is what a crash leaves whole, old or new; everything it does not name is somebody's leftover.
 */
import { type Disk, readWholeFile, replaceFile } from '@shanghai/env';
import type { SnapshotMetadata } from '@shanghai/raft';
import { DataDirectoryError } from '../data-directory-error.js';
import { listIfPresent, removeIfPresent, removeTree } from '../logs/remove-tree.js';
import { gatheredSnapshot, keepGathered } from './incoming-snapshot.js';

/** Which snapshot is a group's state, or what its state began with. */
export interface CurrentState {
  readonly metadata: SnapshotMetadata;
  /** The logs whose files came with it. */
  readonly logIds: readonly number[];
}

const format = 1;
const maxMarkBytes = 4 * 1024 * 1024;

/** The directories of one group. */
export class GroupDirectories {
  readonly groupId: number;
  readonly #disk: Disk;
  readonly #groups: string;
  #current: CurrentState | undefined;
  #isUncertain = false;

  private constructor(disk: Disk, groups: string, groupId: number) {
    this.#disk = disk;
    this.#groups = groups;
    this.groupId = groupId;
  }

  /** Reads which directory is the group's, and removes what no longer is. `groups`: the directory of all groups. */
  static async open(disk: Disk, groups: string, groupId: number): Promise<GroupDirectories> {
    const directories = new GroupDirectories(disk, groups, groupId);
    directories.#current = await directories.#read();
    await directories.#checkPresent();
    await directories.removeOthers();
    return directories;
  }

  /** `undefined`: no snapshot was ever put in. */
  get current(): CurrentState | undefined {
    return this.#current;
  }

  /** The store of the group's state. */
  get store(): string {
    return this.#current === undefined ? this.#own : `${this.stateOf(this.#current.metadata)}/store`;
  }

  /** Where files of logs lie that came with a snapshot: the directory of the current one, or of `metadata`'s. */
  logsOf(metadata: SnapshotMetadata): string {
    return `${this.stateOf(metadata)}/logs`;
  }

  /** The directory of a snapshot that is, or is to be, the group's state. */
  stateOf({ term, index }: Pick<SnapshotMetadata, 'term' | 'index'>): string {
    return `${this.#own}.${term}-${index}`;
  }

  get incoming(): string {
    return `${this.#own}.incoming`;
  }

  get outgoing(): string {
    return `${this.#own}.snapshots`;
  }

  /** Makes what was gathered a directory that may become the group's, and the next one gathered apart from it. Durable when it resolves. */
  async takeIncoming(metadata: SnapshotMetadata): Promise<void> {
    const state = this.stateOf(metadata);
    // The same came before, and may be being put in.
    if ((await gatheredSnapshot(this.#disk, state)) !== undefined) return removeIfPresent(this.#disk, this.incoming);
    await removeIfPresent(this.#disk, state);
    await this.#disk.rename(this.incoming, this.stateOf(metadata));
    await this.#disk.syncDirectory(this.#groups);
  }

  /** Whether only the next start can tell which state is the group's: it was being changed when the disk failed. */
  get isUncertain(): boolean {
    return this.#isUncertain;
  }

  /** From here on, in this process and after every start, the group's state is that snapshot's directory. */
  async makeCurrent(current: CurrentState): Promise<void> {
    try {
      await replaceFile(this.#disk, this.#mark, encodeCurrent(this.groupId, current));
    } catch (error) {
      // As long as the old name is still seen, the new one was never given.
      const seen = await this.#read().catch(() => current);
      this.#isUncertain = seen?.metadata.index !== this.#current?.metadata.index;
      throw error;
    }
    this.#current = current;
  }

  /** Removes the directories of states that are not the group's, and what was on its way out. */
  async removeOthers(): Promise<void> {
    const current = this.#current === undefined ? undefined : this.#nameOf(this.stateOf(this.#current.metadata));
    const kept = new Set([this.#mark, this.incoming].map((path) => this.#nameOf(path)));
    kept.add(current ?? `${this.groupId}`);
    for (const name of await listIfPresent(this.#disk, this.#groups)) {
      if ((name !== `${this.groupId}` && !name.startsWith(`${this.groupId}.`)) || kept.has(name)) continue;
      const path = `${this.#groups}/${name}`;
      if ((await this.#disk.stat(path))?.kind === 'directory') await removeTree(this.#disk, path);
      else await this.#disk.remove(path);
    }
  }

  /** Removes snapshots that came, in part or whole, and that the group has got beyond without them. */
  async removeOvertaken(appliedIndex: number): Promise<void> {
    await keepGathered(this.#disk, this.incoming, appliedIndex);
    const prefix = `${this.groupId}.`;
    for (const name of await listIfPresent(this.#disk, this.#groups)) {
      const index = name.startsWith(prefix) ? /^\d+-(\d+)$/.exec(name.slice(prefix.length))?.[1] : undefined;
      if (index === undefined || Number(index) > appliedIndex) continue;
      const path = `${this.#groups}/${name}`;
      if (this.#current === undefined || path !== this.stateOf(this.#current.metadata))
        await removeTree(this.#disk, path);
    }
  }

  get #own(): string {
    return `${this.#groups}/${this.groupId}`;
  }

  get #mark(): string {
    return `${this.#own}.current`;
  }

  #nameOf(path: string): string {
    return path.slice(this.#groups.length + 1);
  }

  /** A state that is gone must not be begun anew. */
  async #checkPresent(): Promise<void> {
    const isThere = (await this.#disk.stat(this.store)) !== undefined;
    if (isThere) return;
    const prefix = `${this.groupId}.`;
    const names = await listIfPresent(this.#disk, this.#groups);
    const other = names.find((name) => name.startsWith(prefix) && /^\d+-\d+$/.test(name.slice(prefix.length)));
    if (this.#current === undefined && other === undefined) return;
    const why = this.#current === undefined ? `there is '${other}' and not '${this.groupId}.current'` : 'it is missing';
    throw new DataDirectoryError('DAMAGED', `the store in '${this.store}': ${why}; restore it from a backup`);
  }

  async #read(): Promise<CurrentState | undefined> {
    const bytes = await readWholeFile(this.#disk, this.#mark, maxMarkBytes);
    if (bytes === undefined) return undefined;
    const mark = parse(bytes);
    if (typeof mark?.format === 'number' && mark.format > format) {
      throw new DataDirectoryError(
        'UNSUPPORTED_FORMAT',
        `'${this.#mark}' has format ${mark.format}, this version knows up to ${format}; use a newer version`,
      );
    }
    const { term, index, confState, logs } = mark ?? {};
    const isWhole = Number.isSafeInteger(term) && Number.isSafeInteger(index) && Array.isArray(logs) && confState;
    if (!isWhole) {
      throw new DataDirectoryError('DAMAGED', `'${this.#mark}' cannot be read; restore it from a backup`);
    }
    const metadata = { term, index, confState } as SnapshotMetadata;
    if (mark?.directory === this.#nameOf(this.stateOf(metadata))) return { metadata, logIds: logs as number[] };
    throw new DataDirectoryError('DAMAGED', `'${this.#mark}' names '${mark?.directory}'; restore it from a backup`);
  }
}

/** The bytes of `<id>.current`. */
export function encodeCurrent(groupId: number, { metadata, logIds }: CurrentState): Buffer {
  const { term, index, confState } = metadata;
  const mark = { format, directory: `${groupId}.${term}-${index}`, term, index, confState, logs: logIds };
  return Buffer.from(`${JSON.stringify(mark)}\n`);
}

function parse(bytes: Uint8Array): Partial<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) ?? undefined;
  } catch {
    return undefined;
  }
}
