import type { ResolvedClientOptions } from '../client-options.js';
import type { ClusterNodes } from '../cluster/cluster-nodes.js';
import type { ContactNode } from '../cluster/contact-node.js';
import type { Discovery } from '../cluster/discovery.js';
import type { GroupLeader } from '../cluster/group-leader.js';
import { backOffDelayMs } from '../core/back-off.js';
import type { Activity } from './activity.js';

/** What every kind of call of one client shares. */
export interface CallEnvironment {
  readonly options: ResolvedClientOptions;
  readonly nodes: ClusterNodes;
  /** The leader of the group that holds the data. A cluster of several groups has one for each. */
  readonly leader: GroupLeader;
  /** The node that requests about a node go to. */
  readonly contact: ContactNode;
  /** The node for what any node does: the first of the endpoints, and else of all nodes, that can be reached. */
  readonly nearest: ContactNode;
  readonly discovery: Discovery;
  readonly activity: Activity;
  /** Aborts when the client closes: ends ranges, tails and watches. Calls are waited for. */
  readonly closing: AbortSignal;
}

/** While a group has no leader, somebody asks at least so often, in milliseconds: an election is short. */
const maxSearchDelayMs = 250;

/** How long to wait after so many failed attempts, in milliseconds. */
export function retryDelayMs({ options }: CallEnvironment, failures: number): number {
  const { firstRetryDelayMs: firstDelayMs, maxRetryDelayMs: maxDelayMs } = options;
  return backOffDelayMs(failures, { firstDelayMs, maxDelayMs }, options.random.float());
}

/** How long to wait before the next node is asked who leads, in milliseconds. */
export function searchDelayMs({ options }: CallEnvironment, failures: number): number {
  const { firstRetryDelayMs: firstDelayMs } = options;
  const maxDelayMs = Math.min(options.maxRetryDelayMs, maxSearchDelayMs);
  return backOffDelayMs(failures, { firstDelayMs, maxDelayMs }, options.random.float());
}
