import type { Mutation } from './mutation.js';

const source = 'apps/server/src';
const plan = `${source}/members/plan-group.ts`;
const planTest = [`${source}/members/plan-group.test.ts`];
const table = `${source}/apply/node-table.ts`;
const tableTest = [`${source}/apply/node-table.test.ts`];
const scenario = ['apps/server/test/cluster-members.test.ts'];

/** Bugs in who belongs to the cluster: the node table, the planner, joining, and being told that one is out. */
export const memberMutations: readonly Mutation[] = [
  {
    name: 'members/promoted-before-it-has-caught-up',
    breaks: 'a learner votes when it has caught up',
    file: plan,
    find: '  return isActive(group, nodeId) && match > 0 && group.lastIndex - match <= caughtUpEntries;',
    replace: '  return isActive(group, nodeId) && match >= 0;',
    tests: planTest,
    named: 'a learner votes when it has caught up',
  },
  {
    name: 'members/removed-without-a-majority',
    breaks: 'no change is made after which the voters that are up were no majority',
    file: plan,
    find: '    if (result.length === 0 || !hasMajority(this.#group, result) || !hasMajority(this.#group, voters)) {',
    replace: '    if (result.length === 0) {',
    tests: planTest,
    named: 'nobody is taken out where those who remain have no majority',
  },
  {
    name: 'members/promoted-without-a-majority',
    breaks: 'no change is made after which the voters that are up were no majority',
    file: plan,
    find: '    const nodeId = this.#promotable().find((id) => hasMajority(this.#group, [...voters, id]));',
    replace: '    const nodeId = this.#promotable().find((id) => !voters.includes(id));',
    tests: planTest,
    named: 'from any state',
  },
  {
    name: 'members/leader-takes-itself-out',
    breaks: 'a leader that leaves hands over first',
    file: plan,
    find: '    if (nodeId === selfId) return this.#leaveMyself(successor);\n',
    replace: '',
    tests: planTest,
    named: 'a leader that leaves hands over first',
  },
  {
    name: 'members/replaced-by-nobody',
    breaks: 'one that is to be replaced keeps its place until somebody has caught up',
    file: plan,
    find: 'successor === undefined && !this.#isReplaced(wanted)) {',
    replace: 'successor === undefined && wanted === this.#group.selfId) {',
    tests: planTest,
    named: 'one that is to be replaced keeps its place',
  },
  {
    name: 'members/begun-while-joint',
    breaks: 'while a configuration is joint nothing else is begun',
    file: plan,
    find: '    if (group.autoLeave) return { type:',
    replace: '    if (group.autoLeave && table.factor === 0) return { type:',
    tests: planTest,
    named: 'while a configuration is joint',
  },
  {
    name: 'members/id-given-twice',
    breaks: 'the id of a node that was taken out is not given again',
    file: table,
    find: '1 + Math.max(0, ...this.#entries.keys())',
    replace: '1 + Math.max(0, ...this.present.map((entry) => entry.nodeId))',
    tests: tableTest,
    named: 'a removed node is told so',
  },
  {
    name: 'members/late-report-counts',
    breaks: 'what was said of a node that leaves by now counts for nothing',
    file: table,
    find: "    if (known?.state === 'joining' && isIn) {",
    replace: '    if (known !== undefined && isIn) {',
    tests: tableTest,
    named: 'a new node joins, is a member when every group has it',
  },
  {
    name: 'members/first-member-stays-a-peer',
    breaks: 'a node that was taken out is nobody’s peer, also one of the first',
    file: `${source}/peers/peer-book.ts`,
    find: "    if (this.#isRemoved(nodeId)) return 'removed';\n",
    replace: '',
    tests: [`${source}/peers/peer-book.test.ts`],
    named: 'a node that was taken out is nobody’s peer',
  },
  {
    name: 'members/joins-as-another-each-time',
    breaks: 'a node that was broken off while it joined goes on as the same one',
    file: `${source}/members/joining-file.ts`,
    find: "  if (typeof known?.['instanceId'] === 'string') return known['instanceId'];\n",
    replace: '',
    tests: scenario,
    named: 'a node that was broken off while it joined',
  },
  {
    name: 'members/nobody-asks',
    breaks: 'a node that was taken out while it was down is told when it comes back',
    file: `${source}/members/belonging.ts`,
    find: '    if (!this.#hearsNobody()) return;',
    replace: '    if (this.#hearsNobody()) return;',
    tests: scenario,
    named: 'a node that was taken out while it was down',
  },
  {
    name: 'members/joined-node-votes-at-once',
    breaks: 'a node that joins waits to be taken in, and makes no group of its own',
    file: `${source}/open-node-groups.ts`,
    find: '  if (joined !== undefined) return [];\n',
    replace: '  if (joined !== undefined) return [nodeId];\n',
    tests: scenario,
    named: 'a fourth node learns',
  },
  {
    name: 'members/other-instance-takes-the-id',
    breaks: 'another instance under the id of a node of several is refused',
    file: `${source}/members/admit-change.ts`,
    find: 'known.instanceId === instanceId || nodes.length < 2) return;',
    replace: 'known.instanceId !== instanceId || nodes.length < 2) return;',
    tests: [`${source}/members/admit-change.test.ts`],
    named: 'another instance under the id',
  },
];
