/** One named condition of a healthy process. Must be quick and must not wait: it is asked on every probe. */
export interface HealthCheck {
  readonly name: string;
  /** `undefined` while it holds, else why not, in words for the operator. */
  readonly failure: () => string | undefined;
}

/** What one check said. */
export interface HealthCheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly reason?: string;
}

/** All checks at one moment; `ok` when all hold. */
export interface HealthReport {
  readonly ok: boolean;
  readonly checks: readonly HealthCheckResult[];
}

/** A set of named checks that grows while a process starts. */
export interface Health {
  /** Adds a check; a second one of the same name is refused with `RangeError`. */
  add(check: HealthCheck): void;
  /** Asks all, in the order they were added. A check that throws has failed. */
  report(): HealthReport;
}

/** Makes an empty set of checks; with none it is healthy. */
export function createHealth(): Health {
  const checks = new Map<string, HealthCheck>();
  return {
    add(check) {
      if (checks.has(check.name)) throw new RangeError(`there is already a health check named '${check.name}'`);
      checks.set(check.name, check);
    },
    report() {
      const results = [...checks.values()].map(ask);
      return { ok: results.every((result) => result.ok), checks: results };
    },
  };
}

function ask(check: HealthCheck): HealthCheckResult {
  let reason: string | undefined;
  try {
    reason = check.failure();
  } catch (error) {
    reason = error instanceof Error ? error.message : String(error);
  }
  return reason === undefined ? { name: check.name, ok: true } : { name: check.name, ok: false, reason };
}
