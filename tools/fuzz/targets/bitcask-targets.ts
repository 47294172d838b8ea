import { BitcaskError, openBitcask, verifyBitcask } from '@shanghai/bitcask';
import { crc32, createSeededRandom, type Disk } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import {
  createHintEntry,
  decodeHintHeader,
  encodeHintHeader,
  HintBlockBuilder,
  hintBlockHeadBytes,
  hintHeaderBytes,
  readHintEntry,
} from '../../../packages/bitcask/src/core/hint-codec.js';
import {
  blockHeadBytes,
  blockSeed,
  decodeSnapshotHeader,
  encodeSnapshotHeader,
  snapshotHeaderBytes,
} from '../../../packages/bitcask/src/core/keydir-snapshot-codec.js';
import { decodeManifest, encodeManifest } from '../../../packages/bitcask/src/core/manifest-codec.js';
import { claimedBytes, crcSeed, segmentSeedOf } from '../../../packages/bitcask/src/core/record.js';
import { decodeSegmentHeader, encodeSegmentHeader } from '../../../packages/bitcask/src/core/segment-header.js';
import { parseName } from '../../../packages/bitcask/src/core/segment-names.js';
import { directoryTarget } from '../directory-target.js';
import type { FuzzTarget } from '../fuzz-target.js';

const text = (value: string) => new Uint8Array(Buffer.from(value));

let openings = 0;

function openOn(disk: Disk) {
  return openBitcask({
    directory: '/store',
    disk,
    clock: createManualClock(),
    random: createSeededRandom(++openings),
    segmentBytes: 4_096,
    merge: { bytesPerSecond: 0, enabled: false },
    compression: { codec: 'lz4', minBytes: 64 },
    keydirSnapshot: { minKeys: 1 },
  });
}

async function build(disk: Disk): Promise<void> {
  const store = await openOn(disk);
  for (let i = 0; i < 60; i++) await store.put(text(`key ${i % 40}`), text(`value ${i} `.repeat(1 + (i % 30))));
  await store.batch([
    { type: 'put', key: text('banana'), value: text('yellow') },
    { type: 'delete', key: text('key 3') },
  ]);
  await store.put(text('date'), text('brown'), { expiresAtMs: 9_000_000_000_000 });
  await store.merge();
  await store.put(text('fig'), text('violet'));
  await store.close();
}

/** Opens, reads every key, and closes; whatever is damaged must be told as such. */
async function use(disk: Disk): Promise<void> {
  const store = await openOn(disk);
  try {
    for (let i = 0; i < 40; i++) await store.get(text(`key ${i}`)).catch(passOver);
    try {
      for await (const _ of store.range({}));
    } catch (error) {
      passOver(error);
    }
    await store.verify();
  } finally {
    await store.close();
  }
}

function passOver(error: unknown): void {
  if (!(error instanceof BitcaskError)) throw error;
}

/** The checksums of what a file of the store holds, by its name. */
function seal(bytes: Uint8Array, path: string): void {
  if (bytes.length < 64) return;
  if (path.endsWith('MANIFEST')) sealManifest(bytes);
  else if (path.endsWith('.data')) sealData(bytes);
  else if (path.endsWith('KEYDIR')) sealKeydir(bytes);
  else sealHint(bytes);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function sealManifest(bytes: Uint8Array): void {
  const end = bytes.length - 4;
  viewOf(bytes).setUint32(end, crc32(bytes, 0, 0, end), true);
}

function sealHeader(bytes: Uint8Array): void {
  viewOf(bytes).setUint32(60, crc32(bytes, 0, 0, 60), true);
}

function sealKeydir(bytes: Uint8Array): void {
  sealHeader(bytes);
  const view = viewOf(bytes);
  const snapshotId = view.getUint32(24, true) + view.getUint32(28, true) * 2 ** 32;
  let number = 0;
  for (let at = snapshotHeaderBytes; at + blockHeadBytes <= bytes.length; number++) {
    const end = at + blockHeadBytes + view.getUint32(at + 8, true);
    if (end > bytes.length) return;
    const seed = crc32(bytes, blockSeed(snapshotId, number), at, at + 12);
    view.setUint32(at + 12, crc32(bytes, seed, at + blockHeadBytes, end), true);
    at = end;
  }
}

function sealHint(bytes: Uint8Array): void {
  sealHeader(bytes);
  const view = viewOf(bytes);
  const seed = segmentSeedOf(view.getUint32(16, true) + view.getUint32(20, true) * 2 ** 32);
  for (let at = hintHeaderBytes; at + hintBlockHeadBytes <= bytes.length; ) {
    const end = at + hintBlockHeadBytes + view.getUint32(at, true);
    if (end > bytes.length) return;
    const heads = crc32(bytes, crcSeed(seed, at), at, at + 8);
    view.setUint32(at + 8, crc32(bytes, heads, at + hintBlockHeadBytes, end), true);
    at = end;
  }
}

function sealData(bytes: Uint8Array): void {
  const view = viewOf(bytes);
  view.setUint32(60, crc32(bytes, 0, 0, 48), true);
  const seed = segmentSeedOf(view.getUint32(16, true) + view.getUint32(20, true) * 2 ** 32);
  for (let at = 64; at + 20 <= bytes.length; ) {
    const end = at + claimedBytes(view, at);
    if (end > bytes.length) return;
    view.setUint32(at, crc32(bytes, crcSeed(seed, at), at + 4, end), true);
    at = end;
  }
}

const manifest = {
  storeId: 77,
  generation: 3,
  nextFileId: 9,
  sequenceFloor: 5,
  entries: [{ fileId: 1, segmentId: 2 ** 40, merged: true, tombstonesNeeded: false, sealedBytes: 4_096 }],
};

/** A block of a hint, walked as its readers do. */
function walkBlock(bytes: Uint8Array): number {
  const entry = createHintEntry();
  const view = viewOf(bytes);
  let entries = 0;
  for (
    let at = Math.min(hintBlockHeadBytes, bytes.length);
    at >= 0;
    at = readHintEntry(view, at, bytes.length, entry)
  ) {
    entries++;
  }
  return entries;
}

function hintBlock(): Uint8Array {
  const builder = new HintBlockBuilder();
  for (const key of ['a', 'banana', 'key 3']) {
    builder.add(text(key), { ...createHintEntry(), offset: 64, recordBytes: 40, sequence: 2 ** 33 });
  }
  return builder.take(7, 64);
}

/** Decoders of one kind of file each, which say `damaged` or `unsupported` and throw nothing. */
const codecs: readonly FuzzTarget[] = [
  {
    name: 'bitcask: manifest',
    examples: () => [encodeManifest(manifest)],
    decode: (bytes) => decodeManifest(bytes),
    seal: (bytes) => void (bytes.length > 4 && sealManifest(bytes)),
    refusals: [],
  },
  {
    name: 'bitcask: header of a segment',
    examples: () => [
      encodeSegmentHeader({ segmentId: 2 ** 40, fileId: 1, kind: 'log', baseSequence: 5, createdMs: 9 }),
    ],
    decode: (bytes) => decodeSegmentHeader(bytes),
    seal: (bytes) => void (bytes.length >= 64 && sealData(bytes)),
    refusals: [],
  },
  {
    name: 'bitcask: header of a hint',
    examples: () => [
      encodeHintHeader({ segmentId: 5, fileId: 1, entries: 3, dataBytes: 900, minSequence: 1, maxSequence: 3 }),
    ],
    decode: (bytes) => decodeHintHeader(bytes),
    seal: (bytes) => void (bytes.length >= 64 && sealHeader(bytes)),
    refusals: [],
  },
  {
    name: 'bitcask: header of a key directory',
    examples: () => [
      encodeSnapshotHeader({ storeId: 5, snapshotId: 1, pageBytes: 4_096, segments: 3, visibleSequence: 3 }),
    ],
    decode: (bytes) => decodeSnapshotHeader(bytes),
    seal: (bytes) => void (bytes.length >= 64 && sealHeader(bytes)),
    refusals: [],
  },
  {
    name: 'bitcask: block of a hint',
    examples: () => [hintBlock()],
    decode: walkBlock,
    refusals: [],
  },
  {
    name: 'bitcask: name of a file',
    examples: () =>
      ['MANIFEST', 'KEYDIR', '0000000001.data', '0000000001.hint.tmp', '0000000007.data.torn-77'].map(text),
    decode: (bytes) => parseName(Buffer.from(bytes).toString()),
    refusals: [],
  },
];

/** The store's files. */
export const bitcaskTargets: readonly FuzzTarget[] = [
  ...codecs,
  directoryTarget({
    name: 'bitcask: directory',
    build,
    use,
    files: /\/store\/(?!lock)/,
    seal,
    refusals: [BitcaskError],
  }),
  directoryTarget({
    name: 'bitcask: directory, checked while nobody has it open',
    build,
    use: (disk) => verifyBitcask(disk, '/store'),
    files: /\/store\/(?!lock)/,
    seal,
    refusals: [BitcaskError],
  }),
];
