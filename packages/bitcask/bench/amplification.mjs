/**
 * `node packages/bitcask/bench/amplification.mjs [keys] [rounds]`: write and space amplification in a steady
 * state: a store of 16-byte keys and 100-byte values in segments of a hundredth of the data is overwritten `rounds`
 * times, uniformly or skewed (nine tenths of the writes go to a tenth of the keys), and merged whenever a trigger says
 * so. It runs on a disk in memory: bytes are counted, not time. Write amplification is (puts + merges) / puts, space amplification all record bytes / live ones. Build first.
 */
import { createMemoryDisk } from '@shanghai/env/testing';
import { openBitcask } from '../dist/index.js';

const keys = Number(process.argv[2] ?? 100_000);
const rounds = Number(process.argv[3] ?? 6);
const value = new Uint8Array(100).fill(7);

let state = 0x9e3779b9;
/** A number in [0, 1) from a fixed seed (xorshift). */
function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 4_294_967_296;
}

const pickers = {
  uniform: () => Math.floor(random() * keys),
  skewed: () => Math.floor(random() < 0.9 ? random() * keys * 0.1 : keys * 0.1 + random() * keys * 0.9),
};

function keyOf(n) {
  return new TextEncoder().encode(
    Math.imul(n + 1, 0x9e3779b1)
      .toString(16)
      .padStart(8, '0')
      .slice(-8)
      .padStart(16, 'k'),
  );
}

async function run(pick, merge) {
  const segmentBytes = Math.max(65_536, Math.floor((keys * 136) / 100));
  const store = await openBitcask({
    directory: '/store',
    disk: createMemoryDisk(),
    durability: 'never',
    segmentBytes,
    merge: { enabled: false, bytesPerSecond: 0, ...merge },
  });
  try {
    for (let n = 0; n < keys; n += 100)
      await store.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'put', key: keyOf(n + i), value })));
    let before;
    let most = 0;
    let sum = 0;
    let looks = 0;
    for (let written = 0; written < keys * rounds; written += 100) {
      // The first round brings the store into its steady state.
      if (written === keys) before = store.stats();
      await store.batch(Array.from({ length: 100 }, () => ({ type: 'put', key: keyOf(pick()), value })));
      if (written % (keys / 200) !== 0) continue;
      while ((await store.merge()).segmentsMerged > 0);
      const { liveBytes, deadBytes } = store.stats();
      if (before === undefined) continue;
      most = Math.max(most, (liveBytes + deadBytes) / liveBytes);
      sum += (liveBytes + deadBytes) / liveBytes;
      looks++;
    }
    const after = store.stats();
    const puts = after.bytesWritten - before.bytesWritten;
    const merged = after.merge.bytesWritten - before.merge.bytesWritten;
    return { write: (puts + merged) / puts, space: sum / looks, most };
  } finally {
    await store.close();
  }
}

for (const [name, pick] of Object.entries(pickers)) {
  for (const staleRatio of [0.2, 0.3, 0.5, 0.7]) {
    const { write, space, most } = await run(pick, { staleRatio });
    console.log(
      `| ${name} | ${staleRatio} | ${(1 / staleRatio).toFixed(2)} | ${write.toFixed(2)} | ${space.toFixed(2)} | ${most.toFixed(2)} |`,
    );
  }
}
