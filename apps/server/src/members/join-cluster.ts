/** How a new node gets an id: it asks the nodes that it was told of, in turn, until one of them has entered it. */
import { type Clock, delay } from '@shanghai/env';
import type { ErrorCode } from '@shanghai/proto';
import { ServerError } from '../requests/server-error.js';
import { JoinError } from './join-error.js';
import type { JoinedCluster, JoinRequest } from './node-members.js';

/** Asks a node, by its gRPC address, to enter a new one. Rejects with `ServerError`s. */
export type AskToJoin = (address: string, request: JoinRequest) => Promise<JoinedCluster>;

/** Whom to ask, and how long. */
export interface JoinContacts {
  /** gRPC addresses, `host:port`. */
  readonly addresses: readonly string[];
  readonly ask: AskToJoin;
  readonly clock: Clock;
  /** Default 60,000. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 60_000;
const pauseMs = 500;

/** Refusals that another node would give, too. */
const final: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ALREADY_EXISTS',
  'CONFLICT',
  'INVALID_REQUEST',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'UNSUPPORTED',
]);

/** Resolves to what the cluster says. Asking again is safe: the same instance gets the same id. Rejects with `JoinError`. */
export async function joinCluster(contacts: JoinContacts, request: JoinRequest): Promise<JoinedCluster> {
  const { addresses, ask, clock, timeoutMs = defaultTimeoutMs } = contacts;
  const endMs = clock.monotonicMs() + timeoutMs;
  const reasons = new Map<string, string>();
  do {
    for (const address of addresses) {
      try {
        return await ask(address, request);
      } catch (error) {
        if (!(error instanceof ServerError)) throw error;
        if (final.has(error.code)) {
          throw new JoinError('JOIN_REFUSED', `the cluster at '${address}' refuses this node: ${error.message}`, {
            cause: error,
          });
        }
        reasons.set(address, error.message);
      }
    }
    await delay(clock, pauseMs, undefined, { keepsProcess: true });
  } while (clock.monotonicMs() < endMs);
  const why = [...reasons].map(([address, reason]) => `'${address}': ${reason}`).join('; ');
  throw new JoinError(
    'JOIN_UNREACHABLE',
    `no node that was named with --join has taken this one in within ${Math.round(timeoutMs / 1000)} s (${why}); ` +
      'check the addresses (gRPC ports, not peer ports) and start it again, it goes on where it was',
  );
}
