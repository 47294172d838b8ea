import { type ErrorCode, errorTable } from '@shanghai/proto';
import { type CallStage, ClientError } from '../client-error.js';
import { codeOfGivingUp, type RequestKind } from '../core/retry-decision.js';

/** Why a call ends before it is answered. */
export type GiveUpReason =
  | { readonly why: 'deadline'; readonly timeoutMs: number }
  | { readonly why: 'aborted'; readonly cause: unknown }
  | { readonly why: 'closed' };

/** What is known of a call that is given up. */
export interface GivenUpCall {
  readonly kind: RequestKind;
  /** Whether it, or an earlier attempt of it, may have reached a server and been done. */
  readonly maybeApplied: boolean;
  readonly stage: CallStage;
  /** The last attempt's failure, where there was one. */
  readonly lastFailure: ClientError | undefined;
}

const whereIn: Readonly<Record<CallStage, string>> = {
  queue: 'while it waited behind other calls; send less at once, or raise maxInFlightRequests',
  connection: 'while there was no connection; check the endpoints and that a node is running there',
  leader: 'while no node led its group; check that a majority of the nodes runs',
  session: 'while it waited for its session',
  answer: 'while the server worked on it',
  'back-off': 'between two attempts',
};

/** The error of a call that is given up: what its caller may believe about it, and where it waited. */
export function givenUpError(call: GivenUpCall, reason: GiveUpReason): ClientError {
  const { kind, maybeApplied, stage, lastFailure } = call;
  const code = codeOfGivingUp(kind, maybeApplied, reason.why === 'deadline' ? codeOfDeadline(call) : 'CANCELLED');
  const doubt = code === 'OUTCOME_UNKNOWN' ? '; it may have been done' : '';
  const last = lastFailure === undefined ? '' : ` (last attempt: ${lastFailure.code}: ${lastFailure.message})`;
  return new ClientError(code, `${whatHappened(reason)} ${whereIn[stage]}${doubt}${last}`, {
    cause: reason.why === 'aborted' ? reason.cause : lastFailure,
    details: { reason: reason.why, ...(reason.why === 'deadline' ? { timeoutMs: reason.timeoutMs } : {}) },
    sent: maybeApplied,
    waitedIn: stage,
  });
}

/** The code for a call of which nothing was done in its time: what kept it from being done says more than the time. */
function codeOfDeadline({ stage, lastFailure }: GivenUpCall): ErrorCode {
  if (stage === 'connection') return 'SERVICE_UNAVAILABLE';
  if (stage === 'leader') return 'CLUSTER_ERROR';
  if ((stage !== 'back-off' && stage !== 'session') || lastFailure === undefined) return 'DEADLINE_EXCEEDED';
  // Between two attempts at a connection there is none either.
  if (!lastFailure.sent) return 'SERVICE_UNAVAILABLE';
  return lastFailure.answered && errorTable[lastFailure.code].retry === 'always'
    ? lastFailure.code
    : 'DEADLINE_EXCEEDED';
}

function whatHappened(reason: GiveUpReason): string {
  switch (reason.why) {
    case 'deadline':
      return `The call took longer than ${reason.timeoutMs} ms`;
    case 'aborted':
      return 'The caller gave the call up';
    case 'closed':
      return 'The client was closed';
  }
}
