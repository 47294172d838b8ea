import { type Clock, nodeClock, nodeRandom, type Random } from '@shanghai/env';
import type { ReadLevel } from './key-value-store.js';

/** How a client works. Everything but `endpoints` has a default, listed in `defaultClientOptions`. */
export interface ClientOptions {
  /** Addresses `host:port` of nodes, at least one; better several, so that the client finds in although one is down. */
  readonly endpoints: readonly string[];
  /**
   * Whether the client learns the other nodes of the cluster from those it reaches, and connects to the addresses that
   * they advertise. Off where these cannot be reached from here (tunnels, mapped ports): `endpoints` must then name all.
   */
  readonly discover?: boolean;
  /** How long a call may take, with all its attempts, in milliseconds; a call's own option comes first. */
  readonly timeoutMs?: number;
  /**
   * Whether writes are numbered in a session, opened with the first write: they are then applied once however often
   * they are sent, so the client sends them again by itself. Off: a write whose answer is lost is `OUTCOME_UNKNOWN`.
   */
  readonly sessions?: boolean;
  /** After so long without a write the server forgets the session, in milliseconds. */
  readonly sessionTtlMs?: number;
  /** Level of reads that name none. */
  readonly readLevel?: ReadLevel;
  /** Requests sent to a node and not answered; more wait. Higher: more throughput over long ways, longer waits when the server is slow. */
  readonly maxInFlightRequests?: number;
  /** Bytes of keys and values sent and not answered; more wait. One request may be larger and then goes alone. */
  readonly maxInFlightBytes?: number;
  /** Calls that may wait or be in flight; one more fails with `RESOURCE_EXHAUSTED`. */
  readonly maxPendingRequests?: number;
  /** Bytes of keys and values of those calls. */
  readonly maxPendingBytes?: number;
  /** Requests in one message. */
  readonly maxMessageRequests?: number;
  /** Bytes of keys and values in one message; a larger request is a message of its own. */
  readonly maxMessageBytes?: number;
  /** Messages sent of which no request was answered yet; calls made meanwhile share the next one. */
  readonly maxUnansweredMessages?: number;
  /**
   * Attempts of one call, the first included, ≥ 1. The deadline is what usually ends a call; 1: fail at once where nobody
   * answers. Being sent on to the leader is not an attempt.
   */
  readonly maxAttempts?: number;
  /** Upper bound of the wait before the second attempt in milliseconds; doubles with each. */
  readonly firstRetryDelayMs?: number;
  /** Upper bound of the wait between attempts in milliseconds. */
  readonly maxRetryDelayMs?: number;
  /** How long `tail` and `watch` try to get a broken stream back before they fail, in milliseconds. */
  readonly streamReconnectMs?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Options with every default filled in. */
export type ResolvedClientOptions = Required<ClientOptions>;

/** What is used where an option is absent. */
export const defaultClientOptions: Omit<ResolvedClientOptions, 'endpoints' | 'clock' | 'random'> = {
  discover: true,
  timeoutMs: 5_000,
  sessions: true,
  sessionTtlMs: 3_600_000,
  readLevel: 'linearizable',
  maxInFlightRequests: 1_024,
  maxInFlightBytes: 32 * 1024 * 1024,
  maxPendingRequests: 65_536,
  maxPendingBytes: 256 * 1024 * 1024,
  maxMessageRequests: 256,
  maxMessageBytes: 64 * 1024,
  maxUnansweredMessages: 4,
  maxAttempts: 1_000,
  firstRetryDelayMs: 25,
  maxRetryDelayMs: 1_000,
  streamReconnectMs: 60_000,
};

/** Fills in defaults. Throws `TypeError` or `RangeError` for what no client can work with. */
export function resolveClientOptions(options: ClientOptions): ResolvedClientOptions {
  const resolved = {
    ...defaultClientOptions,
    clock: options.clock ?? nodeClock(),
    random: options.random ?? nodeRandom(),
    ...withoutUndefined(options),
  };
  if (!Array.isArray(resolved.endpoints) || resolved.endpoints.length === 0) {
    throw new TypeError("endpoints must name at least one address, for example ['127.0.0.1:9090']");
  }
  for (const endpoint of resolved.endpoints) {
    if (typeof endpoint !== 'string' || !/^.+:\d{1,5}$/.test(endpoint)) {
      throw new TypeError(`endpoint ${JSON.stringify(endpoint)} is not of the form 'host:port'`);
    }
  }
  for (const name of positiveIntegers) atLeast(name, resolved[name], 1, Number.isInteger(resolved[name]));
  for (const name of durations) atLeast(name, resolved[name], 0, true);
  atLeast('timeoutMs', resolved.timeoutMs, 1, true);
  if (!['linearizable', 'session', 'stale'].includes(resolved.readLevel)) {
    throw new TypeError(`readLevel '${resolved.readLevel}' is not one of linearizable, session, stale`);
  }
  return resolved;
}

const positiveIntegers = [
  'maxInFlightRequests',
  'maxInFlightBytes',
  'maxPendingRequests',
  'maxPendingBytes',
  'maxMessageRequests',
  'maxMessageBytes',
  'maxUnansweredMessages',
  'maxAttempts',
] as const;

const durations = ['sessionTtlMs', 'firstRetryDelayMs', 'maxRetryDelayMs', 'streamReconnectMs'] as const;

function atLeast(name: string, value: number, least: number, rightKind: boolean): void {
  if (!rightKind || !(value >= least) || value > Number.MAX_SAFE_INTEGER) {
    throw new RangeError(`${name} must be a number of at least ${least}, got ${value}`);
  }
}

function withoutUndefined(options: ClientOptions): ClientOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as ClientOptions;
}
