import { type ErrorCode, errorTable, isErrorCode } from '@shanghai/proto';
import { describe, expect, it } from 'vitest';
import {
  type AttemptFailure,
  codeOfGivingUp,
  decideRetry,
  type RequestHistory,
  type RequestKind,
  type RetryDecision,
} from './retry-decision.js';

const first = { maybeApplied: false, attempts: 1, maxAttempts: 5 };
const doubtful = { maybeApplied: true, attempts: 2, maxAttempts: 5 };
const again: RetryDecision = { action: 'retry', maybeApplied: false };
const againMarked: RetryDecision = { action: 'retry', maybeApplied: true };
const unknown: RetryDecision = { action: 'fail', code: 'OUTCOME_UNKNOWN' };
const renumber: RetryDecision = { action: 'renumber' };
const fail = (code: ErrorCode): RetryDecision => ({ action: 'fail', code });

const unreachable: AttemptFailure = { code: 'SERVICE_UNAVAILABLE', sent: false, answered: false };
const broken: AttemptFailure = { code: 'SERVICE_UNAVAILABLE', sent: true, answered: false };
const answered = (code: ErrorCode): AttemptFailure => ({ code, sent: true, answered: true });

const codes = Object.keys(errorTable).filter(isErrorCode);

describe('decideRetry', () => {
  const table: readonly (readonly [
    what: string,
    failure: AttemptFailure,
    repeatable: RetryDecision,
    numbered: RetryDecision,
    once: RetryDecision,
  ])[] = [
    ['was never sent', unreachable, again, again, again],
    ['was sent and the connection broke', broken, againMarked, againMarked, unknown],
    ['was refused with nothing done: full', answered('RESOURCE_EXHAUSTED'), again, again, again],
    ['was refused with nothing done: starting', answered('SERVICE_UNAVAILABLE'), again, again, again],
    ['was refused with nothing done: no leader', answered('CLUSTER_ERROR'), again, again, again],
    ['was refused with nothing done: disk full', answered('STORAGE_FULL'), again, again, again],
    ['was answered that nobody knows', answered('OUTCOME_UNKNOWN'), againMarked, againMarked, unknown],
    ['was answered with a defect', answered('INTERNAL_ERROR'), againMarked, againMarked, unknown],
    ["ran out of the server's time", answered('DEADLINE_EXCEEDED'), againMarked, againMarked, unknown],
    ['was cancelled by the server', answered('CANCELLED'), againMarked, againMarked, unknown],
    ['met a condition that did not hold', answered('CONFLICT'), fail('CONFLICT'), fail('CONFLICT'), fail('CONFLICT')],
    ['met an expired session', answered('SESSION_EXPIRED'), fail('SESSION_EXPIRED'), renumber, fail('SESSION_EXPIRED')],
    [
      'was a mistake',
      answered('INVALID_REQUEST'),
      fail('INVALID_REQUEST'),
      fail('INVALID_REQUEST'),
      fail('INVALID_REQUEST'),
    ],
  ];
  const kinds: readonly RequestKind[] = ['repeatable', 'numbered', 'once'];
  const cases = table.flatMap(([what, failure, ...decisions]) =>
    kinds.map((kind, index) => ({ what, failure, kind, decision: decisions[index] as RetryDecision })),
  );
  it.each(cases)('a $kind request that $what: $decision', ({ failure, kind, decision }) => {
    expect(decideRetry({ kind, ...first }, failure)).toEqual(decision);
  });

  const later: readonly (readonly [what: string, failure: AttemptFailure, numbered: RetryDecision])[] = [
    ['cannot be sent', unreachable, againMarked],
    ['is refused with nothing done', answered('RESOURCE_EXHAUSTED'), againMarked],
    ['meets an expired session', answered('SESSION_EXPIRED'), unknown],
    ['is not allowed any more', answered('PERMISSION_DENIED'), unknown],
    ['is not authenticated any more', answered('UNAUTHENTICATED'), unknown],
    ['is not supported any more', answered('UNSUPPORTED'), unknown],
    ['is answered with the conflict of the first time', answered('CONFLICT'), fail('CONFLICT')],
    ['is answered with the mistake of the first time', answered('INVALID_REQUEST'), fail('INVALID_REQUEST')],
  ];
  it.each(later)('a repetition of a write that may have been done, which %s', (_what, failure, decision) => {
    expect(decideRetry({ kind: 'numbered', ...doubtful }, failure)).toEqual(decision);
  });

  it('gives up after the attempts allowed, and says that a write may have been done', () => {
    const last = { attempts: 5, maxAttempts: 5, maybeApplied: false };
    expect(decideRetry({ kind: 'numbered', ...last }, unreachable)).toEqual(fail('SERVICE_UNAVAILABLE'));
    expect(decideRetry({ kind: 'numbered', ...last }, broken)).toEqual(unknown);
    expect(decideRetry({ kind: 'numbered', ...last, maybeApplied: true }, unreachable)).toEqual(unknown);
    expect(decideRetry({ kind: 'repeatable', ...last }, broken)).toEqual(fail('SERVICE_UNAVAILABLE'));
    expect(decideRetry({ kind: 'numbered', ...last }, answered('SESSION_EXPIRED'))).toEqual(fail('SESSION_EXPIRED'));
  });

  it('never sends a write without number again once it may have been done, whatever the code', () => {
    for (const code of codes) {
      for (const answeredIt of [true, false]) {
        const history: RequestHistory = { kind: 'once', ...first };
        const decision = decideRetry(history, { code, sent: true, answered: answeredIt });
        const nothingDone = answeredIt && errorTable[code].retry === 'always';
        expect([code, answeredIt, decision.action]).toEqual([code, answeredIt, nothingDone ? 'retry' : 'fail']);
      }
    }
  });

  it('never calls a write that may have been done a plain failure, unless the server answered for it', () => {
    for (const code of codes) {
      const decision = decideRetry(
        { kind: 'numbered', ...doubtful, attempts: 5 },
        { code, sent: true, answered: false },
      );
      expect([code, decision]).toEqual([code, unknown]);
    }
  });
});

describe('codeOfGivingUp', () => {
  it('is the reason, unless a write may have been done', () => {
    expect(codeOfGivingUp('repeatable', true, 'DEADLINE_EXCEEDED')).toBe('DEADLINE_EXCEEDED');
    expect(codeOfGivingUp('numbered', false, 'CANCELLED')).toBe('CANCELLED');
    expect(codeOfGivingUp('numbered', true, 'CANCELLED')).toBe('OUTCOME_UNKNOWN');
    expect(codeOfGivingUp('once', true, 'DEADLINE_EXCEEDED')).toBe('OUTCOME_UNKNOWN');
  });
});
