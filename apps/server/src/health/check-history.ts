import type { ReadinessCheck } from '../node.js';
import type { TimedCheck } from './health-view.js';

/** Remembers since when each check has been as it is. */
export class CheckHistory {
  readonly #known = new Map<string, { readonly ok: boolean; readonly sinceMs: number }>();

  /** The checks as they are now, with since when. `nowMs` is wall time. */
  timed(checks: readonly ReadinessCheck[], nowMs: number): readonly TimedCheck[] {
    return checks.map((check) => {
      const known = this.#known.get(check.name);
      const sinceMs = known?.ok === check.ok ? known.sinceMs : nowMs;
      this.#known.set(check.name, { ok: check.ok, sinceMs });
      return { ...check, sinceMs };
    });
  }
}
