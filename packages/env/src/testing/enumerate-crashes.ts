import { createFaultDisk } from './create-fault-disk.js';
import type { CrashSurvival, FaultDisk } from './fault-disk.js';

/**
 * A workload and how to judge what a crash left of it. `State` is what the workload tells the verifier: which calls
 * were made, which were acknowledged. A fresh one for each run.
 */
export interface CrashScenario<State> {
  /** Any safe integer; decides every draw. Default 1. */
  readonly seed?: number;
  /** How many draws of survival `'random'` follow `'none'` and `'all'` for each step. Default 3. */
  readonly randomDraws?: number;
  /** Also crash after each step of `recover`, restart, and verify again: recovery interrupted must converge. Default false. */
  readonly crashRecovery?: boolean;
  /** Of the steps of `recover` only one in so many, others after each step of the workload. Default 1: all. */
  readonly recoveryStride?: number;
  /** Fills the disk before the workload, once; all of it is durable. Not crashed. */
  prepare?(disk: FaultDisk): Promise<void>;
  /** A new state for a run. */
  start(): State;
  /**
   * The workload. Its calls must be the same in every run (no clock, no randomness of its own). It may reject once the
   * disk has crashed, with whatever its store makes of `DISK_CRASHED`, but it must come to an end.
   */
  run(disk: FaultDisk, state: State): Promise<void>;
  /** What the next start does first, for `crashRecovery`: open and close. Default: `verify`. */
  recover?(disk: FaultDisk): Promise<void>;
  /** Opens what the crash left and rejects if a promise was broken. It may write to the disk, but not change `state`. */
  verify(disk: FaultDisk, state: State, crash: CrashPoint): Promise<void>;
}

/** Where and how a run ended. */
export interface CrashPoint {
  readonly seed: number;
  /** The last step begun. */
  readonly step: number;
  readonly survival: CrashSurvival;
  /** Which draw of `'random'`. */
  readonly draw: number;
  /** The step of the recovery at which the power failed again, if it did. */
  readonly recoveryStep?: number;
}

/** What an enumeration covered. */
export interface CrashCoverage {
  /** Steps of the workload. */
  readonly steps: number;
  /** Disks verified. */
  readonly cases: number;
}

/**
 * Runs a workload once to count its steps, then once per step with a crash after that step (and once with a crash after
 * the end), and verifies every disk that may be left: nothing un-synced survived, all of it did, and some draws between.
 * Rejects at the first case that fails, with an error that names the seed, the crash point and the last steps.
 */
export async function enumerateCrashes<State>(scenario: CrashScenario<State>): Promise<CrashCoverage> {
  const seed = scenario.seed ?? 1;
  const prepared = createFaultDisk({ seed });
  await scenario.prepare?.(prepared);
  const whole = prepared.restart('all', 0);
  await scenario.run(whole, scenario.start());
  const steps = whole.steps;
  let cases = 0;
  for (let step = 1; step <= steps + 1; step++) {
    const state = scenario.start();
    const crashed = await runUntil(scenario, prepared.restart('all', 0), state, step <= steps ? step : undefined);
    for (const survival of survivals(scenario)) {
      const point = { seed, step: Math.min(step, steps), ...survival };
      cases += await verifyCase(scenario, crashed, state, point);
    }
  }
  return { steps, cases };
}

function survivals<State>({ randomDraws = 3 }: CrashScenario<State>): { survival: CrashSurvival; draw: number }[] {
  const draws = Array.from({ length: randomDraws }, (_, draw) => ({ survival: 'random' as const, draw }));
  return [{ survival: 'none', draw: 0 }, { survival: 'all', draw: 0 }, ...draws];
}

/** Runs the workload until the power fails after `step`, or to its end, where it fails too. */
async function runUntil<State>(
  scenario: CrashScenario<State>,
  disk: FaultDisk,
  state: State,
  step: number | undefined,
): Promise<FaultDisk> {
  if (step !== undefined) disk.crashAfterStep(step);
  try {
    await scenario.run(disk, state);
  } catch (error) {
    if (!disk.crashed) throw error;
  }
  if (step !== undefined && !disk.crashed) {
    throw new Error(`the workload is not the same in every run: it never came to step ${step}\n${lastSteps(disk)}`);
  }
  disk.crash();
  return disk;
}

async function verifyCase<State>(
  scenario: CrashScenario<State>,
  crashed: FaultDisk,
  state: State,
  point: CrashPoint,
): Promise<number> {
  const restart = () => crashed.restart(point.survival, point.draw);
  await verifyOne(scenario, crashed, restart(), state, point);
  if (!scenario.crashRecovery) return 1;
  let cases = 1;
  const { recoveryStride = 1 } = scenario;
  for (let recoveryStep = 1 + (point.step % recoveryStride); ; recoveryStep += recoveryStride) {
    const disk = restart();
    disk.crashAfterStep(recoveryStep);
    try {
      await (scenario.recover?.(disk) ?? scenario.verify(disk, state, point));
    } catch (error) {
      if (!disk.crashed) throw failure(error, crashed, { ...point, recoveryStep });
    }
    if (!disk.crashed) return cases;
    const again = disk.restart(point.survival, point.draw);
    await verifyOne(scenario, crashed, again, state, { ...point, recoveryStep });
    cases++;
  }
}

async function verifyOne<State>(
  scenario: CrashScenario<State>,
  crashed: FaultDisk,
  disk: FaultDisk,
  state: State,
  point: CrashPoint,
): Promise<void> {
  try {
    await scenario.verify(disk, state, point);
  } catch (error) {
    throw failure(error, crashed, point);
  }
}

function failure(error: unknown, crashed: FaultDisk, point: CrashPoint): Error {
  const reason = error instanceof Error ? error.message : String(error);
  const where = Object.entries(point).map(([name, value]) => `${name}=${value}`);
  return new Error(`after a crash (${where.join(' ')}): ${reason}\n${lastSteps(crashed)}`, { cause: error });
}

function lastSteps(disk: FaultDisk): string {
  return `last steps before it:\n  ${disk.trace.slice(-12).join('\n  ')}`;
}
