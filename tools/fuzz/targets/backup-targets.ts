/** Backups and archives, which may have lain anywhere. */
import { createHash } from 'node:crypto';
import { crc32, type Disk, InvariantError, writeFully } from '@shanghai/env';
import { decodeRestoredMark, encodeRestoredMark } from '../../../apps/server/src/apply/restored-mark.js';
import {
  archiveFileName,
  archiveGroupDirectory,
  archiveMarkName,
  encodeArchiveMark,
  readArchive,
  readArchiveMark,
} from '../../../apps/server/src/backup/archive-directory.js';
import {
  archiveHeaderBytes,
  crcOfBlock,
  encodeArchiveBlock,
  encodeArchiveHeader,
} from '../../../apps/server/src/backup/archive-file.js';
import { BackupError } from '../../../apps/server/src/backup/backup-error.js';
import {
  encodeManifest,
  manifestName,
  manifestSumName,
  readManifest,
} from '../../../apps/server/src/backup/backup-manifest.js';
import { directoryTarget } from '../directory-target.js';
import type { FuzzTarget } from '../fuzz-target.js';

async function writeWhole(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, 'create');
  await writeFully(file, bytes, 0);
  await file.sync();
  await file.close();
}

const archive = '/a';
const inside = archiveGroupDirectory(archive, 1);
const archiveDirectories = [archive, `${archive}/groups`, inside];
const entriesFrom = (first: number) =>
  [0, 1, 2].map((i) => ({ index: first + i, term: 2, type: 0, data: new Uint8Array(40).fill(first + i) }));

async function buildArchive(disk: Disk): Promise<void> {
  for (const path of archiveDirectories) await disk.makeDirectory(path);
  const header = encodeArchiveHeader(1, 5);
  const first = encodeArchiveBlock(entriesFrom(5), 77, new DataView(header.buffer).getUint32(60, true));
  const second = encodeArchiveBlock(entriesFrom(8), 78, crcOfBlock(first));
  const whole = Buffer.concat([header, first, second]);
  await writeWhole(disk, `${inside}/${archiveFileName(5)}`, whole);
  const ends = [{ groupId: 1, firstIndex: 5, bytes: whole.length }];
  await writeWhole(disk, `${archive}/${archiveMarkName}`, encodeArchiveMark({ clusterId: 'c', ends }));
}

async function useArchive(disk: Disk): Promise<number> {
  await readArchiveMark(disk, archive);
  let count = 0;
  for await (const { entries } of readArchive(disk, archive, 1, 5)) count += entries.length;
  return count;
}

/** The header's checksum, and those of the blocks behind it. */
function sealArchive(bytes: Uint8Array, path: string): void {
  if (!path.endsWith('.entries') || bytes.length < archiveHeaderBytes) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(60, crc32(bytes, 0, 0, 60), true);
  let seed = view.getUint32(60, true);
  for (let at = archiveHeaderBytes; at + 32 <= bytes.length; ) {
    const end = at + 32 + view.getUint32(at, true);
    if (end > bytes.length) return;
    view.setUint32(at + 24, crc32(bytes, crc32(bytes, seed, at, at + 24), at + 32, end), true);
    seed = view.getUint32(at + 24, true);
    at = end;
  }
}

const manifest = encodeManifest({
  format: 1,
  backupId: 'b',
  clusterId: 'c',
  engine: 'bitcask',
  nodeId: 1,
  timeMs: 5,
  groups: [
    {
      groupId: 1,
      appliedIndex: 9,
      appliedTerm: 2,
      revision: 7,
      logTimeMs: 5,
      files: [{ name: 'store/MANIFEST', bytes: 100, sha256: '0'.repeat(64) }],
    },
  ],
} as never);

const restored = { backupId: 'b', clusterId: 'c', index: 9, term: 2, fromIndex: 5, logTimeMs: 7 };

/** What backups are read with. */
export const backupTargets: readonly FuzzTarget[] = [
  directoryTarget({
    name: 'server: archive',
    build: buildArchive,
    use: useArchive,
    directories: archiveDirectories,
    seal: sealArchive,
    refusals: [BackupError],
    cost: 3,
  }),
  directoryTarget({
    name: 'server: manifest of a backup',
    async build(disk) {
      await disk.makeDirectory('/b');
      await writeWhole(disk, `/b/${manifestName}`, manifest.bytes);
      await writeWhole(disk, `/b/${manifestSumName}`, manifest.sum);
    },
    async use(disk) {
      // A checksum can be made to hold; what stands in the manifest is judged all the same.
      const file = await disk.open(`/b/${manifestName}`, 'read');
      const bytes = new Uint8Array(await file.size());
      await file.read(bytes, 0);
      await file.close();
      const sum = Buffer.from(`${createHash('sha256').update(bytes).digest('hex')}  ${manifestName}\n`);
      await disk.remove(`/b/${manifestSumName}`);
      await writeWhole(disk, `/b/${manifestSumName}`, sum);
      return await readManifest(disk, '/b');
    },
    directories: ['/b'],
    files: /\.json$/,
    refusals: [BackupError],
    cost: 3,
  }),
  {
    name: 'server: mark of a restored state',
    examples: () => [new Uint8Array(encodeRestoredMark(restored))],
    decode: (bytes) => decodeRestoredMark(bytes),
    refusals: [InvariantError],
  },
];
