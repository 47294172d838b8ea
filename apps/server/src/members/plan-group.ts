/**
 * The next step that brings a group in line with the node table, decided from one look at both. One change of the
 * configuration at a time; whoever leads next decides anew, so a step that was lost, or made twice, does no harm.
 *
 * In this order: who is new becomes a learner, which costs nobody anything. Who leaves is taken out, in one joint change
 * with the learner that takes its place where there is one. Learners that have caught up become voters, up to the
 * replication factor. No step is taken after which the voters that are heard of would be no majority.
 *
 * The system group is left last: whoever leads a group plans by the node table, and a leader that were out of the group
 * which keeps the table would never learn that it is to hand over.
 */
import type { ConfChangeSingle } from '@shanghai/raft';
import type { NodeEntry } from '../apply/catalogue-command.js';

/** A group as its leader sees it. */
export interface GroupView {
  readonly groupId: number;
  /** The leader itself. */
  readonly selfId: number;
  readonly voters: readonly number[];
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
  readonly learnersNext: readonly number[];
  /** Whether a joint configuration is left by itself. */
  readonly autoLeave: boolean;
  readonly lastIndex: number;
  /** The others. */
  readonly replicas: readonly { readonly nodeId: number; readonly matchIndex: number; readonly isActive: boolean }[];
}

/** The node table. */
export interface TableView {
  /** Without those that were taken out. */
  readonly nodes: readonly Pick<NodeEntry, 'nodeId' | 'instanceId' | 'state' | 'replacedBy' | 'groups'>[];
  /** Ids of those that were taken out. */
  readonly removed: ReadonlySet<number>;
  readonly factor: number;
  /** Whether somebody chose the factor. Else groups that have more voters keep them. */
  readonly isFactorChosen: boolean;
}

/** What to do next. `why` is for people. */
export type GroupStep =
  | { readonly type: 'change'; readonly changes: readonly ConfChangeSingle[]; readonly why: string }
  | { readonly type: 'transfer'; readonly to: number; readonly why: string }
  /** Something is to be done and cannot be now. */
  | { readonly type: 'wait'; readonly why: string };

/** The group that keeps the node table. */
const systemGroupId = 0;

/** A learner that lacks no more entries than this counts as caught up. */
export const caughtUpEntries = 1_000;

/** The next step; `undefined`: the group is as the table wants it. */
export function planGroup(group: GroupView, table: TableView): GroupStep | undefined {
  if (group.votersOutgoing.length > 0) {
    if (group.autoLeave) return { type: 'wait', why: 'its configuration is joint, and left by itself' };
    return { type: 'change', changes: [], why: 'its configuration is left joint' };
  }
  const plan = new Plan(group, table);
  const steps = [() => plan.addLearner(), () => plan.removeLearner(), () => plan.removeVoter(), () => plan.keepLast()];
  let waiting: GroupStep | undefined;
  for (const step of [...steps, () => plan.promote(), () => plan.demote(), () => plan.awaitNew()]) {
    const next = step();
    if (next !== undefined && next.type !== 'wait') return next;
    waiting ??= next;
  }
  return waiting;
}

/** What the table does not say yet of who is in the group. */
export function placesToReport(
  group: GroupView,
  table: TableView,
): readonly { readonly nodeId: number; readonly isIn: boolean }[] {
  if (group.votersOutgoing.length > 0) return [];
  const members = new Set([...group.voters, ...group.learners, ...group.learnersNext]);
  const places: { readonly nodeId: number; readonly isIn: boolean }[] = [];
  for (const { nodeId, state, groups } of table.nodes) {
    const isSaid = groups === undefined || groups.includes(group.groupId);
    const isMember = members.has(nodeId);
    if (state === 'joining' && !isSaid && isMember && isCaughtUp(group, nodeId)) places.push({ nodeId, isIn: true });
    if (state === 'leaving' && isSaid && !isMember) places.push({ nodeId, isIn: false });
  }
  return places;
}

/** Whether those voters could decide alone: more than half of them are heard of. */
export function hasMajority(group: GroupView, voters: readonly number[]): boolean {
  return voters.filter((id) => isActive(group, id)).length > voters.length / 2;
}

class Plan {
  readonly #group: GroupView;
  readonly #table: TableView;
  readonly #leaving: ReadonlyMap<number, number | undefined>;

  constructor(group: GroupView, table: TableView) {
    this.#group = group;
    this.#table = table;
    const entries = table.nodes.filter((node) => node.state === 'leaving' && !this.#isKept(node));
    this.#leaving = new Map([
      ...[...table.removed].map((id) => [id, undefined] as const),
      ...entries.map(({ nodeId, replacedBy }) => [nodeId, replacedBy] as const),
    ]);
  }

  addLearner(): GroupStep | undefined {
    const { voters, learners } = this.#group;
    const isNew = ({ nodeId, instanceId, state }: TableView['nodes'][number]) =>
      instanceId !== '' && (state === 'joining' || state === 'member') && ![...voters, ...learners].includes(nodeId);
    const found = this.#table.nodes.find(isNew);
    if (found === undefined) return undefined;
    const { nodeId } = found;
    return change([{ type: 'addLearner', nodeId }], `node ${nodeId} is new and learns`);
  }

  removeLearner(): GroupStep | undefined {
    const nodeId = this.#group.learners.find((id) => this.#leaving.has(id));
    if (nodeId === undefined) return undefined;
    return change([{ type: 'removeNode', nodeId }], `node ${nodeId} leaves`);
  }

  removeVoter(): GroupStep | undefined {
    const { voters, selfId } = this.#group;
    const leaving = voters.filter((id) => this.#leaving.has(id));
    let waiting: GroupStep | undefined;
    for (const nodeId of leaving.sort((a, b) => Number(a === selfId) - Number(b === selfId))) {
      const step = this.#removeOne(nodeId);
      if (step.type !== 'wait') return step;
      waiting ??= step;
    }
    return waiting;
  }

  /** Of the system group: nodes that leave, and have not left all others yet. */
  keepLast(): GroupStep | undefined {
    const { voters, learners } = this.#group;
    const members = [...voters, ...learners];
    const kept = this.#table.nodes.find((node) => this.#isKept(node) && members.includes(node.nodeId));
    if (kept === undefined) return undefined;
    return { type: 'wait', why: `node ${kept.nodeId} leaves when it is in no other group` };
  }

  #isKept({ state, groups }: TableView['nodes'][number]): boolean {
    if (this.#group.groupId !== systemGroupId || state !== 'leaving') return false;
    return groups === undefined || groups.some((id) => id !== systemGroupId);
  }

  #removeOne(nodeId: number): GroupStep {
    const { voters, selfId } = this.#group;
    const wanted = this.#leaving.get(nodeId);
    const successor = this.#promotable().find((id) => wanted === undefined || wanted === 0 || wanted === id);
    if (wanted !== undefined && successor === undefined && !this.#isReplaced(wanted)) {
      const who = wanted === 0 ? 'a node that joins' : `node ${wanted}`;
      return { type: 'wait', why: `node ${nodeId} leaves when ${who} has caught up and takes its place` };
    }
    if (nodeId === selfId) return this.#leaveMyself(successor);
    const others = voters.filter((id) => id !== nodeId);
    const result = successor === undefined ? others : [...others, successor];
    if (result.length === 0 || !hasMajority(this.#group, result) || !hasMajority(this.#group, voters)) {
      return { type: 'wait', why: `node ${nodeId} leaves when a majority of nodes ${result.join(', ')} is up` };
    }
    if (successor === undefined) return change([{ type: 'removeNode', nodeId }], `node ${nodeId} leaves`);
    const changes = [{ type: 'addNode', nodeId: successor } as const, { type: 'removeNode', nodeId } as const];
    return change(changes, `node ${successor} takes the place of node ${nodeId}`);
  }

  /**
   * Whether as many vote without those who leave as shall. The system group is left last: all others have found somebody
   * for the place by then. Who that is may vote here already, or be about to leave as well: nobody else is waited for.
   */
  #isReplaced(wanted: number): boolean {
    const stay = this.#staying();
    const able = this.#able();
    const mayCome = wanted === 0 ? able.length > 0 : able.includes(wanted);
    if (this.#group.groupId === systemGroupId && !mayCome) return true;
    return wanted === 0 ? stay.length >= this.#table.factor : stay.includes(wanted);
  }

  /** A leader hands over first: whoever leads next takes it out. */
  #leaveMyself(successor: number | undefined): GroupStep {
    const { selfId } = this.#group;
    const heirs = this.#staying().filter((id) => id !== selfId && isActive(this.#group, id));
    heirs.sort((a, b) => matchOf(this.#group, b) - matchOf(this.#group, a));
    const [to] = heirs;
    if (to !== undefined) return { type: 'transfer', to, why: `node ${selfId} leaves, and node ${to} leads first` };
    if (successor !== undefined && hasMajority(this.#group, [...this.#group.voters, successor])) {
      return change([{ type: 'addNode', nodeId: successor }], `node ${successor} votes before node ${selfId} leaves`);
    }
    return { type: 'wait', why: `node ${selfId} leaves when another one can lead` };
  }

  promote(): GroupStep | undefined {
    const { voters } = this.#group;
    if (this.#staying().length >= this.#table.factor) return undefined;
    const nodeId = this.#promotable().find((id) => hasMajority(this.#group, [...voters, id]));
    if (nodeId !== undefined) return change([{ type: 'addNode', nodeId }], `node ${nodeId} has caught up and votes`);
    const able = this.#able();
    return able.length === 0 ? undefined : { type: 'wait', why: `nodes ${able.join(', ')} catch up` };
  }

  demote(): GroupStep | undefined {
    const { voters, selfId } = this.#group;
    const stay = this.#staying();
    if (!this.#table.isFactorChosen || stay.length <= this.#table.factor) return undefined;
    const others = stay.filter((id) => id !== selfId);
    const nodeId = others.find((id) => !isActive(this.#group, id)) ?? Math.max(...others);
    const rest = voters.filter((id) => id !== nodeId);
    if (!hasMajority(this.#group, rest)) return { type: 'wait', why: `nodes ${rest.join(', ')} are no majority` };
    return change([{ type: 'addLearner', nodeId }], `node ${nodeId} is beyond the replication factor and learns`);
  }

  /** The table is to be told of a node that joins as soon as it has caught up. */
  awaitNew(): GroupStep | undefined {
    const { groupId, learners } = this.#group;
    const isBehind = ({ nodeId, state, groups }: TableView['nodes'][number]) =>
      state === 'joining' && groups?.includes(groupId) === false && learners.includes(nodeId);
    const found = this.#table.nodes.find(isBehind);
    return found === undefined ? undefined : { type: 'wait', why: `node ${found.nodeId} catches up` };
  }

  #staying(): number[] {
    return this.#group.voters.filter((id) => !this.#leaving.has(id));
  }

  /** Learners that are to stay. */
  #able(): number[] {
    return this.#group.learners.filter((id) => !this.#leaving.has(id));
  }

  /** Learners that could vote, who has most of the log first. */
  #promotable(): number[] {
    const able = this.#able().filter((id) => isCaughtUp(this.#group, id));
    return able.sort((a, b) => matchOf(this.#group, b) - matchOf(this.#group, a) || a - b);
  }
}

function change(changes: readonly ConfChangeSingle[], why: string): GroupStep {
  return { type: 'change', changes, why };
}

function isActive(group: GroupView, nodeId: number): boolean {
  return nodeId === group.selfId || group.replicas.some((one) => one.nodeId === nodeId && one.isActive);
}

function matchOf(group: GroupView, nodeId: number): number {
  if (nodeId === group.selfId) return group.lastIndex;
  return group.replicas.find((one) => one.nodeId === nodeId)?.matchIndex ?? 0;
}

/** A node that was added a moment ago matches nothing yet, however short the log is. */
function isCaughtUp(group: GroupView, nodeId: number): boolean {
  const match = matchOf(group, nodeId);
  return isActive(group, nodeId) && match > 0 && group.lastIndex - match <= caughtUpEntries;
}
