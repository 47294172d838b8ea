/** What proposers are told when a log does not take, or cannot answer for, their command. */
import { ServerError } from '../requests/server-error.js';

/** Bounds on what waits. Beyond them proposals are refused with `RESOURCE_EXHAUSTED`. */
export interface ProposalLimits {
  /** A proposal pending for longer, up to twice as long, is an unknown outcome. */
  readonly proposalTimeoutMs: number;
  readonly maxProposals: number;
  readonly maxProposalBytes: number;
  /** The largest entry the write-ahead log takes, with its head. */
  readonly maxEntryBytes: number;
}

/** The command can never be taken. */
export function tooLarge(bytes: number, limits: ProposalLimits): ServerError {
  return new ServerError(
    'INVALID_REQUEST',
    `the request makes an entry of ${bytes} bytes, at most ${limits.maxEntryBytes} are allowed; nothing was done`,
  );
}

/** The queue is full. */
export function tooMuchInFlight(writes: number, bytes: number, limits: ProposalLimits): ServerError {
  return new ServerError(
    'RESOURCE_EXHAUSTED',
    `${writes} writes with ${bytes} bytes are in flight (at most ${limits.maxProposals} and ` +
      `${limits.maxProposalBytes}); nothing was done, send fewer at once`,
  );
}

/** The disk is full. */
export function storageFull(cause: Error | undefined): ServerError {
  return new ServerError('STORAGE_FULL', 'the disk is full; nothing was done, try again when there is space', {
    cause,
  });
}

/** The log takes nothing any more. `failure` absent: it is closing. */
export function unavailable(groupId: number, failure: Error | undefined): ServerError {
  const why = failure === undefined ? 'it is closing' : `its log failed: ${failure.message}`;
  return new ServerError('SERVICE_UNAVAILABLE', `group ${groupId} takes no requests: ${why}`, { cause: failure });
}

/** A proposal has waited too long; it may still be applied. */
export function overdue(groupId: number, index: number, limits: ProposalLimits): ServerError {
  return new ServerError(
    'OUTCOME_UNKNOWN',
    `entry ${index} of group ${groupId} was not applied within ${limits.proposalTimeoutMs} ms`,
  );
}

/** The log ended with the proposal in flight. */
export function lostInFlight(groupId: number, cause: Error): ServerError {
  return new ServerError(
    'OUTCOME_UNKNOWN',
    `the log of group ${groupId} ended while the write was in flight: ${cause.message}`,
    { cause },
  );
}
