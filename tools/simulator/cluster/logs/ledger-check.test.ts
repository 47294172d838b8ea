import { expect, test } from 'vitest';
import { checkLedger, checkSameCopies, type LedgerAppend, type LedgerCopy, type LedgerEntry } from './ledger-check.js';

const entry = (origin: number, sequence: number, value: string, epoch = 1): LedgerEntry => {
  return { origin, epoch, sequence, timeMs: 100 + sequence, value };
};
const appended = (nodeId: number, startMs: number, sequence: number, ...values: string[]): LedgerAppend => {
  const place = { origin: nodeId, epoch: 1, firstSequence: sequence };
  return { values, nodeId, startMs, endMs: startMs + 5, outcome: 'acknowledged', place };
};

const appends: readonly LedgerAppend[] = [
  appended(1, 0, 1, 'a', 'b'),
  appended(1, 10, 3, 'c'),
  appended(2, 3, 1, 'd'),
  { values: ['e'], nodeId: 2, startMs: 20, endMs: Number.POSITIVE_INFINITY, outcome: 'unknown' },
  { values: ['f'], nodeId: 2, startMs: 30, endMs: 31, outcome: 'refused' },
  { values: ['g'], nodeId: 2, startMs: 40, endMs: 41, outcome: 'durable' },
];
const right: LedgerCopy = [entry(1, 1, 'a'), entry(2, 1, 'd'), entry(1, 2, 'b'), entry(2, 2, 'g'), entry(1, 3, 'c')];

test('what was acknowledged is there, where it was said to be; what is unknown may be there, and once', () => {
  checkLedger(appends, right);
  checkLedger(appends, [...right, entry(2, 3, 'e')]);
  checkSameCopies(
    new Map([
      [1, right],
      [2, [...right].sort((a, b) => a.origin - b.origin || a.sequence - b.sequence)],
    ]),
  );
});

const without = (value: string) => right.filter((one) => one.value !== value);
const replaced = (value: string, by: Partial<LedgerEntry>) =>
  right.map((one) => (one.value === value ? { ...one, ...by } : one));

test.each<[string, LedgerCopy, RegExp]>([
  ['lost', without('c'), /c .* is not there/],
  ['lost though it was durable', without('g'), /g .* is not there/],
  ['half of an append', without('b'), /a part is there/],
  ['twice', [...right, entry(2, 3, 'd')], /twice/],
  ['refused and there', [...right, entry(2, 3, 'f')], /f .*refused/],
  ['from nowhere', [...right, entry(2, 3, 'z')], /nobody appended/],
  ['elsewhere than told', replaced('c', { sequence: 4 }), /was told/],
  ['in another epoch than told', replaced('d', { epoch: 2 }), /was told/],
  ['of another origin', replaced('g', { origin: 3 }), /entry of node 3/],
])('an entry is found out that is %s', (_, copy, message) => {
  expect(() => checkLedger(appends, copy)).toThrow(message);
});

test('what a node alone had acknowledged may go with its disk, and nothing else', () => {
  checkLedger(appends, without('g'), new Set([2]));
  expect(() => checkLedger(appends, without('g'), new Set([1]))).toThrow('not there');
});

test('an append behind an answer stands behind what was answered', () => {
  const late = { ...appended(2, 90, 2, 'h'), place: undefined } as unknown as LedgerAppend;
  const swapped = [...without('g'), entry(2, 2, 'h'), entry(2, 3, 'g')];
  expect(() => checkLedger([...appends, late], swapped)).toThrow('stands behind');
  checkLedger([...appends, late], [...right, entry(2, 3, 'h')]);
});

test('a gap, time that falls, and a copy that differs are found out', () => {
  const copies = (copy: LedgerCopy) => () =>
    checkSameCopies(
      new Map([
        [1, right],
        [2, copy],
      ]),
    );
  expect(copies(without('d'))).toThrow('behind 0');
  expect(copies(replaced('g', { timeMs: 5 }))).toThrow('time falls');
  expect(copies(replaced('c', { value: 'x' }))).toThrow('node 2 holds');
  expect(copies(without('c'))).toThrow('node 2 holds');
});
