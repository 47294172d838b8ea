// May a request be sent again? The whole answer, as a pure function, so that a table can test every case.
//
// What counts is what may have been done, not what went wrong. A request that never left, or that a server refused with
// a code that says nothing was done, may always be sent again. One that may have been done may be sent again only if a
// second time changes nothing: reads and the like, and writes that carry a session's request number, which the server
// applies once. Anything else ends as OUTCOME_UNKNOWN; it never ends as a plain failure, because the caller would take
// that for "not done".
import { type ErrorCode, errorTable } from '@shanghai/proto';

/**
 * `repeatable`: doing it twice is the same as doing it once (reads, descriptions). `numbered`: a write with a session
 * and request number, or with a producer's sequence. `once`: every other write.
 */
export type RequestKind = 'repeatable' | 'numbered' | 'once';

/** What is known of one failed attempt. */
export interface AttemptFailure {
  readonly code: ErrorCode;
  /** Whether the request may have reached a server. */
  readonly sent: boolean;
  /** Whether a server answered with `code`. */
  readonly answered: boolean;
}

/** What is known of a request before the failure that is to be judged. */
export interface RequestHistory {
  readonly kind: RequestKind;
  /** Whether an earlier attempt may have been applied. */
  readonly maybeApplied: boolean;
  /** Attempts made, with the failed one; ≥ 1. */
  readonly attempts: number;
  /** Attempts allowed; ≥ 1. */
  readonly maxAttempts: number;
}

/**
 * `retry`: send it again, as a repetition where `maybeApplied`. `renumber`: send it as a new request of a new session.
 * `fail`: tell the caller `code`.
 */
export type RetryDecision =
  | { readonly action: 'retry'; readonly maybeApplied: boolean }
  | { readonly action: 'renumber' }
  | { readonly action: 'fail'; readonly code: ErrorCode };

/** Refusals at the door: they say nothing about what became of an earlier attempt. */
const silentAboutThePast: ReadonlySet<ErrorCode> = new Set([
  'SESSION_EXPIRED',
  'UNAUTHENTICATED',
  'PERMISSION_DENIED',
  'UNSUPPORTED',
  'METHOD_NOT_ALLOWED',
]);

/** What to do after a failed attempt. */
export function decideRetry(history: RequestHistory, failure: AttemptFailure): RetryDecision {
  const { retry } = errorTable[failure.code];
  const refused = (failure.answered || !failure.sent) && retry === 'never';
  if (refused) return decideRefused(history, failure.code);
  const nothingDone = !failure.sent || (failure.answered && retry === 'always');
  const maybeApplied = history.maybeApplied || !nothingDone;
  const unknown = maybeApplied && history.kind !== 'repeatable';
  if (unknown && history.kind === 'once') return { action: 'fail', code: 'OUTCOME_UNKNOWN' };
  if (history.attempts >= history.maxAttempts) {
    return { action: 'fail', code: unknown ? 'OUTCOME_UNKNOWN' : failure.code };
  }
  return { action: 'retry', maybeApplied };
}

function decideRefused(history: RequestHistory, code: ErrorCode): RetryDecision {
  if (history.maybeApplied && history.kind !== 'repeatable' && silentAboutThePast.has(code)) {
    return { action: 'fail', code: 'OUTCOME_UNKNOWN' };
  }
  if (code === 'SESSION_EXPIRED' && history.kind === 'numbered' && history.attempts < history.maxAttempts) {
    return { action: 'renumber' };
  }
  return { action: 'fail', code };
}

/** The code for a request that its caller gives up: `reason`, unless it may have been done and that matters. */
export function codeOfGivingUp(kind: RequestKind, maybeApplied: boolean, reason: ErrorCode): ErrorCode {
  return maybeApplied && kind !== 'repeatable' ? 'OUTCOME_UNKNOWN' : reason;
}
