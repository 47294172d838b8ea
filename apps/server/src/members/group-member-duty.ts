/**
 * Keeps one group in line with the node table, where this node leads it. Looks whenever the table or the group has
 * changed, and twice a second while something is under way: what learners lack changes without a word.
 */
import type { Clock } from '@shanghai/env';
import type { Catalogue } from '../apply/catalogue.js';
import { KickedRounds } from '../kicked-rounds.js';
import type { NodeListener } from '../node-events.js';
import type { CommandLogStatus } from '../raft/command-log.js';
import type { ConsensusEvents } from '../raft/consensus-events.js';
import type { Replica } from '../raft/replica.js';
import type { SystemGroup } from '../raft/system-group.js';
import { type GroupStep, type GroupView, placesToReport, planGroup, type TableView } from './plan-group.js';

/** What the duty stands on. */
export interface GroupMemberDutyParts {
  readonly nodeId: number;
  readonly replica: Replica;
  readonly system: SystemGroup;
  readonly events: ConsensusEvents;
  readonly clock: Clock;
  readonly listener: NodeListener;
}

const lookMs = 500;
/** After a step that failed: handing over again and again keeps the group from writing. */
const failedLookMs = 2_000;

/** The duty of one node for one group. */
export class GroupMemberDuty {
  readonly #parts: GroupMemberDutyParts;
  readonly #rounds: KickedRounds;
  #saidWhy = '';

  constructor(parts: GroupMemberDutyParts) {
    this.#parts = parts;
    const { clock, events, system } = parts;
    const changes = [events.changed, system.replica.state.changes.published];
    this.#rounds = new KickedRounds({ clock, changes, round: () => this.#round() });
  }

  /** Goes on doing it by itself. */
  start(): void {
    this.#rounds.start();
  }

  /** Ends it. A step under way ends with the group. */
  stop(): void {
    this.#rounds.stop();
  }

  async #round(): Promise<number | undefined> {
    try {
      return (await this.#look()) ? lookMs : undefined;
    } catch {
      // What failed is tried again: the group may have another leader by then, who does it.
      return failedLookMs;
    }
  }

  /** Does what is to be done now. Resolves to whether something is under way. */
  async #look(): Promise<boolean> {
    const { replica, system } = this.#parts;
    const seen = this.#whatToDo();
    if (seen !== 'something') return seen === 'waiting';
    // The table as it is now: whoever planned with an older one would undo what was just done.
    await system.catchUp();
    const group = this.#group();
    if (group === undefined) return false;
    const table = tableView(system.catalogue);
    const { groupId } = replica;
    for (const { nodeId, isIn } of placesToReport(group, table)) {
      await system.change({ type: 'placeNode', nodeId, groupId, isIn });
    }
    const step = planGroup(group, table);
    if (step === undefined) return false;
    this.#say(step);
    if (step.type === 'change') {
      await replica.log.changeConfiguration({ transition: 'auto', changes: step.changes });
      this.#rounds.kick();
    } else if (step.type === 'transfer') await replica.log.handOver(step.to);
    return true;
  }

  /** By the table as this node has it, which costs nothing. */
  #whatToDo(): 'nothing' | 'waiting' | 'something' {
    const { system } = this.#parts;
    const group = this.#group();
    if (group === undefined || system.catalogue.cluster === undefined) return 'nothing';
    const table = tableView(system.catalogue);
    const step = planGroup(group, table);
    if (placesToReport(group, table).length > 0) return 'something';
    if (step === undefined) return 'nothing';
    if (step.type !== 'wait') return 'something';
    this.#say(step);
    return 'waiting';
  }

  /** Once for each thing that is done or waited for. */
  #say({ type, why }: GroupStep): void {
    if (this.#saidWhy === why) return;
    this.#saidWhy = why;
    const { listener, replica } = this.#parts;
    listener.membersPlanned?.({ groupId: replica.groupId, type, why });
  }

  #group(): GroupView | undefined {
    const { nodeId, replica } = this.#parts;
    const status = replica.log.status();
    return status.role === 'leader' ? groupView(replica.groupId, nodeId, status) : undefined;
  }
}

/** A group as its leader, this node, sees it. */
export function groupView(groupId: number, selfId: number, { lastIndex, raft }: CommandLogStatus): GroupView {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = raft.configuration;
  const { replicas } = raft;
  return { groupId, selfId, voters, votersOutgoing, learners, learnersNext, autoLeave, lastIndex, replicas };
}

function tableView(catalogue: Catalogue): TableView {
  return {
    nodes: catalogue.nodes,
    removed: new Set(catalogue.removedNodes.map(({ nodeId }) => nodeId)),
    factor: catalogue.replicationFactor,
    isFactorChosen: catalogue.cluster?.settings.replicationFactor !== undefined,
  };
}
