/** The nodes of a simulation with what lies between them, and clients that write and read all the time. */
import type { Random } from '@shanghai/env';
import type { ConfChange, ConfState, Entry, Snapshot } from '@shanghai/raft';
import { EventQueue } from '../event-queue.js';
import { emptyExercise } from './exercise.js';
import { SimulatedNetwork } from './simulated-network.js';
import { SimulatedNode } from './simulated-node.js';
import { Truth, Violation } from './truth.js';

const tickMs = 100;

/** What a cluster is made of. */
export interface ClusterOptions {
  /** Voters at the start. As many again may join. */
  readonly nodes: number;
  readonly random: Random;
  readonly operationsPerSecond: number;
  readonly areDisksLying: boolean;
  readonly onTrace: ((line: string) => void) | undefined;
}

/** A group that is simulated. */
export class Cluster {
  readonly queue = new EventQueue();
  readonly truth = new Truth();
  readonly exercise = emptyExercise();
  readonly network: SimulatedNetwork;
  readonly nodes: SimulatedNode[] = [];
  /** How fast a node's clock runs where it does not run right. */
  readonly tickRates = new Map<number, number>();
  readonly #options: ClusterOptions;
  readonly #random: Random;
  /** Proposals that were taken: who is waiting. */
  readonly #waiting = new Map<number, number>();
  readonly #preVote: boolean;
  #nextProposal = 1;
  acknowledged = 0;
  #configurations = new Map<number, string>();

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#random = options.random;
    this.network = new SimulatedNetwork(this.queue, options.random, (message) =>
      this.#nodeOf(message.to)?.receive(message),
    );
    const raft = this.#drawOptions();
    this.#preVote = raft.preVote;
    const voters = Array.from({ length: options.nodes }, (_, i) => i + 1);
    const confState = { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    const origin: Snapshot = { metadata: { index: 1, term: 1, confState }, data: new Uint8Array(4) };
    for (let id = 1; id <= options.nodes + 2; id++) {
      this.nodes.push(
        new SimulatedNode(id, id <= options.nodes ? origin : undefined, {
          queue: this.queue,
          random: this.#random,
          truth: this.truth,
          options: raft,
          exercise: this.exercise,
          areDisksLying: options.areDisksLying,
          send: (message, onLost) => this.network.send(message, onLost),
          onApplied: (node, entry) => this.#applied(node, entry),
          onConfiguration: (node, state) => this.#configured(node, state),
          trace: (line) => this.trace(line),
        }),
      );
    }
  }

  /** Starts everybody, and the clients. */
  start(): void {
    for (const node of this.nodes) {
      node.start();
      this.#tick(node);
    }
    this.#operate();
  }

  /** A line for whoever reads the trace. */
  trace(line: () => string): void {
    this.#options.onTrace?.(`${this.queue.nowMs.toFixed(1).padStart(10)} ${line()}`);
  }

  /** Proposes a change at whoever leads. */
  reconfigure(change: ConfChange): void {
    for (const node of this.nodes) {
      node.ask((raft) => {
        if (raft.marks().state !== 'StateLeader') return;
        const { configuration } = raft.status();
        // Who removes everybody has no group any more: clients do not ask for that.
        const left = new Set(configuration.voters.incoming);
        for (const { type, nodeId } of change.changes) {
          if (type === 'addNode') left.add(nodeId);
          else left.delete(nodeId);
        }
        const isJoint = configuration.voters.outgoing.size > 0;
        if (isJoint) raft.proposeConfChange({ transition: 'auto', changes: [] });
        else if (left.size > 0) raft.proposeConfChange(change);
      });
    }
  }

  /** Proposes through whoever leads and returns the proposal's number, or undefined where nobody does. */
  proposeAtLeader(): number | undefined {
    const leader = this.nodes.find((node) => node.raft?.marks().state === 'StateLeader');
    return leader === undefined ? undefined : this.#propose(leader);
  }

  isWaiting(proposal: number): boolean {
    return this.#waiting.has(proposal);
  }

  /** The voters that the newest leader knows. */
  voters(): ReadonlySet<number> {
    const leaders = this.nodes.flatMap(({ raft }) => (raft?.marks().state === 'StateLeader' ? [raft.status()] : []));
    leaders.sort((a, b) => b.term - a.term);
    const voters = leaders[0]?.configuration.voters;
    return new Set([...(voters?.incoming ?? []), ...(voters?.outgoing ?? [])]);
  }

  /**
   * Stops for good who was removed, where votes are not asked for beforehand: such a node may not have heard of it, and its
   * elections then keep the others from ending theirs (Raft dissertation, 4.2.3). Hosts always ask beforehand.
   */
  stopRemoved(): void {
    if (this.#preVote) return;
    const running = this.nodes.filter(({ raft }) => raft !== undefined);
    const newest = running.sort((a, b) => b.appliedIndex - a.appliedIndex)[0]?.raft?.status().configuration;
    if (newest === undefined) return;
    const { voters, learners, learnersNext } = newest;
    const members = new Set([...voters.incoming, ...voters.outgoing, ...learners, ...learnersNext]);
    for (const node of running) if (!members.has(node.id)) node.crash();
  }

  #drawOptions() {
    const random = this.#random;
    const maxSizePerMessage = random.float() < 0.5 ? 60 : 1_048_576;
    return {
      preVote: random.float() < 0.8,
      checkQuorum: random.float() < 0.8,
      // Without it a removed leader goes on until its owner stops it: heartbeats, and no proposals. Owners here never do.
      stepDownOnRemoval: true,
      disableProposalForwarding: random.float() < 0.5,
      maxInflightMessages: 1 + random.below(20),
      maxInflightBytes: random.float() < 0.3 ? maxSizePerMessage : 0,
      maxSizePerMessage,
      maxCommittedSizePerReady: random.float() < 0.5 ? 40 : 1_048_576,
      maxUncommittedBytes: random.float() < 0.3 ? 100 : 1_048_576,
    };
  }

  #tick(node: SimulatedNode): void {
    this.queue.after(tickMs / (this.tickRates.get(node.id) ?? 1), () => {
      node.tick(1);
      this.#tick(node);
    });
  }

  #operate(): void {
    const meanMs = 1000 / this.#options.operationsPerSecond;
    this.queue.after(this.#random.float() * 2 * meanMs, () => {
      const node = this.nodes[this.#random.below(this.nodes.length)] as SimulatedNode;
      const isBurst = this.#random.float() < 0.05;
      for (let i = 0; i < (isBurst ? 10 : 1); i++) {
        if (this.#random.float() < 0.3) node.read();
        else this.#propose(node);
      }
      this.#operate();
    });
  }

  #propose(node: SimulatedNode): number {
    const proposal = this.#nextProposal++;
    const data = new Uint8Array(8 + this.#random.below(24));
    new DataView(data.buffer).setFloat64(0, proposal);
    if (node.propose(data)) this.#waiting.set(proposal, node.id);
    return proposal;
  }

  /** The client is told by the node that it asked, once that has applied it. */
  #applied(id: number, { type, data, index }: Entry): void {
    if (type !== 'EntryNormal' || data.length < 8) return;
    const proposal = new DataView(data.buffer, data.byteOffset).getFloat64(0);
    if (this.#waiting.get(proposal) !== id) return;
    this.#waiting.delete(proposal);
    this.acknowledged++;
    this.truth.acknowledged(index);
  }

  /** Configuration safety: the same everywhere at the same place of the log. */
  #configured(id: number, state: ConfState): void {
    const index = this.#nodeOf(id)?.appliedIndex ?? 0;
    this.exercise.configurations++;
    if (state.votersOutgoing.length > 0) this.exercise.jointConfigurations++;
    const text = JSON.stringify(state);
    const known = this.#configurations.get(index);
    if (known !== undefined && known !== text) {
      throw new Violation(`configuration safety: ${id} has ${text} behind ${index}, somebody else ${known}`);
    }
    this.#configurations.set(index, text);
  }

  #nodeOf(id: number): SimulatedNode | undefined {
    return this.nodes[id - 1];
  }
}
