import { describe, expect, test } from 'vitest';
import { AppendedKeys } from './appended-keys.js';
import type { KeysInput } from './keys-model.js';
import { Recorder } from './recorder.js';

const put = (key: string, value: string, expires = false): KeysInput => {
  return { type: 'write', changes: [{ type: 'put', key, value, expires }], conditions: [] };
};
const read = (...keys: string[]): KeysInput => ({ type: 'read', keys });

describe('the recorder', () => {
  test('finds a read that is older than a write that was acknowledged before it', () => {
    const recorder = new Recorder();
    recorder.call('f', 1, put('a', 'one')).answered({ isApplied: true });
    recorder.call('f', 1, put('a', 'two')).answered({ isApplied: true });
    const reading = recorder.call('f', 2, read('a'));
    reading.answered({ values: ['one'] });
    expect(() => recorder.check()).toThrow(/linearizability.*family f/s);
  });

  test('finds an append that was done twice, and half of a write of two keys', () => {
    const twice = new Recorder();
    const append: KeysInput = { type: 'write', changes: [{ type: 'append', key: 'a', value: '1;' }], conditions: [] };
    twice.call('f', 1, append).answered({ isApplied: true, results: [{ valueBytes: 2 }] });
    twice.call('f', 2, read('a')).answered({ values: ['1;1;'] });
    expect(() => twice.check()).toThrow('linearizability');

    const half = new Recorder();
    const both: KeysInput = {
      type: 'write',
      changes: [
        { type: 'put', key: 'a', value: '1' },
        { type: 'put', key: 'b', value: '1' },
      ],
      conditions: [],
    };
    half.call('f', 1, both).unknown();
    half.call('f', 2, read('a', 'b')).answered({ values: ['1', undefined] });
    expect(() => half.check()).toThrow('linearizability');
  });

  test('finds a condition that was judged wrongly, and a write that was refused and done', () => {
    const judged = new Recorder();
    judged.call('f', 1, put('a', '1')).answered({ isApplied: true });
    const swap: KeysInput = {
      type: 'write',
      changes: [{ type: 'put', key: 'a', value: '2' }],
      conditions: [{ key: 'a', value: undefined }],
    };
    judged.call('f', 1, swap).answered({ isApplied: true });
    expect(() => judged.check()).toThrow('linearizability');

    const refused = new Recorder();
    refused.call('f', 1, put('a', '1')).refused();
    refused.call('f', 1, read('a')).answered({ values: ['1'] });
    expect(() => refused.check()).toThrow('linearizability');
  });

  test('a write without an answer may be done late or never, an expiring value may go once', () => {
    const recorder = new Recorder();
    recorder.call('f', 1, put('a', '1')).answered({ isApplied: true });
    recorder.call('f', 2, put('a', '2')).unknown();
    recorder.call('f', 1, read('a')).answered({ values: ['1'] });
    recorder.call('f', 1, read('a')).answered({ values: ['2'] });
    recorder.call('g', 1, put('x', '1', true)).answered({ isApplied: true });
    recorder.call('g', 1, read('x')).answered({ values: ['1'] });
    recorder.call('g', 1, read('x')).answered({ values: [undefined] });
    recorder.check();
    recorder.call('g', 1, read('x')).answered({ values: ['1'] });
    expect(() => recorder.check()).toThrow('family g');
  });
});

describe('keys that only grow', () => {
  const known = () => {
    const keys = new AppendedKeys();
    keys.acknowledged('a', '1;');
    keys.refused('a', '9;');
    keys.seen('a', '1;');
    return keys;
  };

  test('hold what was acknowledged once, and nothing that was refused', () => {
    known().check('a', '1;2;');
    expect(() => known().check('a', '2;')).toThrow('durability');
    expect(() => known().check('a', '1;1;')).toThrow('exactly once');
    expect(() => known().check('a', '1;9;')).toThrow('truth');
    expect(() => known().check('a', '2;1;')).toThrow('one order');
  });
});
