import { z } from 'zod';
import type { OperationOutcome, WriteOperation } from '../../requests/key-value-requests.js';
import { closedObject } from './closed-object.js';
import { httpRoute } from './http-route.js';
import { keyFields } from './key-routes.js';
import { answerHeaders, writeContextOf, writeParameters } from './request-options.js';
import { bytesOf } from './wire-text.js';

const encoding = z.enum(['utf8', 'base64']).optional();
const keyShape = { key: z.string(), key_encoding: encoding };
const valueShape = { value: z.string(), encoding };

const operationSchema = z.discriminatedUnion('type', [
  closedObject({ type: z.literal('put'), ...keyShape, ...valueShape, ttl_ms: z.int().min(1).optional() }),
  closedObject({ type: z.literal('append'), ...keyShape, ...valueShape }),
  closedObject({ type: z.literal('delete'), ...keyShape }),
]);

const batchBody = closedObject({
  operations: z.array(operationSchema).min(1, 'must hold at least one operation'),
  atomic: z.boolean().optional(),
});

type WireOperation = z.infer<typeof operationSchema>;

/** POST /kv/batch. */
export const batchRoute = httpRoute({
  method: 'POST',
  path: '/kv/batch',
  summary: 'Several writes in one request; with `atomic` all or none.',
  parameters: writeParameters,
  body: batchBody,
  answers: { 200: 'All operations were applied.', 207: 'Some operations, or all, failed; each says how.' },
  allOrigins: true,
  async handle(request, context, { node }) {
    const { operations: wire, atomic } = request.body;
    const operations = wire.map(operationOf);
    const kind = atomic === true ? 'atomic' : 'independent';
    const write = writeContextOf(request.query, request);
    const answered = await node.keyValue.write({ kind, operations }, write, context);
    const failed = answered.value.filter((outcome) => !outcome.ok).length;
    return {
      statusCode: failed > 0 ? 207 : 200,
      status: failed > 0 ? 'partial_success' : 'success',
      headers: answerHeaders(answered),
      data: {
        total_operations: operations.length,
        successful: operations.length - failed,
        failed,
        results: answered.value.map((outcome, index) => resultFields(operations[index] as WriteOperation, outcome)),
      },
    };
  },
});

function operationOf(wire: WireOperation, index: number): WriteOperation {
  const key = bytesOf(wire.key, wire.key_encoding, `operations[${index}].key`);
  if (wire.type === 'delete') return { type: 'delete', key };
  const value = bytesOf(wire.value, wire.encoding, `operations[${index}].value`);
  if (wire.type === 'append') return { type: 'append', key, value };
  return { type: 'put', key, value, ...(wire.ttl_ms === undefined ? {} : { ttlMs: wire.ttl_ms }) };
}

function resultFields({ type, key }: WriteOperation, outcome: OperationOutcome): Record<string, unknown> {
  const head = { type, ...keyFields(key) };
  if (!outcome.ok) return { ...head, status: 'error', error: { code: outcome.code, message: outcome.message } };
  const { revision, deleted, valueBytes } = outcome;
  return {
    ...head,
    status: 'success',
    offset: revision,
    ...(type === 'delete' ? { deleted: deleted ?? false } : {}),
    ...(type === 'append' ? { value_bytes: valueBytes ?? 0 } : {}),
  };
}
