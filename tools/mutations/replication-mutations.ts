import type { Mutation } from './mutation.js';

const simulation = 'tools/simulator/replication/replication-simulation.test.ts';
const shipping = 'packages/replication/test/shipping.test.ts';

/** Bugs in the shipping of multi-master logs. */
export const replicationMutations: readonly Mutation[] = [
  {
    name: 'replication/epoch-goes-on-after-loss',
    breaks: 'a node that has lost something of its own writes on under other names',
    file: 'packages/replication/src/host/open-replicator.ts',
    find: 'if (lost !== undefined && lost.stream.epoch >= store.ownEpoch()) this.#beginEpoch(peer, lost);',
    replace: 'if (lost !== undefined && lost.stream.epoch > store.ownEpoch()) this.#beginEpoch(peer, lost);',
    tests: [shipping],
  },
  {
    name: 'replication/divergence-not-seen',
    breaks: 'two entries of one name are never shipped over',
    file: 'packages/replication/src/core/reversion.ts',
    find: 'return isKnown && compareHlc(mine.lastHlc, lastHlc) !== 0;',
    replace: 'return isKnown && compareHlc(mine.lastHlc, lastHlc) > Number.MAX_SAFE_INTEGER;',
    tests: [shipping],
  },
  {
    name: 'replication/credit-before-it-is-durable',
    breaks: 'credit is returned when the entries are durable, and not before',
    file: 'packages/replication/src/host/store-queue.ts',
    find: 'const ended = this.#call(batch).then(() => before);',
    replace: 'const ended = Promise.race([this.#call(batch), before]);',
    tests: [simulation, shipping],
  },
  {
    name: 'replication/bytes-beyond-the-credit',
    breaks: 'no more bytes are under way than were granted',
    file: 'packages/replication/src/core/credit.ts',
    find: 'if (entries <= this.#entries && bytes <= this.#bytes) return true;',
    replace: 'if (entries <= this.#entries) return true;',
    tests: [simulation, 'packages/replication/src/core/credit.test.ts'],
  },
  {
    name: 'replication/one-node-counted-twice',
    breaks: 'a quorum is more than half of distinct nodes',
    file: 'packages/replication/src/core/holdings.ts',
    find: "const needed = level === 'all' ? held.length : Math.floor(held.length / 2) + 1;",
    replace: "const needed = level === 'all' ? held.length : Math.max(1, Math.floor(held.length / 2));",
    tests: [simulation, shipping],
  },
  {
    name: 'replication/mark-over-what-is-behind',
    breaks: 'a mark is sent behind all that it covers',
    file: 'packages/replication/src/core/source-session.ts',
    find: 'if (next <= lastSequence) lacking.add(stream.logId);',
    replace: 'if (next < 0 && next <= lastSequence) lacking.add(stream.logId);',
    tests: [simulation],
  },
  {
    name: 'replication/mark-forgets-what-was-behind',
    breaks: 'a later mark says nothing of logs that it names as behind',
    file: 'packages/replication/src/core/origin-marks.ts',
    find: '(logId) => laterHlc(markOf(a, logId), markOf(b, logId))',
    replace: '() => hlc',
    tests: [simulation, 'packages/replication/src/core/origin-marks.test.ts'],
  },
  {
    name: 'replication/rows-left-out',
    breaks: 'rows stand for what was trimmed before it is passed over',
    file: 'packages/replication/src/core/source-session.ts',
    find: 'this.#rows = { stream, firstSequence: result.firstSequence, page: undefined, cursor: noBytes };',
    replace: 'this.#rows = { stream, firstSequence: result.firstSequence, page: undefined, cursor: undefined };',
    tests: [simulation, shipping],
  },
  {
    name: 'replication/one-stream-after-the-other',
    breaks: 'streams take turns',
    file: 'packages/replication/src/core/source-session.ts',
    find: '    this.#ring.shift();\n    this.#ring.push(shipping);\n',
    replace: '    invariant(this.#ring[0] === shipping, "a turn of another stream");\n',
    tests: ['packages/replication/src/core/source-session.test.ts'],
  },
  {
    name: 'replication/own-entries-not-asked-for',
    breaks: 'what an origin lost comes back to it',
    file: 'packages/replication/src/core/source-choice.ts',
    find: 'if (origin !== this.#own) {\n',
    replace: 'if (origin === this.#own) return undefined;\n    else {\n',
    tests: [simulation, shipping],
  },
  {
    name: 'replication/relay-kept-beside-the-origin',
    breaks: 'an origin is fetched from one source at a time',
    file: 'packages/replication/src/core/source-session.ts',
    find: '    this.#wanted = origins;\n',
    replace: '    this.#wanted = new Set([...before, ...origins]);\n',
    tests: ['packages/replication/src/core/source-session.test.ts'],
  },
  {
    name: 'replication/gap-passed-over',
    breaks: 'a run behind a gap is not taken',
    file: 'packages/replication/src/testing/memory-entry-store.ts',
    find: '    if (run.firstSequence > last + 1) {\n',
    replace: '    if (run.firstSequence > last + 1_000_000) {\n',
    tests: ['packages/replication/test/store-contract.test.ts'],
  },
  {
    name: 'replication/reads-what-is-not-durable',
    breaks: 'only what is durable at its source is shipped',
    file: 'packages/replication/src/host/open-replicator.ts',
    find: '    for (const position of positions) {\n      this.#held.set(position);\n',
    replace:
      '    for (const position of positions) {\n      this.#held.set({ ...position, lastSequence: position.lastSequence + 1 });\n',
    tests: [simulation, shipping],
  },
];
