import { describe, expect, it } from 'vitest';
import { SessionToken } from './session-token.js';

const header = (...bytes: number[]) => ({ token: Buffer.from(bytes), staleMs: 7n });
const index = (value: number) => [0, 0, 0, 0, 0, 0, value >> 8, value & 255];

describe('SessionToken', () => {
  it('keeps the newest state seen, also when an older answer comes later', () => {
    const token = new SessionToken();
    token.observe(header(1, 0, ...index(300)));
    expect(token.observe(header(1, 0, ...index(299)))).toMatchObject({ staleMs: 7 });
    expect(token.newest).toEqual(header(1, 0, ...index(300)).token);
    token.observe(header(1, 0, ...index(301)));
    expect(token.newest).toEqual(header(1, 0, ...index(301)).token);
  });

  it('keeps the last one of tokens that cannot be compared, and ignores answers without one', () => {
    const token = new SessionToken();
    token.observe(header(1, 5, ...index(300)));
    token.observe(header(1, 4, ...index(1)));
    token.observe(header());
    token.observe(undefined);
    expect(token.newest).toEqual(header(1, 4, ...index(1)).token);
    token.observe(header(9));
    expect(token.newest).toEqual(Buffer.of(9));
  });
});

it('keeps the greatest token of each group, also when groups take turns', () => {
  const seen = new SessionToken();
  const tokenOf = (group: number, index: number) => Buffer.from([1, group, 0, 0, 0, 0, 0, 0, 0, index]);
  const observe = (token: Buffer) => seen.observe({ token, staleMs: 0n });
  observe(tokenOf(1, 9));
  observe(tokenOf(2, 5));
  expect(seen.newest).toEqual(tokenOf(2, 5));
  observe(tokenOf(1, 3));
  expect(seen.newest).toEqual(tokenOf(1, 9));
  observe(tokenOf(2, 6));
  expect(seen.newest).toEqual(tokenOf(2, 6));
});
