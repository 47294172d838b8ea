/** A backup on its way in: parts as a node sends them, into a directory that is there when all of it is. */
import { createHash, type Hash } from 'node:crypto';
import { crc32, type Disk, type DiskFile, ensureDirectory, parentDirectory, writeFully } from '@shanghai/env';
import { BackupError } from './backup-error.js';
import {
  type BackupManifest,
  backupFormat,
  encodeManifest,
  groupDirectory,
  isGroupFileName,
  type ManifestFile,
  type ManifestGroup,
  manifestName,
  manifestSumName,
} from './backup-manifest.js';
import type { BackupGroupCut, BackupHeader, BackupPart } from './backup-parts.js';
import { makeDirectoryWhole, writeNewFile } from './new-directory.js';

/** How a backup is written. */
export interface SaveOptions {
  readonly disk: Disk;
  /** Absent, or an empty directory. */
  readonly directory: string;
  /** Bytes that have come, and all there will be of the group that is coming. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/**
 * Writes a backup. Resolves when it is whole and durable; else nothing is left of it. Rejects as the parts do, with
 * `BackupError` where they are none, and as the disk does.
 */
export async function saveBackup(parts: AsyncIterable<BackupPart>, options: SaveOptions): Promise<BackupManifest> {
  const { disk, directory } = options;
  const source = parts[Symbol.asyncIterator]();
  try {
    const first = await source.next();
    if (first.done === true || first.value.type !== 'header') throw broken('it does not begin with a header');
    const { type, ...header } = first.value;
    return await makeDirectoryWhole(disk, directory, header.backupId, async (partial) => {
      const writer = new BackupWriter(options, header, partial);
      for (let next = await source.next(); next.done !== true; next = await source.next())
        await writer.take(next.value);
      return writer.end();
    });
  } finally {
    await source.return?.();
  }
}

interface OpenFile {
  readonly file: DiskFile;
  readonly name: string;
  readonly bytes: number;
  readonly hash: Hash;
  at: number;
}

interface OpenGroup {
  readonly cut: BackupGroupCut;
  readonly files: ManifestFile[];
  readonly names: Set<string>;
  bytes: number;
}

class BackupWriter {
  readonly #options: SaveOptions;
  readonly #header: BackupHeader;
  readonly #directory: string;
  readonly #groups: ManifestGroup[] = [];
  #group: OpenGroup | undefined;
  #file: OpenFile | undefined;
  #total = { files: 0, bytes: 0 };
  #isEnded = false;

  constructor(options: SaveOptions, header: BackupHeader, directory: string) {
    this.#options = options;
    this.#header = header;
    this.#directory = directory;
  }

  async take(part: BackupPart): Promise<void> {
    if (this.#isEnded) throw broken('something comes behind its end');
    switch (part.type) {
      case 'header':
        throw broken('it has two headers');
      case 'group': {
        await this.#endGroup();
        const { type, ...cut } = part;
        this.#group = { cut, files: [], names: new Set(), bytes: 0 };
        return;
      }
      case 'file':
        await this.#endFile();
        return this.#begin(part.name, part.bytes);
      case 'bytes':
        return this.#add(part.data, part.checksum);
      case 'end':
        await this.#endGroup();
        if (part.files !== this.#total.files || part.bytes !== this.#total.bytes) {
          throw broken(`${this.#total.files} files came, the node sent ${part.files}`);
        }
        this.#isEnded = true;
        return;
    }
  }

  /** The manifest is the last thing that is written. */
  async end(): Promise<BackupManifest> {
    await this.#endGroup().catch(() => undefined);
    if (!this.#isEnded) throw broken('it ends early');
    const manifest = { format: backupFormat, ...this.#header, groups: this.#groups };
    const { bytes, sum } = encodeManifest(manifest);
    const { disk } = this.#options;
    await writeNewFile(disk, `${this.#directory}/${manifestName}`, bytes);
    await writeNewFile(disk, `${this.#directory}/${manifestSumName}`, sum);
    return manifest;
  }

  async #begin(name: string, bytes: number): Promise<void> {
    const group = this.#group;
    if (group === undefined || !isGroupFileName(name) || group.names.has(name)) {
      throw broken(`it names a file '${name.slice(0, 200)}'`);
    }
    group.names.add(name);
    const path = `${this.#directory}/${groupDirectory(group.cut.groupId)}/${name}`;
    const { disk } = this.#options;
    await ensureDirectory(disk, parentDirectory(path));
    this.#file = { file: await disk.open(path, 'create'), name, bytes, hash: createHash('sha256'), at: 0 };
  }

  async #add(data: Uint8Array, checksum: number): Promise<void> {
    const open = this.#file;
    const group = this.#group;
    if (open === undefined || group === undefined) throw broken('bytes come without a file');
    if (crc32(data) !== checksum || open.at + data.length > open.bytes) {
      throw broken(`what came of '${open.name}' at ${open.at} is not what was sent`);
    }
    await writeFully(open.file, data, open.at);
    open.hash.update(data);
    open.at += data.length;
    group.bytes += data.length;
    this.#options.onProgress?.(this.#total.bytes + group.bytes, this.#total.bytes + group.cut.bytes, open.name);
  }

  async #endFile(): Promise<void> {
    const open = this.#file;
    this.#file = undefined;
    if (open === undefined) return;
    await open.file.close();
    const { name, bytes, at, hash } = open;
    if (at < bytes) throw broken(`'${name}' ends at ${at} of ${bytes} bytes`);
    this.#group?.files.push({ name, bytes, sha256: hash.digest('hex') });
  }

  async #endGroup(): Promise<void> {
    await this.#endFile();
    const group = this.#group;
    this.#group = undefined;
    if (group === undefined) return;
    const { files, bytes, ...cut } = group.cut;
    const { groupId } = cut;
    if (group.files.length !== files || group.bytes !== bytes) {
      throw broken(`${group.files.length} files of group ${groupId} came, the node has ${files}`);
    }
    this.#groups.push({ ...cut, files: group.files });
    this.#total = { files: this.#total.files + files, bytes: this.#total.bytes + bytes };
  }
}

function broken(what: string): BackupError {
  return new BackupError('DATA_CORRUPTED', `the backup did not come whole: ${what}; nothing was kept, save it again`);
}
