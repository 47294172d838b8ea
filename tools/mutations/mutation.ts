/**
 * A bug planted on purpose: one exact edit of a source file, and the tests that must notice it. A test suite that passes
 * with the bug in place proves less than it seems to.
 */
export interface Mutation {
  /** Package and what is done, in kebab case; names a run: `npm run mutations wal/acknowledge-before-sync`. */
  readonly name: string;
  /** The promise that breaks. */
  readonly breaks: string;
  /** From the root of the repository. */
  readonly file: string;
  /** Occurs exactly once in the file, byte for byte. */
  readonly find: string;
  /** What stands there instead. It must still compile: a test that fails because nothing runs has noticed nothing. */
  readonly replace: string;
  /** Test files that must fail. */
  readonly tests: readonly string[];
  /** Runs only tests whose full name matches this regular expression, where a file's others take long. */
  readonly named?: string;
}
