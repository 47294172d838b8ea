import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { shellWord } from './shell-word.js';

test('a shell reads every text back as one word', () => {
  for (const text of ['/data/n1', '/a dir', "it's", '$HOME `x` "y"', '', '*', 'a;b', 'é\n']) {
    expect(execFileSync('sh', ['-c', `printf '%s' ${shellWord(text)}`]).toString()).toBe(text);
  }
  expect(shellWord('/data/n-1.new')).toBe('/data/n-1.new');
});
