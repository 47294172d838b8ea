import { errorTable } from '@shanghai/proto';
import { z } from 'zod';
import type { HttpRoute } from './http-route.js';

type Json = Readonly<Record<string, unknown>>;

const envelopeSchemas: Json = {
  Success: {
    type: 'object',
    required: ['status', 'data', 'timestamp'],
    properties: {
      status: { enum: ['success', 'partial_success'] },
      data: {},
      timestamp: { type: 'string', format: 'date-time' },
    },
  },
  Error: {
    type: 'object',
    required: ['status', 'error', 'timestamp'],
    properties: {
      status: { const: 'error' },
      error: {
        type: 'object',
        required: ['code', 'message', 'details'],
        properties: {
          code: { enum: Object.keys(errorTable) },
          message: { type: 'string' },
          details: { type: 'object' },
        },
      },
      timestamp: { type: 'string', format: 'date-time' },
    },
  },
};

/** The OpenAPI 3.1 description of the routes: what they check with is what it says. */
export function openApiDocument(routes: readonly HttpRoute[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:([a-z_]+)/g, '{$1}');
    const operations = paths[path] ?? {};
    paths[path] = operations;
    operations[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Shanghai HTTP API', version, license: { name: 'MIT', identifier: 'MIT' } },
    paths,
    components: { schemas: envelopeSchemas },
  };
}

function operationOf(route: HttpRoute): Json {
  const inPath = [...route.path.matchAll(/:([a-z_]+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(route.parameters).map(([name, { description, schema }]) => ({
    name,
    in: 'query',
    description,
    schema,
  }));
  const answers = Object.entries(route.answers).map(([code, description]) => [code, answerOf(description, 'Success')]);
  return {
    summary: route.summary,
    parameters: [...inPath, ...inQuery],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: bodyContent(route.body, route.takesBytes) } }),
    responses: { ...Object.fromEntries(answers), default: answerOf('A failure; see the error table.', 'Error') },
  };
}

function bodyContent(body: z.ZodType, takesBytes = false): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(body, { io: 'input' });
  return { 'application/json': { schema }, ...(takesBytes ? { 'application/octet-stream': {} } : {}) };
}

function answerOf(description: string, schema: string): Json {
  return { description, content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } } };
}
