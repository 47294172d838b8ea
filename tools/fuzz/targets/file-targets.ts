/** Files of a node other than its log and its stores. */
import { crc32, createSeededRandom, type Disk, writeFully } from '@shanghai/env';
import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { openDataDirectory } from '../../../apps/server/src/data-directory.js';
import { DataDirectoryError } from '../../../apps/server/src/data-directory-error.js';
import { EngineError } from '../../../apps/server/src/engine/engine-error.js';
import { readEntriesFile, writeEntriesFile } from '../../../apps/server/src/engine/entries-file.js';
import { readLevelMark } from '../../../apps/server/src/engine/level-mark-file.js';
import {
  decodeLevelMeta,
  decodeLevelValue,
  encodeLevelMeta,
  encodeLevelValue,
  levelMetaKey,
} from '../../../apps/server/src/engine/level-record.js';
import { unsnappy } from '../../../apps/server/src/engine/unsnappy.js';
import { GroupDirectories } from '../../../apps/server/src/raft/group-directories.js';
import { readJournal } from '../../../apps/server/src/raft/snapshot-journal.js';
import { readLockRecord } from '../../../packages/env/src/node/lock-record.js';
import { directoryTarget } from '../directory-target.js';
import type { FuzzTarget } from '../fuzz-target.js';
import { temporaryDirectory, temporaryFile } from '../temporary-file.js';

const text = (value: string) => new Uint8Array(Buffer.from(value));
const plain = (bytes: Uint8Array) => new Uint8Array(bytes);
const json = (item: unknown) => text(JSON.stringify(item));
const key = text('key');

/** A disk that holds one file. */
function diskOf(path: string, bytes: Uint8Array): Disk {
  const disk = createFaultDisk({ seed: 1 });
  disk.setContents(path, bytes);
  return disk;
}

/** The checksum in front of a value of the level engine. */
function sealLevel(bytes: Uint8Array, of: Uint8Array): void {
  if (bytes.length < 13) return;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, crc32(bytes, crc32(of), 4, bytes.length));
}

const stateDirectories = ['/groups', '/groups/1.9-9', '/groups/1.9-9/store'];

async function writeWhole(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, 'create');
  await writeFully(file, bytes, 0);
  await file.sync();
  await file.close();
}

async function openDirectory(disk: Disk): Promise<void> {
  const opened = await openDataDirectory({
    path: '/data',
    nodeId: undefined,
    firstMembers: [],
    clusterToken: 't',
    engine: 'bitcask',
    breakLock: false,
    disk,
    random: createSeededRandom(3),
    nowMs: createManualClock().nowMs(),
  });
  await opened.lock.release();
}

const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const entries = Array.from({ length: 9 }, (_, i) => ({
  key: text(`key ${i}`),
  value: text('v'.repeat(i * 40)),
  sequence: i + 1,
  expiresAtMs: 0,
}));

async function writeEntries(disk: Disk): Promise<void> {
  async function* all() {
    yield* entries;
  }
  await disk.makeDirectory('/e');
  await writeEntriesFile(disk, '/e/entries', { sequence: 9, entries: all() });
}

async function readEntries(disk: Disk): Promise<number> {
  let count = 0;
  for await (const block of readEntriesFile(disk, '/e/entries')) count += block.entries.length;
  return count;
}

/** Identity, marks and journals, and the level engine's records. */
export const fileTargets: readonly FuzzTarget[] = [
  directoryTarget({
    name: 'server: identity of a data directory',
    build: openDirectory,
    use: openDirectory,
    directories: ['/data', '/data/wal', '/data/groups', '/data/logs'],
    files: /node\.json$/,
    refusals: [DataDirectoryError],
    cost: 3,
  }),
  directoryTarget({
    name: "server: mark of a group's directory",
    async build(disk) {
      for (const path of stateDirectories) await disk.makeDirectory(path);
      const mark = { format: 1, directory: '1.9-9', term: 9, index: 9, confState, logs: [1, 2] };
      await writeWhole(disk, '/groups/1.current', json(mark));
    },
    use: (disk) => GroupDirectories.open(disk, '/groups', 1),
    directories: stateDirectories,
    refusals: [DataDirectoryError],
    cost: 3,
  }),
  {
    name: 'server: journal of a snapshot',
    examples: () => [
      json({
        format: 1,
        term: 3,
        index: 9,
        data: 'c29tZQ==',
        files: [{ name: 'a', bytes: 3, crc: 7 }],
        complete: true,
      }),
    ],
    decode: (bytes) => readJournal(diskOf('/g/journal', bytes), '/g'),
    refusals: [],
    cost: 3,
  },
  {
    name: 'server: mark of the level engine',
    examples: () => [json({ version: 1, sequence: 77, log: '000003.log', logBytes: 400 })],
    decode: (bytes) => readLevelMark(diskOf('/l/checkpoint.json', bytes), '/l'),
    refusals: [EngineError],
    cost: 3,
  },
  {
    name: 'server: value of the level engine',
    examples: () => [
      plain(encodeLevelValue(key, { value: text('value'), sequence: 2 ** 40, expiresAtMs: 0 })),
      plain(encodeLevelValue(key, { value: text('value'), sequence: 9, expiresAtMs: 9_000_000_000_000 })),
    ],
    decode: (bytes) => decodeLevelValue(key, bytes),
    seal: (bytes) => sealLevel(bytes, key),
    refusals: [EngineError],
  },
  {
    name: 'server: meta record of the level engine',
    examples: () => [plain(encodeLevelMeta({ sequence: 9, keysByFirstByte: new Float64Array(256).fill(3) }))],
    decode: (bytes) => decodeLevelMeta(bytes),
    seal: (bytes) => sealLevel(bytes, levelMetaKey),
    refusals: [EngineError],
  },
  {
    name: 'server: packed block',
    examples: () => [Uint8Array.of(11, 0x28, ...text('hello hello')), Uint8Array.of(8, 0, 65, 0x0d, 1, 0x05, 1)],
    decode: (bytes) => unsnappy(bytes, 1_000_000),
    refusals: [],
  },
  directoryTarget({
    name: 'server: entries of an export',
    build: writeEntries,
    use: readEntries,
    refusals: [EngineError],
    cost: 3,
  }),
  {
    name: 'env: record of a lock',
    examples: () => [
      json({ id: 'a', pid: 17, startedMs: 5, bootId: 'b', host: 'alpha', description: 'shanghai server' }),
    ],
    decode(bytes) {
      temporaryFile('lock.json', bytes);
      return readLockRecord(temporaryDirectory());
    },
    refusals: [],
    cost: 5,
  },
];
