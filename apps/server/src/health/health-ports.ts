import type { ClusterCondition, NodeReport, StateReason } from './core/cluster-sight.js';
import type { TimedCheck } from './health-view.js';

/** How a node asks others how they are. */
export interface HealthCalls {
  /** Asks the node at a gRPC address (`host:port`). Rejects where it does not answer in about a second. */
  ask(address: string): Promise<Omit<NodeReport, 'ageMs'>>;
  /** Lets connections to other addresses go. */
  keepOnly(addresses: readonly string[]): void;
  /** Gives up what is under way. Idempotent. */
  close(): void;
}

/** Asks nobody: for a node whose others cannot be reached so. */
export const noHealthCalls: HealthCalls = {
  ask: async () => {
    throw new Error('nobody is asked');
  },
  keepOnly: () => undefined,
  close: () => undefined,
};

/** What is told about health. Every method is optional and must not throw. */
export interface HealthListener {
  /** After each look. */
  looked?(event: { readonly checks: readonly TimedCheck[]; readonly state: ClusterCondition }): void;
  /** The state of the cluster or the reasons for it have changed. */
  clusterChanged?(event: { readonly state: ClusterCondition; readonly reasons: readonly StateReason[] }): void;
}
