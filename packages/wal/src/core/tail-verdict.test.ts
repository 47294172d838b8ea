import { describe, expect, test } from 'vitest';
import { judgeTail, type TailEvidence } from './tail-verdict.js';

const evidence: TailEvidence = {
  offset: 5000,
  at: 'unwritten',
  framesBehind: 0,
  highestDurableEnd: 0,
  fileBytes: 8192,
  allocatedBytes: 8192,
};

describe('the end of the last segment', () => {
  const cases: [string, Partial<TailEvidence>, string][] = [
    ['unwritten with nothing behind is the end', {}, 'clean'],
    ['the end of a growing file is the end', { at: 'end', allocatedBytes: 0, fileBytes: 5000 }, 'clean'],
    ['a bad frame with nothing behind is torn', { at: 'bad' }, 'torn'],
    ['a hole before frames that prove nothing is torn', { framesBehind: 3, highestDurableEnd: 5000 }, 'torn'],
    [
      'a bad frame before a frame that proves it was synced is damage',
      { at: 'bad', framesBehind: 1, highestDurableEnd: 5001 },
      'corrupt',
    ],
    [
      'a hole before a frame that proves it was synced is damage',
      { framesBehind: 1, highestDurableEnd: 6000 },
      'corrupt',
    ],
    ['a file shorter than was allocated was cut by a stranger', { at: 'end', fileBytes: 5000 }, 'corrupt'],
  ];
  for (const [name, change, kind] of cases) {
    test(name, () => expect(judgeTail({ ...evidence, ...change }).kind).toBe(kind));
  }
});
