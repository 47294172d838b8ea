/** What proposers are told when a log does not take, or cannot answer for, their command. */
import type { ProposalStage } from '@shanghai/raft';
import type { NodeEntry } from '../apply/catalogue-command.js';
import { ServerError } from '../requests/server-error.js';

/** Bounds on what waits, for messages. Beyond them proposals are refused with `RESOURCE_EXHAUSTED`. */
export interface ProposalLimits {
  readonly maxProposals: number;
  readonly maxProposalBytes: number;
  /** The largest entry. */
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
export function tooLarge(why: string, limits: ProposalLimits): ServerError {
  return new ServerError(
    'INVALID_REQUEST',
    `the request is too large for an entry of at most ${limits.maxEntryBytes} bytes (${why}); nothing was done`,
  );
}

/** As much is in flight as may be. */
export function tooMuchInFlight(writes: number, limits: ProposalLimits): ServerError {
  return new ServerError(
    'RESOURCE_EXHAUSTED',
    `${writes} writes are in flight (at most ${limits.maxProposals} with ${limits.maxProposalBytes} bytes); nothing was ` +
      'done, send fewer at once',
  );
}

/** The disk is full. */
export function storageFull(cause: Error | undefined): ServerError {
  return new ServerError('STORAGE_FULL', 'the disk is full; nothing was done, try again when there is space', {
    cause,
  });
}

/** The disk of this node is full, and others can lead the group meanwhile. */
export function fullHere(groupId: number, cause: Error | undefined): ServerError {
  return new ServerError(
    'CLUSTER_ERROR',
    `the disk of this node is full, so it cannot lead group ${groupId}; nothing was done, ask another node`,
    cause === undefined ? {} : { cause },
  );
}

/** The log takes nothing any more. `failure` absent: it is closing. */
export function unavailable(groupId: number, failure: Error | undefined): ServerError {
  const why = failure === undefined ? 'it is closing' : `its log failed: ${failure.message}`;
  return new ServerError('SERVICE_UNAVAILABLE', `group ${groupId} takes no requests: ${why}`, { cause: failure });
}

/** Another leader's entry took the place of the proposal in the log: it will never be applied. */
export function superseded(groupId: number, cause: Error): ServerError {
  return new ServerError(
    'CLUSTER_ERROR',
    `another leader of group ${groupId} put its own entry in the place of the write; nothing was done, try again`,
    { cause },
  );
}

/** Nobody can say whether the proposal was, or will be, applied. */
export function outcomeUnknown(groupId: number, stage: ProposalStage, cause: Error): ServerError {
  return new ServerError('OUTCOME_UNKNOWN', `a write to group ${groupId} ${whereItWaited[stage]}: ${cause.message}`, {
    cause,
    details: { stage },
  });
}

const whereItWaited = {
  queued: 'was given to the log and not written',
  appended: 'was written and not confirmed by a majority',
  committed: 'was confirmed by a majority and not applied here',
  applied: 'was applied and not answered',
} as const satisfies Record<ProposalStage, string>;
