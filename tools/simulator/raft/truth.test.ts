import { expect, test } from 'vitest';
import { type NodeMarks, Truth, Violation } from './truth.js';

const entry = (index: number, term: number, text = '') => ({
  index,
  term,
  type: 'EntryNormal' as const,
  data: Buffer.from(text),
});
const marks = (change: Partial<NodeMarks>): NodeMarks => ({
  term: 2,
  commit: 5,
  applied: 4,
  state: 'StateFollower',
  ...change,
});

test('two leaders of a term are a violation, and one that is elected twice is not', () => {
  const truth = new Truth();
  truth.elected(1, 4, 0, () => undefined);
  truth.elected(1, 4, 0, () => undefined);
  truth.elected(2, 5, 0, () => undefined);
  expect(() => truth.elected(2, 4, 0, () => undefined)).toThrow(Violation);
});

test('a leader without what is committed is a violation: with another entry in its place, and with none', () => {
  const truth = new Truth();
  truth.appliedEntry(1, entry(1, 1), 0, 1);
  truth.appliedEntry(1, entry(2, 1), 0, 1);
  truth.elected(2, 2, 3, (index) => (index > 1 ? 1 : undefined));
  expect(() => truth.elected(2, 3, 2, () => 2)).toThrow('leader completeness');
  expect(() => truth.elected(2, 4, 1, (index) => (index > 1 ? undefined : 1))).toThrow('leader completeness');
});

test('a leader of an old term that is elected late need not have what a newer one has committed', () => {
  const truth = new Truth();
  truth.appliedEntry(1, entry(1, 1), 0, 1);
  truth.appliedEntry(1, entry(2, 1), 0, 4);
  truth.elected(2, 3, 1, (index) => (index > 1 ? undefined : 1));
  expect(() => truth.elected(2, 5, 1, (index) => (index > 1 ? undefined : 1))).toThrow('leader completeness');
});

test('two votes of a node in a term are a violation', () => {
  const truth = new Truth();
  truth.voted(1, 3, 2);
  truth.voted(1, 3, 2);
  truth.voted(1, 4, 3);
  truth.voted(2, 3, 3);
  expect(() => truth.voted(1, 3, 3)).toThrow('one vote');
});

test('entries of one place and term that differ, or stand behind others, are a violation', () => {
  const truth = new Truth();
  truth.written(1, entry(3, 2, 'x'), 1);
  truth.written(2, entry(3, 2, 'x'), 1);
  truth.written(2, entry(3, 3, 'y'), 1);
  expect(() => truth.written(3, entry(3, 2, 'z'), 1)).toThrow('log matching');
  expect(() => truth.written(3, entry(3, 2, 'x'), 2)).toThrow('log matching');
});

test('state machines that differ are a violation: by an entry, by its term, and by the state behind it', () => {
  const truth = new Truth();
  truth.appliedEntry(1, entry(1, 1, 'x'), 7, 1);
  truth.appliedEntry(2, entry(1, 1, 'x'), 7, 1);
  expect(() => truth.appliedEntry(3, entry(1, 1, 'y'), 7, 1)).toThrow('state machine safety');
  expect(() => truth.appliedEntry(3, entry(1, 2, 'x'), 7, 1)).toThrow('state machine safety');
  expect(() => truth.stateAt(3, 1, 8)).toThrow('state machine safety');
});

test('a read that does not see what was acknowledged before it is a violation', () => {
  const truth = new Truth();
  truth.acknowledged(5);
  truth.acknowledged(3);
  expect(truth.acknowledgedIndex).toBe(5);
  truth.read(1, 5, 5);
  expect(() => truth.read(1, 5, 4)).toThrow('stale read');
});

test('marks that go back are a violation, and more applied than committed', () => {
  const truth = new Truth();
  truth.moved(1, marks({}), marks({ commit: 6 }));
  for (const change of [{ term: 1 }, { commit: 4, applied: 4 }, { applied: 3 }]) {
    expect(() => truth.moved(1, marks({}), marks(change)), JSON.stringify(change)).toThrow('monotone');
  }
  expect(() => truth.moved(1, marks({}), marks({ applied: 6 }))).toThrow('committed');
});
