import { createSeededRandom } from '@shanghai/env';
import { KeyspaceWorld } from './keyspace-world.js';

/** What a simulation is of. The same options give the same simulation. */
export interface KeyspaceSimulationOptions {
  readonly seed: number;
  /** ≥ 2. */
  readonly nodes: number;
  /** Events before everything is brought to everyone. */
  readonly events: number;
  readonly onTrace?: (line: string) => void;
}

/** How it went. */
export interface KeyspaceSimulationResult {
  readonly seed: number;
  readonly violation: string | undefined;
  /** How often what happened. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Replicas of one keyspace in which anything may happen, then nothing bad any more; they must be right and equal. */
export function runKeyspaceSimulation(options: KeyspaceSimulationOptions): KeyspaceSimulationResult {
  const { seed, nodes, events, onTrace } = options;
  const world = new KeyspaceWorld(createSeededRandom(seed), nodes, onTrace);
  let violation: string | undefined;
  try {
    for (let i = 0; i < events; i++) world.step();
    world.finish();
  } catch (error) {
    violation = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  return { seed, violation, counts: world.counts };
}
