/**
 * Counters and histograms as they are needed on a hot path: a series is looked up once, by its labels, and then costs
 * a few additions on numbers, without a hash or an allocation. prom-client's own classes hash the labels at every
 * observation (about a microsecond). A family is put into prom-client's registry by the one method it is asked with,
 * `get`, so exposition stays the library's.
 */

/** Label values of one series. */
export type Labels = Readonly<Record<string, string>>;

/** One number for the exposition, as prom-client's registry reads it. */
export interface ExposedValue {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

/** Finds the series of a set of labels, making it at the first use. Labels that are not of the family are refused. */
class SeriesIndex<Series> {
  readonly #labelNames: readonly string[];
  readonly #make: (labels: Labels) => Series;
  readonly #series = new Map<string, Series>();

  constructor(labelNames: readonly string[], make: (labels: Labels) => Series) {
    this.#labelNames = labelNames;
    this.#make = make;
  }

  of(labels: Labels = {}): Series {
    let key = '';
    for (const name of this.#labelNames) key += `${labels[name] ?? ''}\u0000`;
    const found = this.#series.get(key);
    if (found !== undefined) return found;
    const names = Object.keys(labels);
    if (names.length !== this.#labelNames.length || names.some((name) => !this.#labelNames.includes(name))) {
      throw new RangeError(`labels are {${names.join(', ')}}, but the metric has {${this.#labelNames.join(', ')}}`);
    }
    const made = this.#make(labels);
    this.#series.set(key, made);
    return made;
  }

  values(): IterableIterator<Series> {
    return this.#series.values();
  }
}

/** One counter series. */
export class CounterSeries {
  readonly labels: Labels;
  value = 0;

  constructor(labels: Labels) {
    this.labels = labels;
  }

  /** `amount` ≥ 0. */
  add(amount = 1): void {
    this.value += amount;
  }
}

/** One histogram series: a count for every bucket, one more for what lies above the last bound. */
export class HistogramSeries {
  readonly labels: Labels;
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.labels = labels;
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** Takes one value, in the metric's unit. */
  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    this.sum += value;
    this.count++;
  }
}

/** The series of one counter. */
export class CounterFamily {
  readonly type = 'counter';
  readonly name: string;
  readonly help: string;
  readonly #index: SeriesIndex<CounterSeries>;

  constructor(name: string, help: string, labelNames: readonly string[]) {
    this.name = name;
    this.help = help;
    this.#index = new SeriesIndex(labelNames, (labels) => new CounterSeries(labels));
    if (labelNames.length === 0) this.#index.of();
  }

  series(labels?: Labels): CounterSeries {
    return this.#index.of(labels);
  }

  async get() {
    const values: ExposedValue[] = [];
    for (const { labels, value } of this.#index.values()) values.push({ labels, value });
    return { name: this.name, help: this.help, type: this.type, values, aggregator: 'sum' };
  }
}

/** The series of one histogram. */
export class HistogramFamily {
  readonly type = 'histogram';
  readonly name: string;
  readonly help: string;
  readonly #index: SeriesIndex<HistogramSeries>;

  constructor(name: string, help: string, labelNames: readonly string[], bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#index = new SeriesIndex(labelNames, (labels) => new HistogramSeries(labels, bounds));
    if (labelNames.length === 0) this.#index.of();
  }

  series(labels?: Labels): HistogramSeries {
    return this.#index.of(labels);
  }

  async get() {
    const values: ExposedValue[] = [];
    for (const series of this.#index.values()) values.push(...this.#expose(series));
    return { name: this.name, help: this.help, type: this.type, values, aggregator: 'sum' };
  }

  #expose({ labels, bounds, counts, sum, count }: HistogramSeries): ExposedValue[] {
    let below = 0;
    const metricName = `${this.name}_bucket`;
    const buckets: ExposedValue[] = bounds.map((bound, index) => {
      below += counts[index] ?? 0;
      return { metricName, labels: { le: bound, ...labels }, value: below };
    });
    return [
      ...buckets,
      { metricName, labels: { le: '+Inf', ...labels }, value: count },
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: count },
    ];
  }
}
