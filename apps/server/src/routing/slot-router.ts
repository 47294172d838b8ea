import { slotOfKey } from '@shanghai/sharding';
import type { Catalogue } from '../apply/catalogue.js';
import type { Replica } from '../raft/replica.js';
import { invalidRequest } from '../requests/request-checks.js';
import type { RoutedBy } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';

/** Where a key's requests go. `epoch` is that of the table that said so. */
export interface Route {
  readonly replica: Replica;
  readonly slot: number;
  readonly epoch: number;
}

/** Key → slot → group → replica, by the slot table of the system group. */
export class SlotRouter {
  readonly #catalogueNow: () => Catalogue;
  readonly #replicas: ReadonlyMap<number, Replica>;

  /** `catalogue` gives the one that counts now. */
  constructor(catalogue: () => Catalogue, replicas: ReadonlyMap<number, Replica>) {
    this.#catalogueNow = catalogue;
    this.#replicas = replicas;
  }

  /** The route of a key. A slot that the caller computed otherwise is refused: it would be wrong everywhere. */
  ofKey(key: Uint8Array, routed?: RoutedBy): Route {
    const cluster = this.#catalogueNow().cluster;
    if (cluster === undefined) throw beingSetUp();
    const slot = slotOfKey(key, cluster.slots);
    if (routed !== undefined && routed.slot !== slot) {
      throw invalidRequest(
        `the key belongs to slot ${slot} of ${cluster.slots}, the request names slot ${routed.slot}`,
      );
    }
    const replica = this.replica(groupOfSlot(cluster.slotGroups, slot));
    // Before its settings a group would judge by others than the cluster's.
    if (replica.machine.visible.settingsVersion === 0) throw beingSetUp();
    return { replica, slot, epoch: cluster.slotEpoch };
  }

  /** The route of keys that must lie in one group. `INVALID_REQUEST` where they do not. */
  ofKeys(keys: readonly Uint8Array[], routed?: RoutedBy): Route {
    const first = this.ofKey(keys[0] as Uint8Array, keys.length === 1 ? routed : undefined);
    if ((this.#catalogueNow().cluster?.slotGroups.length ?? 0) <= 1) return first;
    for (const key of keys) {
      if (this.ofKey(key).replica === first.replica) continue;
      throw invalidRequest('the keys lie in more than one group; give them a common {tag}');
    }
    return first;
  }

  /** This node's copy of a group. */
  replica(groupId: number): Replica {
    const replica = this.#replicas.get(groupId);
    if (replica === undefined) throw new ServerError('CLUSTER_ERROR', `this node holds no copy of group ${groupId}`);
    return replica;
  }

  /** How many slots a group holds. */
  slotsOfGroup(groupId: number): number {
    const cluster = this.#catalogueNow().cluster;
    if (cluster === undefined) return 0;
    return cluster.slotGroups.reduce((sum, [first, group], i, ranges) => {
      const end = ranges[i + 1]?.[0] ?? cluster.slots;
      return group === groupId ? sum + end - first : sum;
    }, 0);
  }
}

function beingSetUp(): ServerError {
  return new ServerError('SERVICE_UNAVAILABLE', 'the cluster is being set up; nothing was done, try again');
}

/** Ranges are in slot order and the first begins at 0. */
function groupOfSlot(ranges: readonly (readonly [number, number])[], slot: number): number {
  let group = -1;
  for (const [first, groupOfRange] of ranges) if (first <= slot) group = groupOfRange;
  return group;
}
