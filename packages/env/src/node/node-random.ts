import { randomFillSync } from 'node:crypto';
import type { Random } from '../random.js';
import { randomFromUint32 } from '../random-from-uint32.js';

const pooledWords = 1024;

/** The operating system's cryptographic randomness, drawn in blocks of 4 KiB. */
export function nodeRandom(): Random {
  const pool = new Uint32Array(pooledWords);
  let used = pooledWords;
  const nextUint32 = () => {
    if (used === pooledWords) {
      randomFillSync(pool);
      used = 0;
    }
    const word = pool[used] as number;
    // A number handed out once is not kept: a later reader of this memory learns nothing of it.
    pool[used++] = 0;
    return word;
  };
  return randomFromUint32(nextUint32);
}
