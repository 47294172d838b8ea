import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { parentDirectory } from './parent-directory.js';

test.each(['a/b', '/a', 'a', '/a/b/c', '/', './a', 'a/b/', '/a/', '../a'])(
  'the parent of %s is the one POSIX names',
  (path) => {
    expect(parentDirectory(path)).toBe(posix.dirname(path));
  },
);
