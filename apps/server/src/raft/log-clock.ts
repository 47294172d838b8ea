/**
 * What a proposer stamps its entries with (docs/formats/state-machine.md, "Log time").
 *
 * Its wall clock, but never less than what came before. Expiry of keys and sessions is judged by these stamps alone, on
 * every replica alike, so one leader with a wrong clock would end all of them early, for good: log time never falls. So
 * a clock that the peers contradict is not used: log time then goes on from where it was, by the monotonic clock. That
 * needs to know when log time was where it was, so every replica watches what it applies.
 */
import type { Clock } from '@shanghai/env';
import { type ClockVerdict, maxClockOffsetMs } from '@shanghai/raft';

/** What is held of this node's wall clock now. */
export type JudgeClock = () => Pick<ClockVerdict, 'isOff' | 'isKnown' | 'safeLeadMs'>;

/** Log time of one group, as this node would have it go on. */
export class LogClock {
  readonly #clock: Clock;
  readonly #judge: JudgeClock;
  /** The latest log time that is known, with fractions while it goes on by the monotonic clock. */
  #latestMs: number;
  /** When that was so, monotonic. `undefined`: not since this node was started. */
  #atMs: number | undefined;

  /** `logTimeMs`: what the state has when the node is opened, from any time ago. */
  constructor(clock: Clock, judge: JudgeClock, logTimeMs: number) {
    this.#clock = clock;
    this.#judge = judge;
    this.#latestMs = logTimeMs;
  }

  /** Log time was seen to be this now. */
  observe(logTimeMs: number): void {
    if (logTimeMs <= this.#latestMs) return;
    this.#latestMs = logTimeMs;
    this.#atMs = this.#clock.monotonicMs();
  }

  /** Whether there is more to go by than the own wall clock: enough others were asked, or log time was seen to go on. */
  get isFounded(): boolean {
    return this.#atMs !== undefined || this.#judge().isKnown;
  }

  /** What an entry that is proposed now is stamped with. Never falls. */
  stamp(): number {
    const { isOff, isKnown, safeLeadMs } = this.#judge();
    const nowMs = this.#clock.monotonicMs();
    const wallMs = this.#clock.nowMs();
    // Who does not lead may ask for a stamp, too, and is refused: what it showed must not be taken for log time later.
    if (this.#atMs === undefined && !isKnown && !isOff) return Math.floor(Math.max(this.#latestMs, wallMs));
    const onwardMs = this.#atMs === undefined ? undefined : this.#latestMs + nowMs - this.#atMs;
    // While nobody can be asked, a clock that has jumped since the last stamp is not believed either.
    const isJump = !isKnown && onwardMs !== undefined && Math.abs(wallMs - onwardMs) > maxClockOffsetMs;
    if (!isOff && !isJump) this.#latestMs = Math.max(this.#latestMs, wallMs);
    else if (onwardMs !== undefined) this.#latestMs = onwardMs;
    else if (safeLeadMs !== undefined) this.#latestMs = Math.max(this.#latestMs, nowMs + safeLeadMs);
    this.#atMs = nowMs;
    return Math.floor(this.#latestMs);
  }
}
