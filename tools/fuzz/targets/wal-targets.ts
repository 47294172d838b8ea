import { crc32, createSeededRandom, type Disk } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import { emptyHardState, RaftError } from '@shanghai/raft';
import { openWalHostLog } from '@shanghai/raft/wal';
import { openWal, type Wal, WalError } from '@shanghai/wal';
import { frameLength, frameSeed } from '../../../packages/wal/src/core/frame.js';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  segmentHeaderBytes,
  segmentSeed,
  toHex,
} from '../../../packages/wal/src/core/segment-header.js';
import { readReport } from '../../../packages/wal/src/offline/verify-wal.js';
import { directoryTarget } from '../directory-target.js';
import type { FuzzTarget } from '../fuzz-target.js';

let openings = 0;

function openOn(disk: Disk): Promise<Wal> {
  return openWal({
    directory: '/wal',
    disk,
    clock: createManualClock(),
    random: createSeededRandom(++openings),
    segmentBytes: 65_536,
    firstSegmentBytes: 8_192,
    segmentsAhead: 0,
    lock: false,
  });
}

const payload = (lsn: number) => new Uint8Array(30 + ((lsn * 97) % 700)).fill(lsn);

async function buildLog(disk: Disk): Promise<void> {
  const wal = await openOn(disk);
  for (let lsn = 1; lsn <= 24; lsn++) await wal.append(payload(lsn), { stream: 1 + (lsn % 3), kind: lsn % 5 });
  await wal.close();
}

async function readLog(disk: Disk): Promise<void> {
  const wal = await openOn(disk);
  try {
    const { lastLsn } = wal.info();
    for (let lsn = 1; lsn <= lastLsn; lsn++) await wal.read(lsn).catch(passOver);
  } finally {
    await wal.close();
  }
}

/** A record that cannot be read is refused alone; the next one may be sound. */
function passOver(error: unknown): void {
  if (!(error instanceof WalError)) throw error;
}

async function buildHostLog(disk: Disk): Promise<void> {
  const wal = await openOn(disk);
  const host = await openWalHostLog({ wal, loneVoter: 1, clock: createManualClock() });
  for (const groupId of [1, 2]) {
    const group = await host.open(groupId);
    for (let index = 1; index <= 8; index++) {
      const entry = { index, term: 1 + (index >> 2), type: 'EntryNormal' as const, data: payload(index) };
      const hardState = index % 3 === 0 ? { term: entry.term, vote: 1, commit: index - 1 } : emptyHardState;
      await group.append({ entries: [entry], hardState, snapshot: undefined });
    }
  }
  await wal.close();
}

async function readHostLog(disk: Disk): Promise<void> {
  const wal = await openOn(disk);
  try {
    const host = await openWalHostLog({ wal, loneVoter: 1, clock: createManualClock() });
    for (const groupId of [1, 2]) {
      const group = await host.open(groupId);
      group.entries(group.firstIndex(), group.lastIndex() + 1, 1e9);
    }
  } finally {
    await wal.close();
  }
}

/** The header's checksum, then each frame's that can be found. */
function sealSegment(bytes: Uint8Array): void {
  if (bytes.length < segmentHeaderBytes) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(segmentHeaderBytes - 4, crc32(bytes, 0, 0, segmentHeaderBytes - 4), true);
  const seed = segmentSeed(toHex(bytes.subarray(16, 24)));
  for (let at = segmentHeaderBytes; at + 40 <= bytes.length; ) {
    const length = frameLength(view, at);
    if (length < 40 || length % 8 !== 0 || at + length > bytes.length) return;
    view.setUint32(at, crc32(bytes, frameSeed(seed, at), at + 4, at + length), true);
    at += length;
  }
}

const header = {
  segmentId: '0123456789abcdef',
  logId: '0123456789abcdef0123456789abcdef',
  baseLsn: 7,
  createdMs: 1_700_000_000_000,
  capacityBytes: 65_536,
  allocatedBytes: 8_192,
  features: 3,
};

/** The write-ahead log, and the log of consensus on it. */
export const walTargets: readonly FuzzTarget[] = [
  {
    name: 'wal: header of a segment',
    examples: () => [encodeSegmentHeader(header)],
    decode: (bytes) => decodeSegmentHeader(bytes),
    seal(bytes) {
      if (bytes.length < segmentHeaderBytes) return;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      view.setUint32(segmentHeaderBytes - 4, crc32(bytes, 0, 0, segmentHeaderBytes - 4), true);
    },
    refusals: [],
  },
  directoryTarget({
    name: 'wal: directory',
    build: buildLog,
    use: readLog,
    files: /\.wal$/,
    seal: sealSegment,
    refusals: [WalError],
  }),
  directoryTarget({
    name: 'wal: directory, checked while nobody has it open',
    build: buildLog,
    use: (disk) => readReport(disk, '/wal'),
    files: /\.wal$/,
    seal: sealSegment,
    refusals: [WalError],
  }),
  directoryTarget({
    name: 'raft: log of groups',
    build: buildHostLog,
    use: readHostLog,
    files: /\.wal$/,
    seal: sealSegment,
    refusals: [WalError, RaftError],
  }),
];
