import { createSeededRandom } from '@shanghai/env';
import { Cluster } from './cluster.js';
import type { Exercise } from './exercise.js';
import { type FaultKind, Faults } from './faults.js';
import { Violation } from './truth.js';

/** What a simulation is of. The same options give the same simulation, to the last bit. */
export interface SimulationOptions {
  readonly seed: number;
  /** Voters at the start, ≥ 1. */
  readonly nodes: number;
  /** Of virtual time, with faults. */
  readonly minutes: number;
  readonly faults: readonly FaultKind[];
  readonly operationsPerSecond: number;
  /** Disks lose in a crash what they said was synced. No consensus stands that: it shows that the simulator can fail. */
  readonly areDisksLying?: boolean;
  /** Told of every event of note. */
  readonly onTrace?: (line: string) => void;
}

/** How it went. */
export interface SimulationResult {
  readonly seed: number;
  readonly violation: string | undefined;
  readonly events: number;
  readonly acknowledged: number;
  readonly appliedIndex: number;
  /** The state of the first node at the end. */
  readonly digest: number;
  readonly exercise: Exercise;
}

/** Without faults a cluster must have come to itself in this time. */
const recoveryMs = 120_000;

/** Runs a simulation: faults, then none, until the cluster writes again and all its members agree. */
export function runSimulation(options: SimulationOptions): SimulationResult {
  const random = createSeededRandom(options.seed);
  const { nodes, operationsPerSecond, onTrace, areDisksLying = false } = options;
  const cluster = new Cluster({ nodes, random, operationsPerSecond, areDisksLying, onTrace });
  const faults = new Faults(cluster, random, options.faults);
  let violation: string | undefined;
  try {
    cluster.start();
    faults.start();
    cluster.queue.runUntil(options.minutes * 60_000);
    faults.stop();
    recover(cluster);
  } catch (error) {
    violation = error instanceof Violation ? error.message : String(error instanceof Error ? error.stack : error);
    cluster.trace(() => `VIOLATION ${violation}`);
  }
  const first = cluster.nodes[0];
  return {
    seed: options.seed,
    violation,
    events: cluster.queue.done,
    acknowledged: cluster.acknowledged,
    appliedIndex: cluster.truth.appliedIndex,
    digest: first?.digest ?? 0,
    exercise: cluster.exercise,
  };
}

/** Liveness: a proposal goes through, and every voter applies it. */
function recover(cluster: Cluster): void {
  const endMs = cluster.queue.nowMs + recoveryMs;
  cluster.stopRemoved();
  let proposal: number | undefined;
  while (cluster.queue.nowMs < endMs) {
    cluster.queue.runUntil(cluster.queue.nowMs + 1000);
    proposal ??= cluster.proposeAtLeader();
    if (proposal === undefined || cluster.isWaiting(proposal)) {
      if (proposal !== undefined && cluster.queue.nowMs % 10_000 < 1000) proposal = undefined;
      continue;
    }
    const voters = cluster.voters();
    const applied = cluster.nodes.filter(({ id }) => voters.has(id)).map(({ appliedIndex }) => appliedIndex);
    // Clients go on: a voter may be a few entries behind.
    if (applied.length > 0 && Math.min(...applied) + 50 >= Math.max(...applied) && hasLeft(cluster)) return;
  }
  throw new Violation(`liveness: no progress within ${recoveryMs} ms without faults`);
}

/** Whether no joint configuration is left that leaves by itself. */
function hasLeft(cluster: Cluster): boolean {
  return cluster.nodes.every(
    ({ raft }) => raft?.marks().state !== 'StateLeader' || !raft.status().configuration.autoLeave,
  );
}
