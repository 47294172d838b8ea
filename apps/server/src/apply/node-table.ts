/**
 * The node table of the system group: who belongs to the cluster, who comes and who goes. A node that was taken out keeps
 * its line for ever, so that its id is never given again and whoever shows up with it can be told.
 *
 *   reserved --joinNode--> joining --placed in every group--> member --leaveNode--> leaving --in no group--> removed
 *
 * The leader of each group brings its group in line with the table (members/) and reports with `placeNode`; the table
 * itself moves nobody. Everything here is decided by the table alone, the same on every replica.
 */
import type { ErrorCode } from '@shanghai/proto';
import type { CatalogueCommand, NodeEntry } from './catalogue-command.js';

/** Nodes of a cluster, those that come and go among them. */
export const maxNodes = 64;

/** Voters of a group, where nobody said otherwise. */
export const defaultReplicationFactor = 3;

/** Most voters a group may have. */
export const maxReplicationFactor = 15;

/** What a change of the table gave: the lines that are other now, or a refusal. */
export type NodeTableResult =
  | { readonly changed: readonly NodeEntry[] }
  | { readonly code: ErrorCode; readonly message: string };

/** The changes that concern nodes. */
export type NodeTableCommand = Extract<
  CatalogueCommand,
  { type: 'putNode' | 'joinNode' | 'leaveNode' | 'replaceNode' | 'placeNode' | 'recovered' }
>;

const nothing: NodeTableResult = { changed: [] };

/** The table. */
export class NodeTable {
  readonly #entries = new Map<number, NodeEntry>();

  /** A line as it was stored. */
  load(entry: NodeEntry): void {
    this.#entries.set(entry.nodeId, entry);
  }

  /** All but those that were taken out. */
  get present(): readonly NodeEntry[] {
    return [...this.#entries.values()].filter(({ state }) => state !== 'removed');
  }

  /** Those that were taken out. */
  get removed(): readonly NodeEntry[] {
    return [...this.#entries.values()].filter(({ state }) => state === 'removed');
  }

  /** Makes a change. `groups`: all groups of the cluster. */
  apply(change: NodeTableCommand, groups: readonly number[]): NodeTableResult {
    const result = this.#judge(change, groups);
    if ('changed' in result) for (const entry of result.changed) this.#entries.set(entry.nodeId, entry);
    return result;
  }

  #judge(change: NodeTableCommand, groups: readonly number[]): NodeTableResult {
    switch (change.type) {
      case 'putNode':
        return this.#put(change.node);
      case 'joinNode':
        return this.#join(change);
      case 'leaveNode':
        return this.#leave(change.nodeId, undefined, groups);
      case 'replaceNode':
        return this.#replace(change, groups);
      case 'placeNode':
        return this.#place(change, groups);
      case 'recovered':
        return this.#recover(change);
    }
  }

  /** What a node says of itself; where it stands in the cluster is not its own to say. */
  #put(node: NodeEntry): NodeTableResult {
    const known = this.#entries.get(node.nodeId);
    if (known?.state === undefined) return { changed: [node] };
    if (known.state === 'removed') return wasRemoved(known);
    const { state, replacedBy, groups, reservation } = known;
    return {
      changed: [
        {
          ...described(node),
          state,
          ...(replacedBy === undefined ? {} : { replacedBy }),
          ...(groups === undefined ? {} : { groups }),
          ...(reservation === undefined ? {} : { reservation }),
        },
      ],
    };
  }

  #join(change: Extract<NodeTableCommand, { type: 'joinNode' }>): NodeTableResult {
    const { instanceId, reservation } = change;
    const all = [...this.#entries.values()];
    const same = all.find(
      (entry) =>
        (instanceId !== '' && entry.instanceId === instanceId) ||
        (instanceId === '' && reservation !== '' && entry.reservation === reservation),
    );
    if (same?.state === 'removed') return wasRemoved(same);
    if (same !== undefined) return this.#joinedAgain(same, change);
    const wanted = change.nodeId === 0 ? undefined : this.#entries.get(change.nodeId);
    if (wanted?.state === 'removed') return wasRemoved(wanted);
    if (wanted !== undefined) return bound(wanted, change);
    if (this.present.length >= maxNodes) {
      return { code: 'RESOURCE_EXHAUSTED', message: `the cluster has ${maxNodes} nodes, more it cannot have` };
    }
    if (instanceId !== '' && change.peerAddress === '') return withoutAddress();
    const nodeId = change.nodeId === 0 ? 1 + Math.max(0, ...this.#entries.keys()) : change.nodeId;
    const name = change.name === '' ? `node-${nodeId}` : change.name;
    const { peerAddress } = change;
    const addresses = { grpcAddress: '', httpAddress: '', peerAddress };
    const entry = { nodeId, name, instanceId, ...addresses, ...saidOf(change), state: 'joining', groups: [] } as const;
    return { changed: [reservation === '' ? entry : { ...entry, reservation }] };
  }

  #joinedAgain(same: NodeEntry, { nodeId, peerAddress }: { nodeId: number; peerAddress: string }): NodeTableResult {
    if (nodeId !== 0 && nodeId !== same.nodeId) {
      return {
        code: 'ALREADY_EXISTS',
        message: `instance '${same.instanceId}' is node ${same.nodeId} already, not ${nodeId}; start it without --node-id`,
      };
    }
    if (peerAddress === '' || peerAddress === same.peerAddress) return nothing;
    return { changed: [{ ...same, peerAddress }] };
  }

  #leave(nodeId: number, replacedBy: number | undefined, groups: readonly number[]): NodeTableResult {
    const known = this.#entries.get(nodeId);
    if (known === undefined) return { code: 'NOT_FOUND', message: `there is no node ${nodeId}` };
    if (known.state === 'removed') return wasRemoved(known);
    const others = this.present.filter((entry) => entry.nodeId !== nodeId && entry.state !== 'leaving');
    if (!others.some(({ instanceId }) => instanceId !== '')) {
      return { code: 'CONFLICT', message: `node ${nodeId} is the last one; join another first` };
    }
    const { replacedBy: _before, reservation: _reservation, ...kept } = known;
    // A reserved id that nobody came for is in no group.
    if (known.instanceId === '') return { changed: [removedEntry(known)] };
    return {
      changed: [
        {
          ...kept,
          state: 'leaving',
          ...(replacedBy === undefined ? {} : { replacedBy }),
          groups: known.state === 'leaving' ? (known.groups ?? groups) : groups,
        },
      ],
    };
  }

  #replace(change: Extract<NodeTableCommand, { type: 'replaceNode' }>, groups: readonly number[]): NodeTableResult {
    const { nodeId, replacedBy } = change;
    const by = this.#entries.get(replacedBy);
    if (replacedBy !== 0 && (by === undefined || by.state === 'removed')) {
      return { code: 'NOT_FOUND', message: `there is no node ${replacedBy} to take the place of node ${nodeId}` };
    }
    if (replacedBy === nodeId || by?.state === 'leaving') {
      const why = replacedBy === nodeId ? 'is that node itself' : 'leaves, too';
      return { code: 'CONFLICT', message: `node ${replacedBy} cannot take the place of node ${nodeId}: it ${why}` };
    }
    return this.#leave(nodeId, replacedBy, groups);
  }

  /** One node is left, as another instance; all others are gone for good, whether they are known here or not. */
  #recover({ nodeId, instanceId, lost }: Extract<NodeTableCommand, { type: 'recovered' }>): NodeTableResult {
    const unnamed = (id: number): NodeEntry => ({
      ...{ nodeId: id, name: `node-${id}`, instanceId: '' },
      ...{ grpcAddress: '', httpAddress: '', peerAddress: '' },
    });
    const gone = new Set([...lost, ...this.present.map((entry) => entry.nodeId)]);
    gone.delete(nodeId);
    const { state, replacedBy, groups, reservation, ...own } = this.#entries.get(nodeId) ?? unnamed(nodeId);
    const left: NodeEntry = { ...own, instanceId, ...(state === undefined ? {} : { state: 'member' as const }) };
    return { changed: [left, ...[...gone].map((id) => removedEntry(this.#entries.get(id) ?? unnamed(id)))] };
  }

  /** A group's leader says that its group has a node, or has it no more. What is said of a node that is elsewhere by now counts for nothing. */
  #place(
    { nodeId, groupId, isIn }: Extract<NodeTableCommand, { type: 'placeNode' }>,
    groups: readonly number[],
  ): NodeTableResult {
    const known = this.#entries.get(nodeId);
    const held = known?.groups ?? groups;
    if (known?.state === 'joining' && isIn) {
      const now = [...new Set([...held, groupId])].sort((a, b) => a - b);
      if (!groups.every((id) => now.includes(id))) return { changed: [{ ...known, groups: now }] };
      const { groups: _all, reservation: _reservation, ...kept } = known;
      return { changed: [{ ...kept, state: 'member' }] };
    }
    if (known?.state === 'leaving' && !isIn) {
      const now = held.filter((id) => id !== groupId);
      return { changed: [now.length > 0 ? { ...known, groups: now } : removedEntry(known)] };
    }
    return nothing;
  }
}

function bound(known: NodeEntry, change: Extract<NodeTableCommand, { type: 'joinNode' }>): NodeTableResult {
  if (known.instanceId !== '' || change.instanceId === '') {
    const message = `node id ${known.nodeId} is that of instance '${known.instanceId}'; join without --node-id`;
    return { code: 'ALREADY_EXISTS', message };
  }
  const { instanceId } = change;
  const name = change.name === '' ? known.name : change.name;
  const peerAddress = change.peerAddress === '' ? known.peerAddress : change.peerAddress;
  if (peerAddress === '') return withoutAddress();
  return { changed: [{ ...known, instanceId, name, peerAddress, ...saidOf(change) }] };
}

function saidOf({ versions }: Extract<NodeTableCommand, { type: 'joinNode' }>): Pick<NodeEntry, 'versions'> {
  return versions === undefined ? {} : { versions };
}

function withoutAddress(): NodeTableResult {
  return { code: 'INVALID_REQUEST', message: 'the other nodes must reach the new one: join with --peer-port' };
}

function removedEntry({ nodeId, name, instanceId }: NodeEntry): NodeEntry {
  return { nodeId, name, instanceId, grpcAddress: '', httpAddress: '', peerAddress: '', state: 'removed' };
}

function wasRemoved({ nodeId }: NodeEntry): NodeTableResult {
  return {
    code: 'PERMISSION_DENIED',
    message:
      `node ${nodeId} was taken out of the cluster and its id is not given again; to come back start with an empty ` +
      'data directory and --join, without --node-id',
  };
}

/** What a node says of itself. */
export function described(node: NodeEntry): NodeEntry {
  const { state, replacedBy, groups, reservation, ...own } = node;
  return own;
}
