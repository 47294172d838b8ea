import { type ErrorDetail, isErrorCode } from '@shanghai/proto';
import { ClientError } from '../client-error.js';

/** A failure that the server put in an answer. */
export function errorOfDetail(detail: ErrorDetail): ClientError {
  const code = isErrorCode(detail.code) ? detail.code : 'INTERNAL_ERROR';
  const message = detail.message === '' ? `The server answered ${detail.code}` : detail.message;
  return new ClientError(code, message, { answered: true, details: detailsOfJson(detail.detailsJson) });
}

/** The details of a failure from their JSON form; what is not a JSON object gives none. */
export function detailsOfJson(json: string): Readonly<Record<string, unknown>> {
  if (json === '') return {};
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    // A detail that cannot be read must not hide the failure it belongs to.
    return {};
  }
}
