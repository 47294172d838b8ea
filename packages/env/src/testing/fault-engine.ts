import type { Clock } from '../clock.js';
import { errnoError } from '../errno-error.js';
import type { Random } from '../random.js';
import type { DiskOperation, FaultEffect, FaultRule } from './fault-disk.js';

/** One call to a simulated disk, as the engine sees it. */
export interface SimulatedCall<T> {
  readonly operation: DiskOperation;
  readonly path: string;
  /** A second path, for renames and links; rules match either. */
  readonly otherPath?: string;
  /** Whether the call changes something or makes it durable, and so is counted and traced. */
  readonly isStep: boolean;
  /** What the trace tells beside operation and path. */
  readonly detail?: string;
  /** Takes effect at once, moving at most `limitBytes`; the returned function completes the call. */
  start(limitBytes: number): () => T;
  /** What a call that fails by a rule leaves behind. Default: nothing. */
  failed?(): void;
  /** What a rule of kind `flip` does to the result. */
  flip?(result: T): void;
}

/**
 * Decides what becomes of each call to a simulated disk: counts steps, keeps the trace, applies fault rules, holds
 * calls up, and lets the power fail.
 *
 * A call takes effect when it is made and completes later, in a microtask at the earliest. Between the two it is in
 * flight: its changes can be seen and may survive a crash, but a sync that begins meanwhile does not cover them.
 */
export class FaultEngine {
  readonly random: Random;
  readonly #clock: Clock | undefined;
  readonly #keepsTrace: boolean;
  readonly #trace: string[] = [];
  readonly #rules: { rule: FaultRule; seen: number }[] = [];
  readonly #held = new Set<() => void>();
  #steps = 0;
  #crashStep = Number.POSITIVE_INFINITY;
  #crashed = false;

  constructor(random: Random, clock: Clock | undefined, keepsTrace: boolean) {
    this.random = random;
    this.#clock = clock;
    this.#keepsTrace = keepsTrace;
  }

  get steps(): number {
    return this.#steps;
  }

  get trace(): readonly string[] {
    return this.#trace;
  }

  get crashed(): boolean {
    return this.#crashed;
  }

  crashAfterStep(step: number): void {
    if (!Number.isInteger(step) || step <= this.#steps) {
      throw new RangeError(`step must be an integer after ${this.#steps}, the last step begun, got ${step}`);
    }
    this.#crashStep = step;
  }

  crash(): void {
    this.#crashed = true;
    for (const release of this.#held) release();
    this.#held.clear();
  }

  inject(rule: FaultRule): () => void {
    if (rule.effect.kind === 'delay' && this.#clock === undefined) {
      throw new TypeError('a rule of kind delay needs a clock: createFaultDisk({ seed, clock })');
    }
    const entry = { rule, seen: 0 };
    this.#rules.push(entry);
    return () => {
      const at = this.#rules.indexOf(entry);
      if (at >= 0) this.#rules.splice(at, 1);
    };
  }

  /** Throws `DISK_CRASHED` after a crash. */
  check(operation: string, path: string): void {
    if (this.#crashed) throw errnoError('DISK_CRASHED', operation, path, 'the simulated power failed');
  }

  async perform<T>(call: SimulatedCall<T>): Promise<T> {
    const effect = this.#begin(call);
    const finish = this.#start(call, effect);
    await this.#hold(effect);
    this.check(call.operation, call.path);
    return finishWith(call, effect, finish);
  }

  /** A blocking call: rules that only take time do not meet it, it cannot wait. */
  performSync<T>(call: SimulatedCall<T>): T {
    const effect = this.#begin(call);
    return finishWith(call, effect, this.#start(call, effect));
  }

  #begin<T>(call: SimulatedCall<T>): FaultEffect | undefined {
    this.check(call.operation, call.path);
    const effect = this.#effectOn(call);
    if (!call.isStep) return effect;
    this.#steps++;
    if (this.#keepsTrace) this.#trace.push(traceLine(this.#steps, call, effect));
    return effect;
  }

  #start<T>(call: SimulatedCall<T>, effect: FaultEffect | undefined): () => T {
    const isLast = call.isStep && this.#steps >= this.#crashStep;
    try {
      if (effect?.kind === 'error') {
        call.failed?.();
        throw errnoError(effect.code, call.operation, call.path, 'an injected fault');
      }
      return call.start(effect?.kind === 'short' ? Math.max(1, effect.bytes) : Number.POSITIVE_INFINITY);
    } finally {
      if (isLast) {
        this.crash();
        this.check(call.operation, call.path);
      }
    }
  }

  #effectOn<T>({ operation, path, otherPath }: SimulatedCall<T>): FaultEffect | undefined {
    for (const entry of this.#rules) {
      const { rule } = entry;
      if (rule.operation !== operation) continue;
      if (rule.path !== undefined && !matches(rule.path, path) && !matches(rule.path, otherPath)) continue;
      const turn = entry.seen++ - (rule.after ?? 0);
      if (turn >= 0 && turn < (rule.times ?? 1)) return rule.effect;
    }
    return undefined;
  }

  #hold(effect: FaultEffect | undefined): Promise<void> | undefined {
    if (effect?.kind !== 'delay' && effect?.kind !== 'stall') return undefined;
    return new Promise((resolve) => {
      const release = () => {
        this.#held.delete(release);
        resolve();
      };
      this.#held.add(release);
      if (effect.kind === 'stall') effect.release.then(release, release);
      else this.#clock?.setTimer(effect.delayMs, release);
      if (this.#crashed) release();
    });
  }
}

function finishWith<T>(call: SimulatedCall<T>, effect: FaultEffect | undefined, finish: () => T): T {
  const result = finish();
  if (effect?.kind === 'flip') call.flip?.(result);
  return result;
}

/** Without the state that a global or sticky expression keeps between calls. */
function matches(pattern: RegExp, path: string | undefined): boolean {
  return path !== undefined && path.search(pattern) >= 0;
}

function traceLine<T>(step: number, call: SimulatedCall<T>, effect: FaultEffect | undefined): string {
  const words = [step, call.operation, call.path];
  if (call.otherPath !== undefined) words.push('->', call.otherPath);
  if (call.detail !== undefined) words.push(call.detail);
  if (effect !== undefined) words.push(`!${effect.kind === 'error' ? effect.code : effect.kind}`);
  return words.join(' ');
}
