/**
 * Changes of the catalogue from any node: proposed here where this node leads the system group, else handed to the node
 * that does. A node that works for clients of a data group (it makes a keyspace, a log) need not lead the system group.
 */
import type { Catalogue } from '../apply/catalogue.js';
import type { CatalogueCommand, NodeEntry } from '../apply/catalogue-command.js';
import { ServerError } from '../requests/server-error.js';
import { requireVersionFor } from '../version/version-gate.js';
import { leaderNamedBy } from './proposal-refusals.js';
import type { Replica } from './replica.js';

/** Reaches the leader of the system group on another node. */
export interface CatalogueForwarder {
  /**
   * Hands a change to a node. Resolves to the index from which on a replica of the system group has it. Rejects with the
   * `ServerError` that the node gave, or with one of its own: `CLUSTER_ERROR` where the node was not reached (nothing
   * was done), `OUTCOME_UNKNOWN` where that is unknown.
   */
  proposeCatalogue(leader: NodeEntry, change: CatalogueCommand): Promise<number>;
}

/** What the system group's changes stand on. */
export interface SystemGroupParts {
  readonly replica: Replica;
  /** Absent: changes are made only where this node leads. */
  readonly forwarder?: CatalogueForwarder;
  /** Asked before this node, leading the group, proposes a change; throws a `ServerError` where it is not to be made now. */
  readonly admit?: (change: CatalogueCommand) => void;
}

/** The system group as the rest of the node changes it. */
export class SystemGroup {
  readonly replica: Replica;
  readonly #forwarder: CatalogueForwarder | undefined;
  readonly #admit: ((change: CatalogueCommand) => void) | undefined;

  constructor({ replica, forwarder, admit }: SystemGroupParts) {
    this.replica = replica;
    this.#admit = admit;
    this.#forwarder = forwarder;
  }

  /** The catalogue as this node has applied it. Not to be kept across a wait. */
  get catalogue(): Catalogue {
    return this.replica.machine.catalogue;
  }

  /** Resolves when this node has every change that was acknowledged before the call. */
  async catchUp(): Promise<void> {
    await this.replica.readBarrier({ keyspace: '', level: 'linearizable' });
  }

  /**
   * Makes a change, wherever the leader is; when it resolves, this node's copy has it. Changes may be made again: what
   * holds already is done. Rejects as `Replica.propose` does.
   */
  async change(change: CatalogueCommand): Promise<void> {
    await this.#requireVersion(change);
    try {
      await this.proposeHere(change);
    } catch (error) {
      const leader = this.#elsewhere(error);
      if (leader === undefined || this.#forwarder === undefined) throw error;
      await this.replica.untilApplied(await this.#forwarder.proposeCatalogue(leader, change));
    }
  }

  /**
   * As `change`, also where this node has not heard who leads: whoever else is in the node table is asked, and asked for
   * the leader. Does not wait for this node's copy, which may be cut off until the change is made.
   */
  async changeByAnybody(change: CatalogueCommand, ownNodeId: number): Promise<void> {
    try {
      await this.change(change);
      return;
    } catch (error) {
      const others = this.catalogue.nodes.filter((node) => node.nodeId !== ownNodeId && node.grpcAddress !== '');
      if (!isWithoutLeader(error) || this.#forwarder === undefined || others.length === 0) throw error;
      for (const node of others) if (await this.#isTakenBy(node, change, this.#forwarder)) return;
      throw error;
    }
  }

  async #isTakenBy(node: NodeEntry, change: CatalogueCommand, forwarder: CatalogueForwarder): Promise<boolean> {
    try {
      await forwarder.proposeCatalogue(node, change);
      return true;
    } catch (error) {
      const leader = this.#elsewhere(error);
      if (leader === undefined) return false;
      return forwarder.proposeCatalogue(leader, change).then(
        () => true,
        () => false,
      );
    }
  }

  /**
   * Makes a change only if this node leads; resolves to the index from which on a replica has it. `UNSUPPORTED` where some
   * node of the cluster would not understand it.
   */
  async proposeHere(change: CatalogueCommand): Promise<number> {
    // Only who leads knows for sure; elsewhere the proposal is refused anyhow.
    if (this.replica.log.status().role === 'leader') {
      requireVersionFor(change, this.catalogue);
      this.#admit?.(change);
    }
    await this.replica.propose({ kind: 'catalogue', change });
    return this.replica.machine.visible.appliedIndex;
  }

  /** Said here, because a leader of an older program could only say that it cannot read it. */
  async #requireVersion(change: CatalogueCommand): Promise<void> {
    try {
      requireVersionFor(change, this.catalogue);
    } catch {
      await this.catchUp();
      requireVersionFor(change, this.catalogue);
    }
  }

  #elsewhere(error: unknown): NodeEntry | undefined {
    if (!(error instanceof ServerError)) return undefined;
    const leader = leaderNamedBy(error);
    return this.catalogue.nodes.find(({ nodeId }) => nodeId === leader?.leaderNodeId);
  }
}

function isWithoutLeader(error: unknown): boolean {
  return error instanceof ServerError && error.code === 'CLUSTER_ERROR' && leaderNamedBy(error) === undefined;
}
