import type { Mutation } from './mutation.js';

const apply = 'apps/server/src/apply';
const test = 'apps/server/test';

/** Bugs in what nodes tell each other of logs that every node writes: consumers, trims by hand. */
export const upkeepMutations: readonly Mutation[] = [
  {
    name: 'upkeep/generations-by-arrival',
    breaks: 'a commit of an older generation never undoes a seek, in whatever order they come',
    file: `${apply}/shared-consumers.ts`,
    find: '  if (order !== 0) return order > 0 ? known : said;',
    replace: '  if (order !== 0) return said;',
    tests: [`${apply}/shared-consumers.test.ts`],
    named: 'joined to the same in any order',
  },
  {
    name: 'upkeep/last-commit-wins',
    breaks: 'commits at two nodes that hear nothing of each other both count',
    file: `${apply}/shared-consumers.ts`,
    find: '  const positions = mergedPositions(known.positions, said.positions);',
    replace: '  const positions = mergedPositions([], said.positions);',
    tests: [`${test}/multi-master-upkeep.test.ts`, `${apply}/shared-consumers.test.ts`],
    named: 'no commit is lost|joined to the same in any order',
  },
  {
    name: 'upkeep/floors-only-once',
    breaks: 'what was trimmed by hand is not read where it comes later',
    file: `${apply}/stream-table.ts`,
    find: '    const floor = Math.min(this.floors.of(counters), counters.lastSequence + 1);',
    replace:
      '    const before = this.get(counters)?.lastSequence === counters.lastSequence ? this.floors.of(counters) : 1;\n    const floor = Math.min(before, counters.lastSequence + 1);',
    tests: ['apps/server/src/replication/upkeep-log.test.ts'],
    named: 'what is trimmed by hand is not read',
  },
  {
    name: 'upkeep/trim-without-a-look',
    breaks: 'nothing is trimmed that a member still lacks, unless that is forced',
    file: 'apps/server/src/logs/stream-trims.ts',
    find: '  if (sequence <= heldByAll) return;',
    replace: '  if (sequence <= heldByAll || name.length > 0) return;',
    tests: [`${test}/multi-master-upkeep.test.ts`],
    named: 'a trim takes what all members hold',
  },
  {
    name: 'upkeep/trimmed-and-not-said-again',
    breaks: 'what is trimmed of the upkeep log was said again',
    file: 'apps/server/src/replication/upkeep-log.ts',
    find: '  await sayAll(origin);\n  if (!isDue) return;',
    replace: '  if (!isDue) return sayAll(origin);',
    tests: ['apps/server/src/replication/upkeep-log.test.ts'],
    named: 'enough entries that all members hold',
  },
  {
    name: 'upkeep/restored-beyond-the-end',
    breaks: 'a restored consumer stands nowhere that the restored entries do not reach',
    file: 'apps/server/src/backup/adopt-own-group.ts',
    find: 'sequence: Math.min(sequence, held.lastSequence)',
    replace: 'sequence: Math.max(sequence, held.firstSequence)',
    tests: [`${test}/multi-master-upkeep.test.ts`],
    named: 'consumers outlive a backup',
  },
];
