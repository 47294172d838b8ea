/** What a diagnosis knows of a cluster: pure data, so that the rules can be tested by tables. */
import type { GroupState, HealthCheck, NodeDescription, StateReason } from '../../connection.js';

/** What one node of the node table said, or why it said nothing. */
export interface NodeObservation {
  readonly node: NodeDescription;
  /** Absent: it did not answer. */
  readonly diagnostics?: ObservedDiagnostics;
  readonly problem?: string;
  /** Its clock against that of this machine. */
  readonly clock?: ObservedClock;
}

/** A clock read over a network: it is off by `offsetMs`, give or take `uncertaintyMs`. */
export interface ObservedClock {
  readonly offsetMs: number;
  /** Half the round trip. */
  readonly uncertaintyMs: number;
}

/** What a node says of itself; numbers of which it knows nothing are 0. */
export interface ObservedDiagnostics {
  readonly nodeId: number;
  readonly clusterId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly runtimeVersion: string;
  readonly uptimeMs: number;
  readonly state: string;
  readonly reasons: readonly StateReason[];
  readonly checks: readonly HealthCheck[];
  readonly walSync: { readonly count: number; readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number };
  readonly fileSystem: { readonly type: string; readonly totalBytes: number; readonly availableBytes: number };
  readonly process: {
    readonly openFiles: number;
    readonly maxOpenFiles: number;
    readonly residentBytes: number;
    readonly heapBytes: number;
    readonly maxHeapBytes: number;
    readonly eventLoopP99Ms: number;
  };
  readonly groups: readonly GroupState[];
  readonly diskStalls: number;
  readonly waitingMs: number;
  readonly durability: string;
  readonly clusterVersion: number;
  readonly clock: { readonly offsetMs: number | undefined; readonly alarm: boolean };
}

/** A node that answered. */
export interface AnsweringNode extends NodeObservation {
  readonly diagnostics: ObservedDiagnostics;
}

/** Those that answered. */
export function answering(nodes: readonly NodeObservation[]): readonly AnsweringNode[] {
  return nodes.filter((node): node is AnsweringNode => node.diagnostics !== undefined);
}
