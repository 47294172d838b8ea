/**
 * A snapshot on its way in: files that are gathered in a directory with a journal of what they are to be, so that an
 * attempt that broke off, by the network or by the end of this process, is gone on with.
 *
 * How much there is of a file is its length; whether it is right is known at the end, when every checksum is compared.
 * Until then nothing is synced, so what a power failure makes of a file is found there too, and only that file comes again.
 * So does a file whose sync fails: it reads as if it were whole, and is not on the disk.
 */
import { type Disk, type DiskFile, ensureDirectory, isErrno, parentDirectory, writeFully } from '@shanghai/env';
import type { Snapshot, SnapshotFile, SnapshotSink } from '@shanghai/raft';
import { crc32c } from '../engine/crc32c.js';
import { removeIfPresent } from '../logs/remove-tree.js';
import { fileChecksum } from './file-checksum.js';
import { GroupSnapshotError } from './group-snapshot-error.js';
import { journalName, readJournal, type SnapshotJournal, writeJournal } from './snapshot-journal.js';

/** What a snapshot is gathered with. */
export interface IncomingSnapshotOptions {
  readonly disk: Disk;
  /** Made where it is missing; what is in it and does not belong to this snapshot is removed. */
  readonly directory: string;
  readonly snapshot: Snapshot;
  /** Does one thing after the other, of all who gather in the directory. */
  readonly inTurn: <Result>(work: () => Promise<Result>) => Promise<Result>;
  /** Told when everything is there, durably: takes the directory away, before `complete` resolves. */
  readonly onComplete: () => Promise<void>;
}

/** More than any group has: each is at least some KiB. */
const maxFiles = 1_000_000;

/** A file that is being written. */
interface WrittenFile {
  readonly file: DiskFile;
  at: number;
  /** Of all bytes so far; `undefined` where the first ones came with an earlier attempt. */
  crc: number | undefined;
}

/** Gathers one snapshot. */
export class IncomingSnapshot implements SnapshotSink {
  readonly #options: IncomingSnapshotOptions;
  #files = new Map<string, SnapshotFile>();
  #present = new Map<string, number>();
  readonly #checksums = new Map<string, number>();
  #open: ({ readonly name: string } & WrittenFile) | undefined;
  #ended: Error | undefined;

  constructor(options: IncomingSnapshotOptions) {
    this.#options = options;
  }

  async begin(files: readonly SnapshotFile[]): Promise<readonly number[]> {
    this.#assertGoesOn();
    const { disk, directory, snapshot } = this.#options;
    this.#files = checkedFiles(files);
    return this.#inTurn(async () => {
      const journal = await readJournal(disk, directory);
      const kept = new Set(
        journal?.files.filter((file) => isSame(file, this.#files.get(file.name))).map(({ name }) => name),
      );
      await ensureDirectory(disk, directory);
      // First the promise of what is there goes, then what is not promised any more.
      const { term, index } = snapshot.metadata;
      await writeJournal(disk, directory, { term, index, data: snapshot.data, files, complete: false });
      this.#present = await removeOthers(disk, directory, kept);
      for (const [name, { bytes }] of this.#files) {
        if ((this.#present.get(name) ?? 0) > bytes) await this.#forget(name);
        if (!this.#present.has(name)) await ensureDirectory(disk, parentDirectory(`${directory}/${name}`));
      }
      return files.map(({ name }) => this.#present.get(name) ?? 0);
    });
  }

  async write(name: string, offset: number, bytes: Uint8Array): Promise<void> {
    const file = this.#files.get(name);
    if (file === undefined) throw new GroupSnapshotError('DAMAGED', `'${name}' is no file of this snapshot`);
    await this.#inTurn(async () => {
      const written = await this.#opened(name);
      if (offset !== written.at || offset + bytes.length > file.bytes) {
        throw new GroupSnapshotError(
          'DAMAGED',
          `${bytes.length} bytes of '${name}' came for offset ${offset}; ${written.at} of ${file.bytes} are there`,
        );
      }
      await writeFully(written.file, bytes, offset);
      written.at += bytes.length;
      this.#present.set(name, written.at);
      if (written.crc === undefined) return;
      written.crc = crc32c(bytes, written.crc);
      if (written.at === file.bytes) this.#checksums.set(name, written.crc);
    });
  }

  async complete(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#closeFile();
      for (const file of this.#files.values()) await this.#settle(file);
      await this.#settleDirectories();
      const { disk, directory, snapshot } = this.#options;
      const { term, index } = snapshot.metadata;
      const files = [...this.#files.values()];
      await writeJournal(disk, directory, { term, index, data: snapshot.data, files, complete: true });
      await this.#options.onComplete();
      this.#ended = new GroupSnapshotError('INCOMPLETE', 'the snapshot is complete');
    });
  }

  abandon(): Promise<void> {
    return this.replace('the snapshot was broken off');
  }

  /** Takes nothing more; whoever writes is told why. */
  async replace(why: string): Promise<void> {
    this.#ended ??= new GroupSnapshotError('INCOMPLETE', why);
    await this.#options.inTurn(() => this.#closeFile());
  }

  /** Checks a file and makes it durable. */
  async #settle({ name, bytes, crc }: SnapshotFile): Promise<void> {
    const { disk, directory } = this.#options;
    const path = `${directory}/${name}`;
    const present = this.#present.get(name) ?? 0;
    if (bytes === 0 && present === 0 && (await disk.stat(path)) === undefined)
      await (await disk.open(path, 'create')).close();
    if (present < bytes) {
      throw new GroupSnapshotError('INCOMPLETE', `${present} of ${bytes} bytes of '${name}' have come`);
    }
    const found = this.#checksums.get(name) ?? (await fileChecksum(disk, path, bytes));
    if (found !== crc) {
      await this.#forget(name);
      throw new GroupSnapshotError(
        'DAMAGED',
        `'${name}' has checksum ${found}, expected ${crc}; it must be sent again`,
      );
    }
    const file = await disk.open(path, 'write');
    try {
      await file.sync();
    } catch (error) {
      // What a failed sync dropped can still be read, and no later sync writes it: the file must come again.
      await this.#forget(name);
      throw error;
    } finally {
      await file.close();
    }
  }

  /** Makes the names of the files durable. Where that fails nothing is known of any of them, now or later. */
  async #settleDirectories(): Promise<void> {
    const { disk, directory } = this.#options;
    const directories = new Set<string>([directory]);
    for (const { name } of this.#files.values()) {
      for (let at = name; at.includes('/'); at = parentDirectory(at)) {
        directories.add(parentDirectory(`${directory}/${at}`));
      }
    }
    try {
      for (const one of directories) await disk.syncDirectory(one);
    } catch (error) {
      await removeIfPresent(disk, directory);
      throw error;
    }
  }

  async #opened(name: string): Promise<WrittenFile> {
    if (this.#open?.name === name) return this.#open;
    await this.#closeFile();
    const path = `${this.#options.directory}/${name}`;
    const at = this.#present.get(name);
    const file = await this.#options.disk.open(path, at === undefined ? 'create' : 'write');
    this.#open = { name, file, at: at ?? 0, crc: (at ?? 0) === 0 ? 0 : undefined };
    return this.#open;
  }

  async #closeFile(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close();
  }

  async #forget(name: string): Promise<void> {
    await this.#options.disk.remove(`${this.#options.directory}/${name}`);
    this.#present.delete(name);
    this.#checksums.delete(name);
  }

  #assertGoesOn(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await this.#options.inTurn(() => {
        this.#assertGoesOn();
        return work();
      });
    } catch (error) {
      if (!isErrno(error, 'ENOSPC') && !isErrno(error, 'EDQUOT')) throw error;
      throw new GroupSnapshotError(
        'NO_SPACE',
        `no space for a snapshot in '${this.#options.directory}' (${(error as Error).message}); make room, it will be sent again`,
        { cause: error },
      );
    }
  }
}

/** What is gathered in a directory, where it is a whole snapshot. */
export async function gatheredSnapshot(disk: Disk, directory: string): Promise<SnapshotJournal | undefined> {
  const journal = await readJournal(disk, directory);
  return journal?.complete === true ? journal : undefined;
}

/** Removes a directory in which something was gathered, unless it can be gone on with and is still wanted. */
export async function keepGathered(disk: Disk, directory: string, appliedIndex: number): Promise<void> {
  const journal = await readJournal(disk, directory);
  if (journal === undefined || journal.index <= appliedIndex) await removeIfPresent(disk, directory);
}

function checkedFiles(files: readonly SnapshotFile[]): Map<string, SnapshotFile> {
  const checked = new Map<string, SnapshotFile>();
  for (const file of files) {
    const { name, bytes, crc } = file;
    const isNamed = /^(?:store|logs\/\d{1,10}\/\d{1,10})\/[A-Za-z0-9_.-]{1,100}$/.test(name) && !/\/\.\.?$/.test(name);
    if (!isNamed || !Number.isSafeInteger(bytes) || bytes < 0 || !Number.isInteger(crc) || checked.has(name)) {
      throw new GroupSnapshotError('DAMAGED', `a snapshot names a file '${name.slice(0, 200)}' of ${bytes} bytes`);
    }
    checked.set(name, file);
  }
  if (checked.size > maxFiles) throw new GroupSnapshotError('DAMAGED', `a snapshot names ${checked.size} files`);
  return checked;
}

function isSame(one: SnapshotFile, other: SnapshotFile | undefined): boolean {
  return one.bytes === other?.bytes && one.crc === other.crc;
}

/** Removes what is not among `kept`, and resolves to what there is of those. */
async function removeOthers(disk: Disk, directory: string, kept: ReadonlySet<string>): Promise<Map<string, number>> {
  const present = new Map<string, number>();
  const visit = async (inside: string) => {
    for (const name of await disk.list(inside === '' ? directory : `${directory}/${inside}`)) {
      const path = inside === '' ? name : `${inside}/${name}`;
      if (path === journalName) continue;
      const stat = await disk.stat(`${directory}/${path}`);
      if (stat?.kind === 'directory') await visit(path);
      else if (kept.has(path)) present.set(path, stat?.bytes ?? 0);
      else await disk.remove(`${directory}/${path}`);
    }
  };
  await visit('');
  return present;
}
