/** `/api/v1/keyspaces`, `/api/v1/conflicts` and `/api/v1/held`: keyspaces, and what is peculiar to mode multi-master. */
import type { Version } from '@shanghai/replication';
import { z } from 'zod';
import type { KeyspaceDescription } from '../../keyspaces/keyspace-requests.js';
import { requireKeyspaces } from '../grpc/keyspaces-service.js';
import { closedObject } from './closed-object.js';
import { type HttpRoute, httpRoute } from './http-route.js';
import { integerParameter, textParameter } from './query-parameters.js';
import { textOf } from './wire-text.js';

const createBody = closedObject({ name: z.string(), mode: z.enum(['quorum', 'multi-master']).optional() });

const verdictBody = closedObject({
  keyspace: z.string(),
  decision: z.enum(['accept', 'drop']),
  origin: z.int().min(1),
  epoch: z.int().min(1),
  first_sequence: z.int().min(1),
  last_sequence: z.int().min(1).optional(),
});

const ofKeyspace = {
  keyspace: textParameter('The keyspace.'),
  limit: integerParameter('At most so many; default 100.', 1, 1000),
};

/** Those routes. */
export const keyspaceRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/api/v1/keyspaces',
    summary: 'The keyspaces, as this node knows them, each with its mode.',
    parameters: {},
    answers: { 200: 'The keyspaces, by name.' },
    allOrigins: false,
    async handle(_request, context, services) {
      return { data: { keyspaces: requireKeyspaces(services).list(context).map(keyspaceFields) } };
    },
  }),
  httpRoute({
    method: 'POST',
    path: '/api/v1/keyspaces',
    summary: 'Makes a keyspace; the same again is no error.',
    parameters: {},
    body: createBody,
    answers: { 201: 'The keyspace.', 409: 'There is one of the other mode.' },
    allOrigins: false,
    async handle({ body }, context, services) {
      const made = await requireKeyspaces(services).create(body.name, body.mode ?? 'quorum', context);
      return { statusCode: 201, data: keyspaceFields(made) };
    },
  }),
  httpRoute({
    method: 'DELETE',
    path: '/api/v1/keyspaces',
    summary: 'Deletes a keyspace of mode multi-master, with all that is in it.',
    parameters: { name: textParameter('The keyspace.') },
    answers: { 200: 'It is deleted.', 404: 'There is no such keyspace.', 501: 'It is of mode quorum.' },
    allOrigins: false,
    async handle({ query }, context, services) {
      const { name = '' } = query;
      await requireKeyspaces(services).delete(name, context);
      return { data: { name, deleted: true } };
    },
  }),
  httpRoute({
    method: 'GET',
    path: '/api/v1/conflicts',
    summary: 'Writes of a multi-master keyspace that lost to one that had not seen them, the latest first.',
    parameters: ofKeyspace,
    answers: { 200: 'Each with the version that won; values of at most 1,024 bytes.' },
    allOrigins: false,
    async handle({ query }, context, services) {
      const { keyspace = '', limit = 0 } = query;
      const { conflicts, found } = requireKeyspaces(services).conflicts(keyspace, limit, context);
      const rows = conflicts.map(({ key, lost, loserBytes, winnerBytes }) => ({
        ...keyFields(key),
        lost: versionFields(lost.loser, loserBytes),
        won: versionFields(lost.winner, winnerBytes),
      }));
      return { data: { keyspace, conflicts: rows, found } };
    },
  }),
  httpRoute({
    method: 'GET',
    path: '/api/v1/held',
    summary: 'Entries of a multi-master keyspace that wait for the clock of this node, the earliest first.',
    parameters: ofKeyspace,
    answers: { 200: 'Each with how far it is ahead.' },
    allOrigins: false,
    async handle({ query }, context, services) {
      const { keyspace = '', limit = 0 } = query;
      const { entries, held } = requireKeyspaces(services).held(keyspace, limit, context);
      const rows = entries.map(({ entry, version, aheadMs }) => ({
        ...keyFields(entry.operation.key),
        ...versionFields(version, version.value?.length),
        ahead_ms: Math.trunc(aheadMs),
      }));
      return { data: { keyspace, entries: rows, held } };
    },
  }),
  httpRoute({
    method: 'POST',
    path: '/api/v1/held/verdict',
    summary: 'Accepts or drops entries that this node holds; the word is written to the keyspace and holds everywhere.',
    parameters: {},
    body: verdictBody,
    answers: { 200: 'How many entries it names.', 404: 'This node holds none of them.' },
    allOrigins: false,
    async handle({ body }, context, services) {
      const { first_sequence: firstSequence, last_sequence: lastSequence = firstSequence, ...meant } = body;
      const verdict = { ...meant, firstSequence, lastSequence };
      return { data: { entries: await requireKeyspaces(services).giveVerdict(verdict, context) } };
    },
  }),
];

function keyspaceFields(keyspace: KeyspaceDescription): Record<string, unknown> {
  const { name, keyspaceId, mode, conflictsListed, conflictsFound, held } = keyspace;
  return {
    name,
    id: keyspaceId,
    mode,
    conflicts_listed: conflictsListed,
    conflicts_found: conflictsFound,
    held,
  };
}

function keyFields(key: Uint8Array): Record<string, unknown> {
  const { text, encoding } = textOf(key);
  return encoding === undefined ? { key: text } : { key: text, key_encoding: encoding };
}

function versionFields({ stamp, value, expiresAtMs }: Version, bytes: number | undefined): Record<string, unknown> {
  const { hlc, origin, epoch, sequence } = stamp;
  const named = { origin, epoch, sequence, time_ms: hlc.ms, counter: hlc.counter };
  if (value === undefined) return { ...named, deleted: true };
  const { text, encoding } = textOf(value.subarray(0, 1024));
  const shown = { value: text, ...(encoding === undefined ? {} : { encoding }), value_bytes: bytes ?? value.length };
  return { ...named, deleted: false, ...shown, expires_at_ms: expiresAtMs };
}
