import type { ClientError } from '@shanghai/client';

/** A code of the table of errors. */
export type ErrorCode = ClientError['code'];

/** What a write without session that ended so means to whoever sent it: time that ran out says nothing of the outcome. */
export function codeOfWrite(code: ErrorCode): ErrorCode {
  return code === 'DEADLINE_EXCEEDED' || code === 'CANCELLED' ? 'OUTCOME_UNKNOWN' : code;
}

/** A key or value as text. */
export function textOfInput(input: Uint8Array | string): string {
  return typeof input === 'string' ? input : new TextDecoder().decode(input);
}
