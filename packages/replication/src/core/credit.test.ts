import { expect, test } from 'vitest';
import { CreditAccount, CreditGranter } from './credit.js';

const window = { entries: 10, bytes: 1_000 };

test('a source spends no more than it was granted, in entries and in bytes', () => {
  const account = new CreditAccount();
  expect(account.admits({ entries: 1, bytes: 1 })).toBe(false);
  account.grant(window);
  expect(account.admits({ entries: 11, bytes: 20 })).toBe(false);
  account.spend({ entries: 4, bytes: 900 });
  expect(account.admits({ entries: 2, bytes: 101 })).toBe(false);
  expect(() => account.spend({ entries: 2, bytes: 101 })).toThrow(expect.objectContaining({ code: 'CREDIT_EXCEEDED' }));
  account.spend({ entries: 6, bytes: 100 });
  expect(account.left).toEqual({ entries: 0, bytes: 0 });
});

test('one entry larger than the window passes when all credit is home, and nothing else does until it is back', () => {
  const account = new CreditAccount();
  account.grant(window);
  expect(account.admits({ entries: 2, bytes: 1_001 })).toBe(false);
  account.spend({ entries: 1, bytes: 1 });
  expect(account.admits({ entries: 1, bytes: 1_001 })).toBe(false);
  account.grant({ entries: 1, bytes: 1 });
  account.spend({ entries: 1, bytes: 5_000 });
  expect(account.admits({ entries: 1, bytes: 1 })).toBe(false);
  account.grant({ entries: 1, bytes: 5_000 });
  expect(account.isWhole).toBe(true);
});

test('a grant of more than is under way is refused', () => {
  const account = new CreditAccount();
  account.grant(window);
  account.spend({ entries: 2, bytes: 200 });
  expect(() => account.grant({ entries: 3, bytes: 100 })).toThrow(expect.objectContaining({ code: 'CREDIT_EXCEEDED' }));
  expect(() => new CreditAccount().grant({ entries: 0, bytes: 9 })).toThrow('window');
  expect(() => new CreditAccount().grant({ entries: 9, bytes: 2 ** 40 })).toThrow('window');
});

test('a follower grants again at half of its window, or when nothing is under way, and refuses what it had not granted', () => {
  const granter = new CreditGranter(window);
  expect(() => granter.receive({ entries: 1, bytes: 1 })).toThrow('before any were granted');
  expect(granter.open()).toEqual(window);
  granter.receive({ entries: 4, bytes: 100 });
  granter.receive({ entries: 3, bytes: 100 });
  granter.settle({ entries: 4, bytes: 100 });
  expect(granter.take()).toBeUndefined();
  granter.settle({ entries: 3, bytes: 100 });
  expect(granter.take()).toEqual({ entries: 7, bytes: 200 });
  granter.receive({ entries: 1, bytes: 500 });
  granter.receive({ entries: 1, bytes: 10 });
  granter.settle({ entries: 1, bytes: 500 });
  expect(granter.take()).toEqual({ entries: 1, bytes: 500 });
  expect(() => granter.receive({ entries: 10, bytes: 1 })).toThrow(
    expect.objectContaining({ code: 'CREDIT_EXCEEDED' }),
  );
});
