import { z } from 'zod';
import { closedObject } from './closed-object.js';
import { httpRoute } from './http-route.js';

const sessionBody = closedObject({ ttl_ms: z.int().min(1).optional() });

/** POST /sessions. Not for pages of other origins: a session is the caller's own. */
export const sessionRoute = httpRoute({
  method: 'POST',
  path: '/sessions',
  summary: 'Opens a session: writes with `Idempotency-Key: <session>/<number>` are applied once.',
  parameters: {},
  body: sessionBody,
  answers: { 201: 'The session.' },
  allOrigins: false,
  async handle(request, context, { node }) {
    const { value } = await node.keyValue.openSession(request.body.ttl_ms ?? 0, context);
    return { statusCode: 201, data: { session_id: value.sessionId, ttl_ms: value.ttlMs } };
  },
});
