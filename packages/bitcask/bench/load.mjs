/** What the benchmarks of this folder put into a store: keys of 16 bytes in random order, values of 100 bytes. */

/** Writes key `n` into `key`. A bijection of 32 bits: keys come in random order, each once. */
export function fillKey(key, n) {
  let x = Math.imul(n ^ 0x5bd1e995, 0x9e3779b1) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0;
  for (let i = 0; i < 8; i++) key[i] = 48 + ((x >>> (i * 4)) & 15);
  return key;
}

/** Puts keys 0 to `keys`, 100 a batch, 16 batches in flight. */
export async function fill(store, keys) {
  const value = new Uint8Array(100).fill(7);
  const batch = Array.from({ length: 100 }, () => ({ type: 'put', key: new Uint8Array(16).fill(107), value }));
  const inFlight = [];
  for (let n = 0; n < keys; n += batch.length) {
    for (let i = 0; i < batch.length; i++) fillKey(batch[i].key, n + i);
    inFlight.push(store.batch(batch));
    if (inFlight.length >= 16) await inFlight.shift();
  }
  await Promise.all(inFlight);
}
