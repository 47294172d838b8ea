/** What a backup says of itself: docs/formats/backup.md, section 1. */
import { createHash } from 'node:crypto';
import { type Disk, readWholeFile } from '@shanghai/env';
import { BackupError } from './backup-error.js';
import type { BackupGroupCut, BackupHeader } from './backup-parts.js';

/** A file of a group. */
export interface ManifestFile {
  /** Below the group's directory. */
  readonly name: string;
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** A group of a backup. */
export interface ManifestGroup extends Omit<BackupGroupCut, 'files' | 'bytes'> {
  readonly files: readonly ManifestFile[];
}

/** The whole of it. */
export interface BackupManifest extends BackupHeader {
  readonly format: number;
  /** In the order in which they were taken. */
  readonly groups: readonly ManifestGroup[];
}

/** The newest format that this program knows, and the one it writes. */
export const backupFormat = 1;

/** Names of the two files. */
export const manifestName = 'manifest.json';
/** Holds the other's checksum. */
export const manifestSumName = 'manifest.sha256';

const maxManifestBytes = 256 * 1024 * 1024;

/** The manifest's bytes, and those of the file beside it. */
export function encodeManifest(manifest: BackupManifest): { readonly bytes: Buffer; readonly sum: Buffer } {
  const bytes = Buffer.from(`${JSON.stringify(manifest, undefined, 1)}\n`);
  return { bytes, sum: sumOf(bytes) };
}

/** Reads and checks the manifest of a backup. Rejects with `BackupError` `NOT_FOUND`, `DATA_CORRUPTED`, `UNSUPPORTED`. */
export async function readManifest(disk: Disk, directory: string): Promise<BackupManifest> {
  const read = (name: string) => readWholeFile(disk, `${directory}/${name}`, maxManifestBytes);
  const [bytes, sum] = await Promise.all([read(manifestName), read(manifestSumName)]);
  if (bytes === undefined || sum === undefined) {
    const name = bytes === undefined ? manifestName : manifestSumName;
    throw new BackupError('NOT_FOUND', `there is no whole backup in '${directory}': it has no ${name}`);
  }
  if (!sumOf(bytes).equals(sum)) {
    throw damaged(directory, `${manifestName} is not what ${manifestSumName} says`);
  }
  const manifest = parse(bytes, directory);
  const { format } = manifest;
  if (typeof format === 'number' && format > backupFormat) {
    throw new BackupError(
      'UNSUPPORTED',
      `the backup in '${directory}' has format ${format}, this version knows up to ${backupFormat}; use a newer version`,
    );
  }
  if (format !== backupFormat || !isWhole(manifest)) throw damaged(directory, `${manifestName} is incomplete`);
  return manifest;
}

/** Names that a file of a group may have: those of a group's snapshot. */
export function isGroupFileName(name: string): boolean {
  return (
    /^(?:store|logs\/\d{1,10}\/\d{1,10}(?:\.\d{1,16})?)\/[A-Za-z0-9_.-]{1,100}$/.test(name) && !/\/\.\.?$/.test(name)
  );
}

/** Where a group's files lie in a backup. */
export function groupDirectory(groupId: number): string {
  return `groups/${groupId}`;
}

function sumOf(bytes: Uint8Array): Buffer {
  return Buffer.from(`${createHash('sha256').update(bytes).digest('hex')}  ${manifestName}\n`);
}

function parse(bytes: Uint8Array, directory: string): BackupManifest {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString());
    if (typeof parsed === 'object' && parsed !== null) return parsed as BackupManifest;
  } catch {
    // Told below.
  }
  throw damaged(directory, `${manifestName} is no JSON object`);
}

function isWhole(manifest: Partial<BackupManifest>): boolean {
  const { backupId, clusterId, engine, groups, nodeId, timeMs } = manifest;
  const isText = [backupId, clusterId, engine].every((text) => typeof text === 'string');
  return isText && [nodeId, timeMs].every(Number.isFinite) && Array.isArray(groups) && groups.every(isWholeGroup);
}

function isWholeGroup(group: Partial<ManifestGroup> | null): boolean {
  if (typeof group !== 'object' || group === null) return false;
  const { groupId, appliedIndex, appliedTerm, revision, logTimeMs, files } = group;
  const numbers = [groupId, appliedIndex, appliedTerm, revision, logTimeMs];
  if (!numbers.every((number) => Number.isSafeInteger(number) && (number as number) >= 0)) return false;
  return (
    Array.isArray(files) && files.every(isWholeFile) && new Set(files.map(({ name }) => name)).size === files.length
  );
}

function isWholeFile(file: Partial<ManifestFile> | null): boolean {
  if (typeof file !== 'object' || file === null) return false;
  const { name, bytes, sha256 } = file;
  if (typeof name !== 'string' || !isGroupFileName(name)) return false;
  return Number.isSafeInteger(bytes) && (bytes as number) >= 0 && /^[0-9a-f]{64}$/.test(sha256 ?? '');
}

function damaged(directory: string, what: string): BackupError {
  return new BackupError('DATA_CORRUPTED', `the backup in '${directory}' is damaged: ${what}; use another one`);
}
