/** Checks a backup, every byte of it, without a server. */
import { createHash } from 'node:crypto';
import { type Disk, readFully } from '@shanghai/env';
import { BackupError } from './backup-error.js';
import { type BackupManifest, groupDirectory, manifestName, manifestSumName, readManifest } from './backup-manifest.js';

/** What is wrong with a backup: docs/formats/backup.md, section 5. */
export interface BackupFinding {
  readonly code:
    | 'NO_MANIFEST'
    | 'MANIFEST_DAMAGED'
    | 'UNSUPPORTED_FORMAT'
    | 'FILE_MISSING'
    | 'FILE_LENGTH'
    | 'FILE_DAMAGED'
    | 'FILE_UNKNOWN';
  /** Below the backup's directory. */
  readonly file: string;
  readonly what: string;
}

/** What a check saw. */
export interface BackupReport {
  /** Absent where it cannot be read. */
  readonly manifest?: BackupManifest;
  readonly files: number;
  readonly bytes: number;
  /** Empty: the backup is what was written. */
  readonly findings: readonly BackupFinding[];
}

/** How a backup is checked. */
export interface VerifyOptions {
  readonly disk: Disk;
  readonly signal?: AbortSignal;
  /** In bytes. */
  readonly onProgress?: (done: number, total: number) => void;
}

const chunkBytes = 1_048_576;

/** Reads all of a backup. What is wrong is found, not thrown; rejects as the disk does, and with the signal's reason. */
export async function verifyBackup(directory: string, options: VerifyOptions): Promise<BackupReport> {
  const { disk, signal, onProgress } = options;
  const manifest = await readManifest(disk, directory).catch((error: unknown) => findingOf(error));
  if ('code' in manifest) return { files: 0, bytes: 0, findings: [manifest] };
  const findings: BackupFinding[] = [];
  const named = new Set([manifestName, manifestSumName]);
  const all = manifest.groups.flatMap(({ groupId, files }) =>
    files.map((file) => ({ ...file, path: `${groupDirectory(groupId)}/${file.name}` })),
  );
  const total = all.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  for (const { path, bytes, sha256 } of all) {
    named.add(path);
    const before = done;
    const finding = await checkFile(disk, directory, { path, bytes, sha256 }, signal, (at) =>
      onProgress?.(before + at, total),
    );
    if (finding !== undefined) findings.push(finding);
    done += bytes;
  }
  for (const path of await allFiles(disk, directory, '')) {
    if (!named.has(path)) findings.push({ code: 'FILE_UNKNOWN', file: path, what: 'the manifest does not name it' });
  }
  return { manifest, files: all.length, bytes: total, findings };
}

/** SHA-256 of a file's first `bytes` bytes in hexadecimal; `undefined` where it is shorter. */
export async function sha256Of(
  disk: Disk,
  path: string,
  bytes: number,
  signal?: AbortSignal,
  onRead: (at: number) => void = () => undefined,
): Promise<string | undefined> {
  const file = await disk.open(path, 'read');
  try {
    const hash = createHash('sha256');
    const chunk = new Uint8Array(Math.min(chunkBytes, bytes));
    for (let at = 0; at < bytes; ) {
      signal?.throwIfAborted();
      const part = chunk.subarray(0, Math.min(chunk.length, bytes - at));
      if ((await readFully(file, part, at)) < part.length) return undefined;
      hash.update(part);
      at += part.length;
      onRead(at);
    }
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

async function checkFile(
  disk: Disk,
  directory: string,
  { path, bytes, sha256 }: { readonly path: string; readonly bytes: number; readonly sha256: string },
  signal: AbortSignal | undefined,
  onRead: (at: number) => void,
): Promise<BackupFinding | undefined> {
  const stat = await disk.stat(`${directory}/${path}`);
  if (stat === undefined) return { code: 'FILE_MISSING', file: path, what: 'it is not there' };
  if (stat.kind !== 'file' || stat.bytes !== bytes) {
    return { code: 'FILE_LENGTH', file: path, what: `it has ${stat.bytes} bytes, expected ${bytes}` };
  }
  const found = await sha256Of(disk, `${directory}/${path}`, bytes, signal, onRead);
  if (found === sha256) return undefined;
  return {
    code: 'FILE_DAMAGED',
    file: path,
    what: `its SHA-256 is ${found?.slice(0, 16)}…, expected ${sha256.slice(0, 16)}…`,
  };
}

async function allFiles(disk: Disk, directory: string, inside: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await disk.list(inside === '' ? directory : `${directory}/${inside}`)) {
    const path = inside === '' ? name : `${inside}/${name}`;
    const stat = await disk.stat(`${directory}/${path}`);
    if (stat?.kind === 'directory') found.push(...(await allFiles(disk, directory, path)));
    else found.push(path);
  }
  return found;
}

function findingOf(error: unknown): BackupFinding {
  if (!(error instanceof BackupError)) throw error;
  const codes = { NOT_FOUND: 'NO_MANIFEST', UNSUPPORTED: 'UNSUPPORTED_FORMAT' } as const;
  const code = error.code === 'NOT_FOUND' || error.code === 'UNSUPPORTED' ? codes[error.code] : 'MANIFEST_DAMAGED';
  return { code, file: manifestName, what: error.message };
}
