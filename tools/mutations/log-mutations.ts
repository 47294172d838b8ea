import type { Mutation } from './mutation.js';

const source = 'apps/server/src';
/** Whole nodes and clients on virtual time, under faults. */
const tests = ['tools/simulator/cluster/logs/logs-swarm.test.ts'];

/** Bugs in what named logs keep beside their entries, which the simulation of whole clusters must find: consumers and compaction. */
export const logMutations: readonly Mutation[] = [
  {
    name: 'logs/the-later-commit-wins',
    breaks: 'a commit that comes late takes nobody back',
    file: `${source}/apply/consumer-table.ts`,
    find: 'if (known === undefined || known.sequence < position.sequence) merged.set(place, position);',
    replace: 'if (known === undefined || place !== "") merged.set(place, position);',
    tests,
  },
  {
    name: 'logs/seek-in-the-same-generation',
    breaks: 'a seek begins a generation, in which commits of before do not count',
    file: `${source}/apply/consumer-table.ts`,
    find: 'const generation = (known?.generation ?? 0) + 1;',
    replace: 'const generation = known?.generation ?? 1;',
    tests,
  },
  {
    name: 'logs/seek-merges',
    breaks: 'a seek goes back',
    file: `${source}/apply/consumer-table.ts`,
    find: 'const sorted = mergedPositions([], positions);',
    replace: 'const sorted = mergedPositions(known?.positions ?? [], positions);',
    tests,
  },
  {
    name: 'logs/consumers-forgotten-at-a-start',
    breaks: 'a position that was acknowledged is there after a restart',
    file: `${source}/apply/state-machine.ts`,
    find: '    machine.logs.consumers.load(await readStatePart(options.store, statePrefix.consumer));\n',
    replace: '',
    tests,
  },
  {
    name: 'logs/commit-not-stored',
    breaks: 'a position is stored with the command that brings it',
    file: `${source}/apply/consumer-table.ts`,
    find: '    writes.put(consumerKey(state.logId, state.name), encodeConsumer(state));\n',
    replace:
      '    if (earlier === undefined) writes.put(consumerKey(state.logId, state.name), encodeConsumer(state));\n',
    tests,
  },
  {
    name: 'logs/the-last-of-a-key-is-hidden',
    breaks: 'of every key the last entry stays',
    file: `${source}/logs/compaction-plan.ts`,
    find: '} else this.#superseded.add(before.sequence);',
    replace: '} else this.#superseded.add(lsn);',
    tests,
  },
  {
    name: 'logs/hidden-one-further',
    breaks: 'what is hidden is what was superseded',
    file: `${source}/logs/compaction-plan.ts`,
    find: 'const place = sequence % hiddenChunkEntries;',
    replace: 'const place = (sequence + 1) % hiddenChunkEntries;',
    tests,
  },
  {
    name: 'logs/all-of-a-segment-thinned',
    breaks: 'a segment that is written again keeps what is not hidden',
    file: `${source}/logs/log-compactor.ts`,
    find: 'hidden.isHidden(lsn) && !isHiddenRecord(payload) ? hiddenRecord(payload) : payload;',
    replace: 'lsn > 0 && !isHiddenRecord(payload) ? hiddenRecord(payload) : payload;',
    tests,
  },
  {
    name: 'logs/gaps-passed-over',
    breaks: 'a reader is told what compaction took away',
    file: `${source}/logs/log-pages.ts`,
    find: 'if (hidden.isHidden(lsn) || isHiddenRecord(payload)) gaps.add(lsn);',
    replace: 'if (hidden.isHidden(lsn) || isHiddenRecord(payload)) bytes += 0;',
    tests,
  },
  {
    name: 'logs/hidden-forgotten-at-a-start',
    breaks: 'what is hidden stays so, at every replica alike',
    file: `${source}/apply/state-machine.ts`,
    find: '    machine.logs.hidden.load(await readStatePart(options.store, statePrefix.hidden));\n',
    replace: '',
    tests,
  },
  {
    name: 'logs/unknown-position-passed-over',
    breaks: 'a reader that goes to another node is given nothing a second time',
    file: `${source}/logs/multi-master-logs.ts`,
    find: 'if (isKnown || sequence === 0) continue;',
    replace: 'if (isKnown || sequence >= 0) continue;',
    tests: ['apps/server/test/multi-master-bad-requests.test.ts'],
  },
  {
    name: 'logs/shipping-ends-with-an-overdue-command',
    breaks: 'a node that was stopped for some seconds goes on shipping',
    file: `${source}/replication/own-entry-store.ts`,
    find: "  'OUTCOME_UNKNOWN',\n  'DEADLINE_EXCEEDED',\n]);",
    replace: ']);',
    tests: ['tools/simulator/cluster/logs/many-masters-swarm.test.ts'],
  },
];
