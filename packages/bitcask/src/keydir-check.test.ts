import { createFaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { VerifyProblem } from './bitcask.js';
import { OrderedKeydir } from './core/keydir/ordered-keydir.js';
import { PackedTree } from './core/keydir/packed-tree.js';
import {
  blockHeadBytes,
  blockKinds,
  blockSeed,
  coveredSegmentBytes,
  sealBlock,
  snapshotHeaderBytes,
} from './core/keydir-snapshot-codec.js';
import type { Segment } from './core/segment.js';
import { KeydirCheck } from './keydir-check.js';
import { KeydirSnapshotWriter } from './keydir-snapshot-writer.js';

const directory = '/store';
const pageBytes = 4_096;
const key = Buffer.from('key');
const position = { fileId: 3, offset: 1, recordBytes: 2, sequence: 2, expires: false };
const covered = {
  fileId: 3,
  segmentId: 77,
  bytes: 4_096,
  liveBytes: 2,
  tombstoneBytes: 0,
  minSequence: 2,
  maxSequence: 2,
};

/** A snapshot of one key, changed by `change` where its page is, with a checksum that fits. */
async function problemsOf(change: (page: Uint8Array) => void): Promise<VerifyProblem[]> {
  const disk = createFaultDisk({ seed: 1 });
  await disk.makeDirectory(directory);
  const header = { storeId: 1, snapshotId: 99, pageBytes, visibleSequence: 2 };
  const writer = await KeydirSnapshotWriter.create(disk, directory, header, [covered]);
  const packed = new PackedTree(writer);
  packed.add(key, key.length, position);
  await writer.finish({ root: packed.finish(), keys: 1, keysByFirstByte: new Float64Array(256) });
  const bytes = disk.contents(`${directory}/KEYDIR`);
  const at = snapshotHeaderBytes + blockHeadBytes + coveredSegmentBytes;
  const block = bytes.subarray(at, at + blockHeadBytes + pageBytes);
  change(block.subarray(blockHeadBytes));
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  sealBlock(block, view, { kind: blockKinds.pages, count: 1, payloadBytes: pageBytes }, blockSeed(99, 1));
  disk.setContents(`${directory}/KEYDIR`, bytes);
  const problems: VerifyProblem[] = [];
  const entry = { fileId: 3, segmentId: 77, merged: false, tombstonesNeeded: false, sealedBytes: 4_096 };
  const manifest = { storeId: 1, generation: 1, nextFileId: 4, sequenceFloor: 0, entries: [entry] };
  const check = await KeydirCheck.open(disk, directory, manifest, problems);
  const newest = new OrderedKeydir({});
  newest.set(key, { ...position, fileId: 1 });
  check?.segment({ fileId: 3 } as Segment, newest);
  check?.finish(true);
  return problems;
}

test('a snapshot that is what the segments hold has no problem', async () => {
  expect(await problemsOf(() => {})).toEqual([]);
});

test('pages that do not fit together are a problem, not the end of the program', async () => {
  const problems = await problemsOf((page) => {
    const encoded = Buffer.from('00030000020000000200000001000000', 'hex');
    const at = Buffer.from(page).indexOf(encoded);
    expect(at).toBeGreaterThan(0);
    // A position of a side table that has none.
    page.set(Buffer.from('000000000000000000000000ec0e0000', 'hex'), at);
  });
  expect(problems.map(({ what }) => what)).toEqual(['its pages do not fit together: side table has no item 3820']);
});
