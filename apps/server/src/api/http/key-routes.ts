/** One key: GET, PUT and DELETE on `/kv/<key>`, and on `/kv?key=` for keys a path cannot hold. */
import { z } from 'zod';
import type { StoredPair } from '../../requests/key-value-requests.js';
import { ServerError } from '../../requests/server-error.js';
import { closedObject } from './closed-object.js';
import type { HttpRequest, HttpRoute } from './http-route.js';
import { httpRoute } from './http-route.js';
import {
  answerHeaders,
  keyParameters,
  readContextOf,
  readParameters,
  writeContextOf,
  writeParameters,
} from './request-options.js';
import { bytesOf, textOf, type WireEncoding } from './wire-text.js';

const paths = ['/kv', '/kv/:key'];

const encoding = z.enum(['utf8', 'base64']).optional();

const putBody = closedObject({
  value: z.string(),
  encoding,
  ttl_ms: z.int().min(1).optional(),
});

interface KeyQuery {
  readonly key?: string;
  readonly key_encoding?: WireEncoding;
}

/** Paths under `/kv` that are no keys, and the method each takes. */
const reservedPaths: ReadonlyMap<string, string> = new Map([
  ['range', 'GET'],
  ['batch', 'POST'],
]);

/** The key a request names, in its path or in its query. */
function keyOf(request: HttpRequest<KeyQuery, unknown>): Buffer {
  const inPath = request.params['key'];
  const { key, key_encoding } = request.query;
  if (inPath !== undefined && key !== undefined) {
    throw new ServerError('INVALID_PARAMETERS', 'the key is named both in the path and in the query; name it once');
  }
  const allowed = inPath === undefined ? undefined : reservedPaths.get(inPath);
  if (allowed !== undefined) {
    const message = `/kv/${inPath} is reserved and takes ${allowed}; the key of that name is /kv?key=${inPath}`;
    throw new ServerError('METHOD_NOT_ALLOWED', message, { details: { allowed } });
  }
  const text = inPath ?? key;
  if (text === undefined) {
    throw new ServerError('INVALID_PARAMETERS', "parameter 'key' is missing; use /kv/<key> or /kv?key=<key>");
  }
  return bytesOf(text, key_encoding, 'the key');
}

/** A key in an answer: text, with `key_encoding` where it is base64. */
export function keyFields(key: Uint8Array): Record<string, unknown> {
  const { text, encoding } = textOf(key);
  return { key: text, ...(encoding === undefined ? {} : { key_encoding: encoding }) };
}

/** A stored pair in an answer; without its value where only keys were asked for. */
export function pairFields(pair: StoredPair, keysOnly = false): Record<string, unknown> {
  const value = keysOnly ? {} : valueFields(pair.value);
  const expiry = pair.expiresAtMs === 0 ? {} : { expires_at_ms: pair.expiresAtMs };
  return { ...keyFields(pair.key), ...value, offset: pair.revision, ...expiry };
}

function valueFields(bytes: Uint8Array): Record<string, unknown> {
  const { text, encoding } = textOf(bytes);
  return { value: text, ...(encoding === undefined ? {} : { encoding }) };
}

function missing(key: Uint8Array): ServerError {
  const { text } = textOf(key);
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new ServerError('NOT_FOUND', `there is no key '${shown}'`, { details: { key: shown } });
}

function getRoute(path: string): HttpRoute {
  return httpRoute({
    method: 'GET',
    path,
    summary: 'Reads a key.',
    parameters: { ...keyParameters, ...readParameters },
    answers: { 200: 'The value and its offset.' },
    allOrigins: true,
    async handle(request, context, { node }) {
      const key = keyOf(request);
      const answered = await node.keyValue.get(key, readContextOf(request.query, request), context);
      if (answered.value === undefined) throw missing(key);
      return { data: pairFields(answered.value), headers: answerHeaders(answered) };
    },
  });
}

function putRoute(path: string): HttpRoute {
  return httpRoute({
    method: 'PUT',
    path,
    summary: 'Writes a key.',
    parameters: { ...keyParameters, ...writeParameters },
    body: putBody,
    answers: { 200: 'Written; the offset is the revision of this write.' },
    allOrigins: true,
    async handle(request, context, { node }) {
      const key = keyOf(request);
      const { value: text, encoding, ttl_ms } = request.body;
      const value = bytesOf(text, encoding, "field 'value'");
      const operation = { type: 'put' as const, key, value, ...(ttl_ms === undefined ? {} : { ttlMs: ttl_ms }) };
      const write = writeContextOf(request.query, request);
      const answered = await node.keyValue.write({ kind: 'independent', operations: [operation] }, write, context);
      const outcome = answered.value[0];
      if (outcome?.ok !== true) throw new ServerError(outcome?.code ?? 'INTERNAL_ERROR', outcome?.message ?? '');
      const fields = { ...keyFields(key), ...valueFields(value), offset: outcome.revision };
      return { data: { ...fields, message: 'stored' }, headers: answerHeaders(answered) };
    },
  });
}

function deleteRoute(path: string): HttpRoute {
  return httpRoute({
    method: 'DELETE',
    path,
    summary: 'Deletes a key; 404 where there is none.',
    parameters: { ...keyParameters, ...writeParameters },
    answers: { 200: 'Deleted.' },
    allOrigins: true,
    async handle(request, context, { node }) {
      const key = keyOf(request);
      const write = writeContextOf(request.query, request);
      const operation = { type: 'delete' as const, key };
      const answered = await node.keyValue.write({ kind: 'independent', operations: [operation] }, write, context);
      const outcome = answered.value[0];
      if (outcome?.ok !== true) throw new ServerError(outcome?.code ?? 'INTERNAL_ERROR', outcome?.message ?? '');
      if (outcome.deleted !== true) throw missing(key);
      return { data: { ...keyFields(key), offset: outcome.revision, deleted: true }, headers: answerHeaders(answered) };
    },
  });
}

/** Routes of single keys. */
export const keyRoutes: readonly HttpRoute[] = paths.flatMap((path) => [
  getRoute(path),
  putRoute(path),
  deleteRoute(path),
]);
