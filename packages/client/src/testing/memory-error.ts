import type { ErrorCode, ErrorDetail } from '@shanghai/proto';
import { ClientError } from '../client-error.js';

/** A refusal of the memory server, as a client would hear it. */
export function refusal(
  code: ErrorCode,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): ClientError {
  return new ClientError(code, message, { answered: true, details });
}

/** A refusal as it stands in an answer of the pipeline. */
export function detailOf(error: unknown): ErrorDetail {
  const { code, message, details } =
    error instanceof ClientError ? error : refusal('INTERNAL_ERROR', error instanceof Error ? error.message : 'failed');
  return { code, message, detailsJson: JSON.stringify(details) };
}
