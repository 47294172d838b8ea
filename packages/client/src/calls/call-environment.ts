import type { ResolvedClientOptions } from '../client-options.js';
import { backOffDelayMs } from '../core/back-off.js';
import type { Activity } from './activity.js';
import type { Endpoints } from './endpoints.js';

/** What every kind of call of one client shares. */
export interface CallEnvironment {
  readonly options: ResolvedClientOptions;
  readonly endpoints: Endpoints;
  readonly activity: Activity;
  /** Aborts when the client closes: ends ranges, tails and watches. Calls are waited for. */
  readonly closing: AbortSignal;
}

/** How long to wait after so many failed attempts, in milliseconds. */
export function retryDelayMs({ options }: CallEnvironment, failures: number): number {
  const { firstRetryDelayMs: firstDelayMs, maxRetryDelayMs: maxDelayMs } = options;
  return backOffDelayMs(failures, { firstDelayMs, maxDelayMs }, options.random.float());
}
