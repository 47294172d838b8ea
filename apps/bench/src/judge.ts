import { median } from './median.js';
import type { CaseReport, TargetReport } from './report.js';

/** What may be asked of a number. */
export interface TargetBounds {
  readonly atLeast?: number;
  readonly atMost?: number;
  /** What is hoped for beyond it; missing it is no failure. */
  readonly aimAtLeast?: number;
  readonly aimAtMost?: number;
}

function within(value: number, atLeast: number | undefined, atMost: number | undefined): boolean | undefined {
  if (atLeast === undefined && atMost === undefined) return undefined;
  return value >= (atLeast ?? Number.NEGATIVE_INFINITY) && value <= (atMost ?? Number.POSITIVE_INFINITY);
}

/** Collects ratios and targets of a suite. What depends on a case that did not run is left out. */
export class Judge {
  readonly #cases: ReadonlyMap<string, CaseReport>;
  readonly #targets: TargetReport[] = [];

  constructor(cases: ReadonlyMap<string, CaseReport>) {
    this.#cases = cases;
  }

  get targets(): readonly TargetReport[] {
    return this.#targets;
  }

  /** The case of this name, if it ran. */
  case(name: string): CaseReport | undefined {
    return this.#cases.get(name);
  }

  /** A number as it is. */
  value(name: string, value: number | undefined, unit: string, bounds: TargetBounds = {}): void {
    if (value === undefined) return;
    const holds = within(value, bounds.atLeast, bounds.atMost);
    const aimHolds = within(value, bounds.aimAtLeast, bounds.aimAtMost);
    this.#targets.push({
      name,
      value,
      unit,
      ...bounds,
      ...(holds === undefined ? {} : { holds }),
      ...(aimHolds === undefined ? {} : { aimHolds }),
    });
  }

  /** The rate of a case. */
  rate(name: string, bounds: TargetBounds = {}): void {
    this.value(name, this.case(name)?.perSecond, '/s', bounds);
  }

  /**
   * The rate of a case over that of another: the median of the rounds' own ratios, because what is measured within one
   * round is measured on the same machine.
   */
  ratio(over: string, under: string, bounds: TargetBounds = {}): void {
    const [above, below] = [this.case(over), this.case(under)];
    if (above === undefined || below === undefined || below.perSecondOfRounds.some((rate) => rate === 0)) return;
    const ratios = above.perSecondOfRounds.map((rate, round) => rate / (below.perSecondOfRounds[round] ?? rate));
    this.value(`${over} : ${under}`, median(ratios), 'x', bounds);
  }

  /** `ratio` over the best of several cases in each round; those that did not run are left out. */
  ratioToBest(over: string, under: readonly string[], bounds: TargetBounds = {}): void {
    const above = this.case(over);
    const below = under.flatMap((name) => this.case(name) ?? []);
    if (above === undefined || below.length === 0) return;
    const ratios = above.perSecondOfRounds.map((rate, round) => {
      const best = Math.max(...below.map(({ perSecondOfRounds }) => perSecondOfRounds[round] ?? 0));
      return best === 0 ? 0 : rate / best;
    });
    this.value(`${over} : the best of ${below.map(({ name }) => name).join(', ')}`, median(ratios), 'x', bounds);
  }
}
