import { expect, test } from 'vitest';
import { ConsumerModel } from './consumer-model.js';

const at = (generation: number, sequence: number) => ({ generation, sequence });

function committedTo(...sequences: readonly number[]): ConsumerModel {
  const model = new ConsumerModel('c');
  // The first names no generation, and one like it may come late, in any.
  for (const sequence of [1, ...sequences]) {
    model.tries(sequence, model.generation);
    model.committed(sequence, at(1, sequence));
  }
  return model;
}

test('a position lies between what was acknowledged and what was tried', () => {
  const model = committedTo(3, 5);
  model.tries(9, 1);
  for (const sequence of [5, 7, 9]) model.sees(at(1, sequence));
  expect(() => model.sees(at(1, 4))).toThrow('not in 5 to 9');
  expect(() => model.sees(at(1, 10))).toThrow('not in 5 to 9');
  expect(() => model.sees(undefined)).toThrow('not known any more');
  expect(() => model.committed(8, at(1, 6))).toThrow('left it at 6');
});

test('nothing is known of a consumer that committed nothing', () => {
  const model = new ConsumerModel('c');
  model.sees(undefined);
  model.tries(4, 0);
  model.sees(at(1, 4));
  expect(() => new ConsumerModel('d').sees(at(1, 1))).toThrow('not in 0 to 0');
});

test('a seek begins a generation, in which what was committed before does not count', () => {
  const model = committedTo(8);
  model.sought(2, at(2, 2));
  expect(() => model.sees(at(1, 8))).toThrow('comes again');
  expect(() => model.sees(at(2, 8))).toThrow('not in 2 to 2');
  model.tries(8, 1);
  expect(() => model.sees(at(2, 8))).toThrow('not in 2 to 2');
  expect(() => model.sought(1, at(2, 1))).toThrow('again');
  expect(() => model.sought(1, at(3, 4))).toThrow('gave 4');
});

test('a seek of unknown outcome may come true, and each one once', () => {
  const model = committedTo(8);
  model.mayHaveSought(3);
  model.sees(at(1, 8));
  model.sees(at(2, 3));
  expect(() => model.sees(at(2, 8))).toThrow('not in 3 to 3');
  expect(() => committedTo(8).sees(at(2, 8))).toThrow('begun by nobody');
});
