/**
 * What a node does for the cluster beside answering: the leader of the system group makes the cluster, the leader of the
 * data group brings it in line with the catalogue, every node sees to its own entry in the node table and to whom it
 * reaches. Each duty is an entry that is skipped where nothing is to change, so whoever leads next goes on where the last
 * one stopped, and doing one twice does nothing.
 *
 * One round does what is to be done now. Rounds run when leaders or members change, when the system group has applied
 * something, when addresses are announced, and once a second while something could not be done yet.
 */
import type { Clock } from '@shanghai/env';
import type { ConfState, RaftHost } from '@shanghai/raft';
import type { ClusterEntry } from './apply/catalogue.js';
import type { NodeEntry } from './apply/catalogue-command.js';
import { described } from './apply/node-table.js';
import { DataDirectoryError } from './data-directory-error.js';
import { KickedRounds } from './kicked-rounds.js';
import type { NodeListener } from './node-events.js';
import type { PeerBook } from './peers/peer-book.js';
import { alignGroup } from './raft/align-group.js';
import type { ConsensusEvents } from './raft/consensus-events.js';
import type { Replica } from './raft/replica.js';
import type { SystemGroup } from './raft/system-group.js';
import { refuseReplaced } from './refuse-replaced.js';
import { type SupportedVersions, versionToRaiseTo } from './version/cluster-version.js';

/** What a node's duties stand on. */
export interface DutyParts {
  readonly system: SystemGroup;
  readonly data: Replica;
  readonly host: Pick<RaftHost, 'setPeers'>;
  readonly book: PeerBook;
  readonly events: ConsensusEvents;
  readonly clock: Clock;
  readonly listener: NodeListener;
  /** What a cluster is made with that does not exist yet. */
  readonly cluster: {
    readonly clusterId: string;
    readonly slots: number;
    readonly maxValueBytes: number;
    readonly replicationFactor: number;
  };
  /** This node as the node table shall have it. */
  readonly node: NodeEntry;
  /** Whether its name was chosen; else it keeps the one that was set aside with its id. */
  readonly isNamed: boolean;
  /** Cluster versions that this program supports. */
  readonly supported: SupportedVersions;
}

const retryMs = 1000;

/** How often bringing a group in line with the catalogue begins again because something changed meanwhile. */
const maxAlignments = 5;

/** The duties of one node. */
export class NodeDuties {
  readonly #parts: DutyParts;
  readonly #rounds: KickedRounds;
  #node: NodeEntry;
  /** The term of the data group in which this node, leading it, has brought it in line. */
  #alignedTerm = 0;
  #peers = '';

  constructor(parts: DutyParts) {
    this.#parts = parts;
    this.#node = parts.node;
    const { clock, events, system } = parts;
    const changes = [events.changed, system.replica.state.changes.published];
    this.#rounds = new KickedRounds({ clock, changes, round: () => this.#tried() });
  }

  /** Does what is to be done now. Rejects with the first thing that cannot be done. */
  async round(): Promise<void> {
    this.#reachPeers();
    const { system, data } = this.#parts;
    if (system.catalogue.cluster === undefined && leads(system.replica)) await this.#makeCluster();
    const { cluster } = system.catalogue;
    if (cluster === undefined) return;
    this.#refuseOtherCluster(cluster);
    // Nobody's keys are taken before.
    if (leads(data)) await this.#alignData();
    await this.#register();
    if (leads(system.replica)) await this.#raiseVersion();
  }

  /** Goes on doing it by itself. */
  start(): void {
    this.#rounds.start();
  }

  /** Where clients reach this node; the node table gets it as soon as that can be. */
  announce(addresses: Pick<NodeEntry, 'grpcAddress' | 'httpAddress'>): void {
    this.#node = { ...this.#node, ...addresses };
    this.#rounds.kick();
  }

  /** Ends it. A round under way ends with the groups. */
  stop(): void {
    this.#rounds.stop();
  }

  async #tried(): Promise<number | undefined> {
    try {
      await this.round();
      return undefined;
    } catch (error) {
      if (error instanceof DataDirectoryError) this.#parts.listener.failed?.({ groupId: 0, error });
      return retryMs;
    }
  }

  /** Who is to be reached may have changed. */
  reviewPeers(): void {
    this.#reachPeers();
  }

  #reachPeers(): void {
    const { book, host, system } = this.#parts;
    const peers = book.peers().map(({ nodeId, peerAddress }) => ({ nodeId, address: peerAddress }));
    // Whoever is connected is judged anew with this, so other instances count as a change, too.
    const text = JSON.stringify([peers, system.catalogue.nodes, system.catalogue.removedNodes]);
    if (text === this.#peers) return;
    this.#peers = text;
    host.setPeers(peers);
  }

  async #makeCluster(): Promise<void> {
    const { system, cluster, supported } = this.#parts;
    // A leader before this one may have made it.
    await system.catchUp();
    if (system.catalogue.cluster !== undefined) return;
    await system.change({ type: 'bootstrap', clusterVersion: supported.highest, ...cluster });
  }

  /** Step by step, as far as everybody can follow. */
  async #raiseVersion(): Promise<void> {
    const { system, data, supported } = this.#parts;
    const members = [system.replica, data].flatMap(({ log }) => membersOf(log.status().raft.configuration));
    for (;;) {
      const version = versionToRaiseTo(system.catalogue, members, supported);
      if (version === undefined) return;
      await system.change({ type: 'raiseClusterVersion', version });
    }
  }

  #refuseOtherCluster({ clusterId }: ClusterEntry): void {
    const expected = this.#parts.cluster.clusterId;
    if (clusterId === expected) return;
    throw new DataDirectoryError(
      'DAMAGED',
      `node.json names cluster ${expected}, the system group ${clusterId}; restore node.json`,
    );
  }

  async #register(): Promise<void> {
    const { system } = this.#parts;
    const known = system.catalogue.nodes.find(({ nodeId }) => nodeId === this.#node.nodeId);
    const node = this.#parts.isNamed ? this.#node : { ...this.#node, name: known?.name ?? this.#node.name };
    if (known !== undefined && JSON.stringify(described(known)) === JSON.stringify(node)) return;
    refuseReplaced(system.catalogue.nodes, node);
    // Where it moved to another address nobody reaches it, and it hears of no leader, until the others know.
    await system.changeByAnybody({ type: 'putNode', node }, node.nodeId);
  }

  /** The data group knows the settings and holds exactly the catalogue's logs. */
  async #alignData(): Promise<void> {
    const { data, system } = this.#parts;
    const { term } = data.log.status();
    if (term === this.#alignedTerm) return;
    for (let attempt = 0; attempt < maxAlignments; attempt++) {
      if (!(await alignGroup(data, system))) break;
    }
    this.#alignedTerm = term;
  }
}

function membersOf({ voters, votersOutgoing, learners, learnersNext }: ConfState): readonly number[] {
  return [...voters, ...votersOutgoing, ...learners, ...learnersNext];
}

function leads(replica: Replica): boolean {
  return replica.log.status().role === 'leader';
}
