/** What proposers are told when a log does not take, or cannot answer for, their command. */
import type { NodeEntry } from '../apply/catalogue-command.js';
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

/** Who leads, as the refusal of a node that does not lead names it in its details. */
export interface NamedLeader {
  readonly leaderNodeId: number;
  /** `host:port` of its gRPC listener. */
  readonly leader: string;
  /** `host:port` of its HTTP listener. */
  readonly leaderHttp: string;
}

/** Another node leads the group, or none that is known. Nothing was done. */
export function notLeader(groupId: number, leaderId: number, entry: NodeEntry | undefined): ServerError {
  if (leaderId === 0) {
    return new ServerError(
      'CLUSTER_ERROR',
      `group ${groupId} has no leader that this node knows of; nothing was done, try again soon`,
    );
  }
  const { grpcAddress: leader = '', httpAddress: leaderHttp = '' } = entry ?? {};
  const details: NamedLeader = { leaderNodeId: leaderId, leader, leaderHttp };
  const where = leader === '' ? '' : ` at ${leader}`;
  return new ServerError('CLUSTER_ERROR', `node ${leaderId}${where} leads group ${groupId}; nothing was done here`, {
    details: { ...details },
  });
}

/** The leader that a refusal names, `undefined` where it names none. */
export function leaderNamedBy(error: ServerError): NamedLeader | undefined {
  const { leaderNodeId, leader, leaderHttp } = error.details;
  if (error.code !== 'CLUSTER_ERROR' || typeof leaderNodeId !== 'number') return undefined;
  return { leaderNodeId, leader: String(leader ?? ''), leaderHttp: String(leaderHttp ?? '') };
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
