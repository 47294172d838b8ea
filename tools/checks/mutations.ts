/**
 * Every planted bug still fits: its text stands in its file exactly once, and its tests are there. A list that has gone
 * stale proves nothing, and a run that would tell takes a quarter of an hour.
 */
import type { Mutation } from '../mutations/mutation.js';
import type { Finding, SourceFile } from './source-files.js';

/** Mutations that fit no more; each is to be fitted to what its file says now, or to be taken out with its reason. */
export function checkMutations(files: readonly SourceFile[], mutations: readonly Mutation[]): Finding[] {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const findings: Finding[] = [];
  for (const { name, file, find, tests } of mutations) {
    const found = (texts.get(file) ?? '').split(find).length - 1;
    if (found !== 1) {
      findings.push({
        path: file,
        line: 1,
        message: `the text that '${name}' replaces occurs ${found} times, not once`,
      });
    }
    for (const test of tests) {
      if (!texts.has(test))
        findings.push({ path: test, line: 1, message: `'${name}' is to be caught by it, and it is not there` });
    }
  }
  return findings;
}
