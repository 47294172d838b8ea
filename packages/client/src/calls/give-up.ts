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
  session: 'while it waited for its session',
  answer: 'while the server worked on it',
  'back-off': 'between two attempts',
};

/** The error of a call that is given up: what its caller may believe about it, and where it waited. */
export function givenUpError(call: GivenUpCall, reason: GiveUpReason): ClientError {
  const { kind, maybeApplied, stage, lastFailure } = call;
  // Between two attempts at a connection there is none either.
  const unreached = stage === 'connection' || (stage === 'back-off' && lastFailure?.sent === false);
  const plainCode = reason.why !== 'deadline' ? 'CANCELLED' : unreached ? 'SERVICE_UNAVAILABLE' : 'DEADLINE_EXCEEDED';
  const code = codeOfGivingUp(kind, maybeApplied, plainCode);
  const doubt = code === 'OUTCOME_UNKNOWN' ? '; it may have been done' : '';
  const last = lastFailure === undefined ? '' : ` (last attempt: ${lastFailure.code}: ${lastFailure.message})`;
  return new ClientError(code, `${whatHappened(reason)} ${whereIn[stage]}${doubt}${last}`, {
    cause: reason.why === 'aborted' ? reason.cause : lastFailure,
    details: { reason: reason.why, ...(reason.why === 'deadline' ? { timeoutMs: reason.timeoutMs } : {}) },
    sent: maybeApplied,
    waitedIn: stage,
  });
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
