import type { ReadContext, SessionRequest, WriteContext } from '../../requests/request-context.js';
import { ServerError } from '../../requests/server-error.js';
import type { HttpRequest } from './http-route.js';
import { choiceParameter, textParameter } from './query-parameters.js';

/** Parameters of every write. */
export const writeParameters = {
  keyspace: textParameter('The keyspace; default the one named "".'),
};

/** Parameters of every read. */
export const readParameters = {
  ...writeParameters,
  level: choiceParameter('How fresh the answer must be; default linearizable.', ['linearizable', 'session', 'stale']),
};

/** Parameters that name one key. */
export const keyParameters = {
  key: textParameter('The key, where the path does not name it: reaches every key.'),
  key_encoding: choiceParameter('How the key is written; default utf8.', ['utf8', 'base64']),
};

type Headers = Pick<HttpRequest<unknown, unknown>, 'header'>;

/** How fresh a read must be: level and keyspace from the query, the token of level `session` from `X-Session-Token`. */
export function readContextOf(
  query: { readonly keyspace?: string; readonly level?: ReadContext['level'] },
  request: Headers,
): ReadContext {
  const token = request.header('x-session-token');
  return {
    keyspace: query.keyspace ?? '',
    level: query.level ?? 'linearizable',
    ...(token === undefined ? {} : { token: Buffer.from(token, 'base64url') }),
  };
}

/** Whose write it is: the keyspace from the query, the session from `Idempotency-Key`. */
export function writeContextOf(query: { readonly keyspace?: string }, request: Headers): WriteContext {
  const session = sessionOf(request.header('idempotency-key'), request.header('idempotency-retry'));
  return { keyspace: query.keyspace ?? '', ...(session === undefined ? {} : { session }) };
}

function sessionOf(key: string | undefined, retry: string | undefined): SessionRequest | undefined {
  if (retry !== undefined && retry !== 'true' && retry !== 'false') {
    throw new ServerError('INVALID_REQUEST', `Idempotency-Retry is '${retry}'; allowed: true, false`);
  }
  if (key === undefined) {
    if (retry !== 'true') return undefined;
    throw new ServerError('INVALID_REQUEST', 'Idempotency-Retry needs an Idempotency-Key');
  }
  const match = /^(\d{1,16})\/(\d{1,16})$/.exec(key);
  const sessionId = Number(match?.[1] ?? 0);
  const requestNumber = Number(match?.[2] ?? 0);
  if (sessionId < 1 || requestNumber < 1 || !Number.isSafeInteger(sessionId) || !Number.isSafeInteger(requestNumber)) {
    const hint = 'expected <session>/<number>, both from 1 on; POST /sessions opens a session';
    throw new ServerError('INVALID_REQUEST', `Idempotency-Key is '${key.slice(0, 100)}'; ${hint}`);
  }
  return { sessionId, requestNumber, retry: retry === 'true' };
}

/** Headers of an answer that a later read of level `session` needs. */
export function answerHeaders(answered: {
  readonly token: Uint8Array;
  readonly staleMs: number;
}): Record<string, string> {
  const token = Buffer.from(answered.token).toString('base64url');
  return {
    'X-Session-Token': token,
    ...(answered.staleMs > 0 ? { 'X-Stale-Ms': String(Math.trunc(answered.staleMs)) } : {}),
  };
}
