// Where does zlib.crc32 overtake the table in JavaScript? Run: node packages/env/bench/crc32.mjs
import { performance } from 'node:perf_hooks';
import zlib from 'node:zlib';
import CRC32 from 'crc-32';

const table = new Int32Array(256).map((_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? -306674912 ^ (c >>> 1) : c >>> 1;
  return c;
});

function byteWise(bytes, seed, start, end) {
  let c = ~seed;
  for (let at = start; at < end; at++) c = (c >>> 8) ^ table[(c ^ bytes[at]) & 0xff];
  return ~c >>> 0;
}

const forms = {
  'byte loop': byteWise,
  'crc-32, subarray': (b, seed, start, end) => CRC32.buf(b.subarray(start, end), seed) >>> 0,
  'zlib, subarray': (b, seed, start, end) => zlib.crc32(b.subarray(start, end), seed),
};

const buffer = new Uint8Array(1 << 20).map((_, i) => i * 31);
console.log(`node ${process.version}, ns per call`);
console.log(['bytes', ...Object.keys(forms)].join('\t'));
for (const bytes of [8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 1024, 4096, 65536]) {
  const rounds = Math.max(200, Math.min(300_000, Math.floor(3e7 / bytes)));
  const cells = Object.values(forms).map((crc) => {
    let best = Number.POSITIVE_INFINITY;
    for (let repeat = 0; repeat < 5; repeat++) {
      const start = performance.now();
      let sum = 0;
      for (let i = 0; i < rounds; i++) sum ^= crc(buffer, 0, i & 1023, (i & 1023) + bytes);
      best = Math.min(best, ((performance.now() - start) * 1e6) / rounds);
      if (sum === 0.5) throw new Error('never');
    }
    return best.toFixed(0);
  });
  console.log([bytes, ...cells].join('\t'));
}
