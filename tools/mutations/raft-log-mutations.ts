import type { Mutation } from './mutation.js';

const log = 'packages/raft/src/wal';
const test = 'packages/raft/test';

/** Bugs in the logs of groups on one write-ahead log. */
export const raftLogMutations: readonly Mutation[] = [
  {
    name: 'raft-log/numbers-go-on-behind-a-refused-write',
    breaks: 'what is written behind a hole fills it',
    file: `${log}/group-stream.ts`,
    find: '    this.#number = first.number - 1;\n',
    replace: '',
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/writes-behind-a-hole-count',
    breaks: 'what lies behind a refused write does not count after a restart',
    file: `${log}/stream-fold.ts`,
    find: '    if (base !== undefined && number > this.#number + 1) return false;\n',
    replace: '',
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/later-writes-of-a-refused-one-settle',
    breaks: 'everything begun behind a refused write is refused with it',
    file: `${log}/group-stream.ts`,
    find: '    const failed = this.#pending.splice(0);',
    replace: '    const failed = this.#pending.splice(0, 1);',
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/new-tail-kept-when-taken-back',
    breaks: 'entries that were refused are not in the log',
    file: `${log}/group-stream.ts`,
    find: '    viewBefore.cut(appendedFrom);\n    viewBefore.append(removed);\n',
    replace: '',
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/old-tail-lost-when-taken-back',
    breaks: 'entries that a refused write took the place of are there again',
    file: `${log}/group-stream.ts`,
    find: '    viewBefore.append(removed);\n',
    replace: '',
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/refused-hard-state-kept',
    breaks: 'a term, vote or commit index that was refused does not count',
    file: `${log}/group-stream.ts`,
    find: '    this.#hardState = hardStateBefore;\n',
    replace: '',
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/acknowledged-out-of-order',
    breaks: 'writes settle in their order',
    file: `${log}/group-stream.ts`,
    find: '    pending.outcome = outcome;\n',
    replace: "    pending.outcome = outcome;\n    if (outcome === 'durable') pending.resolve();\n",
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/second-write-does-not-wait-for-the-first',
    breaks: 'a hole before everything leaves an empty log',
    file: `${log}/group-stream.ts`,
    find: 'if (this.#isBegun || number === 1) this.#send(pending, records);\n    else {',
    replace: 'this.#send(pending, records);\n    if (number < 0) {',
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/commit-beyond-the-last-entry',
    breaks: 'a log that lost its end has no commit index beyond what is left',
    file: `${log}/stream-fold.ts`,
    find: 'Math.max(index, Math.min(this.#hardState.commit, view.lastIndex));',
    replace: 'Math.max(index, this.#hardState.commit);',
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/old-log-kept-behind-a-snapshot',
    breaks: 'a snapshot takes the place of the whole log',
    file: `${log}/group-stream.ts`,
    find: '    this.#view = new LogView(snapshot);\n',
    replace: `    const last = viewBefore.lastIndex;
    const old = last > start ? viewBefore.entries(start + 1, last + 1, Number.POSITIVE_INFINITY) : [];
    this.#view = new LogView(snapshot, typeof old === 'string' ? [] : [...old]);\n`,
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/old-log-back-after-a-restart',
    breaks: 'what a snapshot took the place of is not there after a restart either',
    file: `${log}/stream-fold.ts`,
    find: '    this.#startLsn = lsn;\n    this.#beginEntries(index + 1);\n  }',
    replace: `    this.#startLsn = lsn;
    const first = this.#firstIndex;
    if (first === undefined || first > index + 1 || first + this.#entries.length <= index + 1) this.#beginEntries(index + 1);
    else {
      this.#entries.splice(0, index + 1 - first);
      this.#firstIndex = index + 1;
    }
  }`,
    tests: [`${test}/wal-holes.test.ts`],
  },
  {
    name: 'raft-log/hard-state-left-out-beside-entries',
    breaks: 'a term, vote or commit index is written with the entries it comes with',
    file: `${log}/group-stream.ts`,
    find: 'const hardState = isVoid ? undefined : write.hardState;',
    replace: 'const hardState = isVoid || entries.length > 0 ? undefined : write.hardState;',
    tests: [`${test}/wal-contract.test.ts`],
  },
  {
    name: 'raft-log/released-before-the-cut-is-synced',
    breaks: 'what cuts off outlasts what is cut off',
    file: `${log}/group-stream.ts`,
    find: '    if (!isSynced) await wal.flush()',
    replace: '    if (isSynced) await wal.flush()',
    tests: [`${test}/wal-crash.test.ts`],
  },
];
