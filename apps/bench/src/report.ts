/** What a run of a suite says. The JSON form is this, field by field; numbers carry their unit in their names. */
export interface BenchReport {
  readonly suite: string;
  /** When the run began, ISO 8601 in UTC. */
  readonly startedAt: string;
  readonly machine: Machine;
  readonly settings: BenchSettings;
  /** What every acknowledged write waited for: `always`, `never`, or in words. */
  readonly syncMode: string;
  /** The disk itself, in the same run: before the first and after the last case. */
  readonly syncProbe: { readonly before: SyncProbe; readonly after: SyncProbe };
  /** One thread's share of a processor, at the same moments. */
  readonly processorProbe: { readonly before: ProcessorProbe; readonly after: ProcessorProbe };
  readonly cases: readonly CaseReport[];
  readonly targets: readonly TargetReport[];
  /** What a reader must know to read the numbers. */
  readonly notes: readonly string[];
}

/** The machine, as far as it matters. */
export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryMiB: number;
  readonly node: string;
  readonly kernel: string;
  /** One-minute load average before the run: what others did on this machine. */
  readonly loadBefore: number;
}

/** How long and how often was measured. */
export interface BenchSettings {
  /** Of one case in one round. */
  readonly seconds: number;
  readonly rounds: number;
  /** Only cases whose name holds one of these texts, separated by commas; empty: all. */
  readonly only: string;
}

/** Overwriting 4 KiB of a file and `fdatasync`, one after the other, blocking. */
export interface SyncProbe {
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

/** A loop of integer work on one thread. */
export interface ProcessorProbe {
  /** Millions of steps in a second of processor time. */
  readonly millionPerCpuSecond: number;
  /** Processor time over wall time, in (0, 1]: below 1 others had their turn. */
  readonly cpuShare: number;
}

/** Latency percentiles in milliseconds. */
export interface LatencySummary {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** How many latencies were recorded; cases of many callers record a part. */
  readonly samples: number;
}

/** One case in one round. */
export interface Measurement {
  readonly operations: number;
  /** Operations that were not answered with success; they do not count in `operations`. */
  readonly errors: number;
  readonly elapsedMs: number;
  readonly latency?: LatencySummary;
  readonly details?: Readonly<Record<string, number>>;
}

/** One case over all rounds. */
export interface CaseReport {
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  /** Median of the rounds. */
  readonly perSecond: number;
  readonly perSecondOfRounds: readonly number[];
  /** Of all rounds. */
  readonly operations: number;
  readonly errors: number;
  /** Each percentile is the median of the rounds' own. */
  readonly latency?: LatencySummary;
  /** Medians of the rounds. */
  readonly details?: Readonly<Record<string, number>>;
  /** Why the case did not run. */
  readonly skipped?: string;
}

/** A number with what it should be. */
export interface TargetReport {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** What is hoped for beyond it. */
  readonly aimAtLeast?: number;
  readonly aimAtMost?: number;
  /** Absent where nothing is asked of the number. */
  readonly holds?: boolean;
  /** Absent where nothing is hoped for. Says nothing of success or failure. */
  readonly aimHolds?: boolean;
}
