import { type FaultKind, type FaultPlace, Faults } from './faults.js';
import { VirtualWorld } from './virtual-world.js';

/** Something that can be simulated: machines, who uses them, and what must hold of them. */
export interface Simulated extends FaultPlace {
  start(): void;
  /** Everything is whole again: rejects unless it comes to itself, and nothing was lost. */
  recover(): Promise<void>;
  readonly acknowledged: number;
  /** What it went through. */
  readonly counts: ReadonlyMap<string, number>;
}

/** What a simulation is of. The same options give the same one, to the last bit. */
export interface ClusterSimulationOptions {
  readonly seed: number;
  /** Of virtual time, with faults. */
  readonly minutes: number;
  readonly faults: readonly FaultKind[];
  readonly make: (world: VirtualWorld) => Simulated;
  /** Told of every event of note. */
  readonly onTrace?: ((line: string) => void) | undefined;
}

/** How it went. */
export interface ClusterSimulationResult {
  readonly seed: number;
  readonly violation: string | undefined;
  readonly events: number;
  /** Of virtual time, the recovery included. */
  readonly simulatedMs: number;
  readonly acknowledged: number;
  readonly digest: number;
  readonly counts: ReadonlyMap<string, number>;
}

/** Runs a simulation: faults, then none, until everything has come to itself. */
export async function runClusterSimulation(options: ClusterSimulationOptions): Promise<ClusterSimulationResult> {
  const { seed, minutes, onTrace } = options;
  const world = new VirtualWorld({ seed, onTrace });
  const simulated = options.make(world);
  const faults = new Faults(simulated, options.faults);
  let violation: string | undefined;
  const onRejection = (reason: unknown) => {
    if (!isOfTheDead(reason)) world.fail(reason);
  };
  process.on('unhandledRejection', onRejection);
  try {
    simulated.start();
    faults.start();
    await world.runUntil(minutes * 60_000);
    faults.stop();
    await simulated.recover();
  } catch (error) {
    violation = error instanceof Error ? (error.name === 'Violation' ? error.message : error.stack) : String(error);
    world.trace(() => `VIOLATION ${violation}`);
  } finally {
    process.off('unhandledRejection', onRejection);
  }
  const counts = countsOf(simulated, faults);
  const { digest, nowMs } = world;
  const { acknowledged } = simulated;
  return { seed, violation, events: world.queue.done, simulatedMs: nowMs, acknowledged, digest, counts };
}

/** A process that has crashed no longer hears of its disk, and nobody hears of it. */
export function isOfTheDead(reason: unknown): boolean {
  for (let error = reason; error instanceof Error; error = error.cause) {
    if ('code' in error && error.code === 'DISK_CRASHED') return true;
  }
  return false;
}

function countsOf({ counts, network, machines }: Simulated, faults: Faults): Map<string, number> {
  const all = new Map(counts);
  for (const [kind, count] of faults.counts) all.set(`fault ${kind}`, count);
  const sum = (pick: (machine: (typeof machines)[number]) => number) =>
    machines.reduce((total, machine) => total + pick(machine), 0);
  all.set(
    'crashes',
    sum(({ crashes }) => crashes),
  );
  all.set(
    'exits',
    sum(({ exits }) => exits),
  );
  all.set(
    'failed writes',
    sum(({ disk }) => disk.counts.failedWrites),
  );
  all.set(
    'failed syncs',
    sum(({ disk }) => disk.counts.failedSyncs),
  );
  all.set('frames', network.counts.carried);
  all.set('frames lost', network.counts.lost);
  return all;
}
