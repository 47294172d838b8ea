/** `/logs`: named logs are made, listed, described, deleted. Their entries: log-entry-routes.ts, log-tail-route.ts. */
import { z } from 'zod';
import type { LogSettings } from '../../logs/log-requests.js';
import { closedObject } from './closed-object.js';
import { type HttpRoute, httpRoute } from './http-route.js';
import { logFields } from './log-fields.js';
import { textParameter } from './query-parameters.js';

const count = z.int().min(0).optional();

const createBody = closedObject({
  name: z.string(),
  mode: z.enum(['quorum', 'multi-master']).optional(),
  acknowledgement: z.enum(['local', 'quorum', 'all']).optional(),
  retention_ms: count,
  retention_bytes: count,
  retention_entries: count,
  cleanup_policy: z.enum(['delete', 'compact']).optional(),
  tombstone_retention_ms: count,
});

/** Routes of logs as a whole. */
export const logRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'GET',
    path: '/logs',
    summary: 'The named logs, by name.',
    parameters: { prefix: textParameter('Only names that begin so.') },
    answers: { 200: 'The logs, each with its settings and where its origins stand.' },
    allOrigins: false,
    async handle({ query }, context, { node }) {
      const logs = await node.logs.list(query.prefix ?? '', context);
      return { data: { count: logs.length, logs: logs.map(logFields) } };
    },
  }),
  httpRoute({
    method: 'POST',
    path: '/logs',
    summary: 'Makes a log; the same again is no error.',
    parameters: {},
    body: createBody,
    answers: { 201: 'The log.', 409: 'There is one with other settings.' },
    allOrigins: false,
    async handle({ body }, context, { node }) {
      return { statusCode: 201, data: logFields(await node.logs.create(body.name, settingsOf(body), context)) };
    },
  }),
  httpRoute({
    method: 'GET',
    path: '/logs/:log',
    summary: 'One log.',
    parameters: {},
    answers: { 200: 'Its settings, and where its origins stand.' },
    allOrigins: false,
    async handle({ params }, context, { node }) {
      return { data: logFields(await node.logs.describe(params['log'] ?? '', context)) };
    },
  }),
  httpRoute({
    method: 'DELETE',
    path: '/logs/:log',
    summary: 'Deletes a log with its entries.',
    parameters: {},
    answers: { 200: 'Deleted.' },
    allOrigins: false,
    async handle({ params }, context, { node }) {
      const name = params['log'] ?? '';
      await node.logs.delete(name, context);
      return { data: { name, deleted: true } };
    },
  }),
];

function settingsOf(body: z.infer<typeof createBody>): LogSettings {
  const { mode = 'quorum', retention_entries: entries = 0, tombstone_retention_ms: tombstones = 0 } = body;
  return {
    mode,
    acknowledgement: body.acknowledgement ?? (mode === 'quorum' ? 'quorum' : 'local'),
    retentionMs: body.retention_ms ?? 0,
    retentionBytes: body.retention_bytes ?? 0,
    cleanupPolicy: body.cleanup_policy ?? 'delete',
    ...(entries === 0 ? {} : { retentionEntries: entries }),
    ...(tombstones === 0 ? {} : { tombstoneRetentionMs: tombstones }),
  };
}
