import { describe, expect, it } from 'vitest';
import { backOffDelayMs } from './back-off.js';

describe('backOffDelayMs', () => {
  const options = { firstDelayMs: 25, maxDelayMs: 1_000 };
  it('doubles its bound with every failure up to the maximum', () => {
    const bounds = [1, 2, 3, 6, 7, 100].map((failures) => backOffDelayMs(failures, options, 1));
    expect(bounds).toEqual([25, 50, 100, 800, 1_000, 1_000]);
  });
  it('jitters over the whole of it', () => {
    expect(backOffDelayMs(3, options, 0)).toBe(0);
    expect(backOffDelayMs(3, options, 0.5)).toBe(50);
  });
});
