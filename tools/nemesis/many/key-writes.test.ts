import { expect, test } from 'vitest';
import { checkKeys, type KeyWrite } from './key-writes.js';

const write = (key: string, value: string | undefined, outcome: KeyWrite['outcome'] = 'acknowledged'): KeyWrite => {
  return { key, value, nodeId: 1, outcome };
};
const pair = (key: string, value: string) => ({ key, value, revision: 1 });

test('a key of one writer shows its last write, or one that may have come later', () => {
  const writes = [
    write('own/1', 'a'),
    write('own/1', 'u', 'unknown'),
    write('own/1', 'b'),
    write('own/1', 'c', 'refused'),
  ];
  checkKeys(writes, [pair('own/1', 'b')]);
  checkKeys(writes, [pair('own/1', 'u')]);
  for (const wrong of [[pair('own/1', 'a')], [pair('own/1', 'c')], []]) {
    expect(() => checkKeys(writes, wrong), JSON.stringify(wrong)).toThrow('own/1 shows');
  }
  checkKeys(writes, [pair('own/1', 'a')], new Set([1]));
  checkKeys([...writes, write('own/1', undefined)], []);
  expect(() => checkKeys([...writes, write('own/1', undefined)], [pair('own/1', 'b')])).toThrow('own/1 shows');
});

test('a key of many writers shows something that one of them wrote, and nothing only where one may have deleted it', () => {
  const writes = [write('all/1', 'a'), write('all/1', 'b'), write('all/2', undefined, 'unknown'), write('all/2', 'x')];
  checkKeys(writes, [pair('all/1', 'a'), pair('all/2', 'x')]);
  checkKeys(writes, [pair('all/1', 'b')]);
  expect(() => checkKeys(writes, [pair('all/2', 'x')])).toThrow('all/1 shows undefined');
  expect(() => checkKeys(writes, [pair('all/1', 'z')])).toThrow('all/1 shows z');
  expect(() => checkKeys(writes, [pair('all/1', 'a'), pair('all/3', 'z')])).toThrow('nobody wrote all/3');
});
