/**
 * Snapshots of engine level: everything in one file, written from one snapshot of LevelDB, and put into a new database
 * where it is opened. As long as the file is there the directory is no store yet, so a crash in between costs the work only.
 */
import { type Disk, ensureDirectory, isErrno, loopTurn } from '@shanghai/env';
import { EngineError } from './engine-error.js';
import { readEntriesFile, writeEntriesFile } from './entries-file.js';
import type { LevelEngine } from './level-engine.js';
import type { EngineExport, EngineSnapshot } from './storage-engine.js';

const entriesName = 'entries';

/** A snapshot over an export that was begun. `stop` ends the export. */
export class LevelSnapshot implements EngineSnapshot {
  readonly sequence: number;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #content: EngineExport;
  readonly #stop: AbortController;
  #finishing: Promise<void> | undefined;

  constructor(disk: Disk, directory: string, content: EngineExport, stop: AbortController) {
    this.sequence = content.sequence;
    this.#disk = disk;
    this.#directory = directory;
    this.#content = content;
    this.#stop = stop;
  }

  finish(): Promise<void> {
    this.#finishing ??= this.#finish();
    return this.#finishing;
  }

  async abandon(): Promise<void> {
    this.#stop.abort(new EngineError('CLOSED', `the snapshot in '${this.#directory}' was given up`));
    await (this.#finishing ?? this.#giveBack()).catch(() => undefined);
  }

  async #finish(): Promise<void> {
    await ensureDirectory(this.#disk, this.#directory);
    const path = `${this.#directory}/${entriesName}`;
    await writeEntriesFile(this.#disk, path, this.#content, this.#stop.signal);
    await this.#disk.syncDirectory(this.#directory);
  }

  /** An iteration that ends at its first step gives LevelDB's snapshot back. */
  async #giveBack(): Promise<void> {
    for await (const _ of this.#content.entries) return;
  }
}

/** Leaves nothing but the snapshot's file where there is one. Resolves to whether there is. */
export async function prepareLevelSnapshot(disk: Disk, directory: string): Promise<boolean> {
  if ((await disk.stat(`${directory}/${entriesName}`)) === undefined) return false;
  for (const name of await disk.list(directory)) {
    if (name !== entriesName) await removeFile(disk, `${directory}/${name}`);
  }
  return true;
}

/** Fills a new store from the file and removes that. */
export async function loadLevelSnapshot(disk: Disk, directory: string, engine: LevelEngine): Promise<void> {
  const path = `${directory}/${entriesName}`;
  for await (const { entries, sequence } of readEntriesFile(disk, path)) {
    await engine.load(entries, sequence);
    await loopTurn();
  }
  await engine.checkpoint();
  await disk.remove(path);
  await disk.syncDirectory(directory);
}

async function removeFile(disk: Disk, path: string): Promise<void> {
  try {
    await disk.remove(path);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}
