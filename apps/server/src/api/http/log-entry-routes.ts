/** `/logs/<log>/entries`: entries appended, as JSON or one as it is, and read page by page. */
import { z } from 'zod';
import type { LogAppend, LogPage, LogRecord } from '../../logs/log-requests.js';
import { ServerError } from '../../requests/server-error.js';
import { closedObject } from './closed-object.js';
import { type HttpRequest, type HttpRoute, httpRoute } from './http-route.js';
import { entryFields, gapFields, positionsText } from './log-fields.js';
import { logReadParameters, readingOf } from './log-read-parameters.js';
import { choiceParameter, integerParameter, type QueryOf, textParameter } from './query-parameters.js';
import { bytesOf } from './wire-text.js';

const defaultLimit = 1_000;
const maxLimit = 10_000;
/** An answer ends early when its entries reach this: nothing else is done while it is written as JSON. */
const maxAnswerBytes = 4 * 1024 * 1024;
/** Entries, their text, and the JSON of them are there at one time. */
const copies = 4;
/** Before the name of a record's header. */
const headerPrefix = 'x-record-';

const encoding = z.enum(['utf8', 'base64']).optional();
const levels = ['local', 'quorum', 'all'] as const;

const recordSchema = closedObject({
  value: z.string(),
  encoding,
  key: z.string().optional(),
  key_encoding: encoding,
  headers: z.array(closedObject({ name: z.string(), value: z.string(), encoding })).optional(),
});

const appendBody = closedObject({
  records: z.array(recordSchema).min(1, 'must hold at least one record'),
  acknowledgement: z.enum(levels).optional(),
  expected_last_sequence: z.int().min(0).optional(),
  producer: closedObject({
    producer_id: z.int().min(1),
    epoch: z.int().min(0),
    sequence: z.int().min(1),
  }).optional(),
});

/** Of a value that comes as it is; in JSON the body says it. */
const appendParameters = {
  key: textParameter('Key of a record that comes as it is.'),
  key_encoding: choiceParameter('How the key is written; default utf8.', ['utf8', 'base64']),
  acknowledgement: choiceParameter("When it is answered; default the log's.", levels),
  expected_last_sequence: integerParameter(
    "Fails with CONFLICT unless this is the log's last sequence number.",
    0,
    Number.MAX_SAFE_INTEGER,
  ),
};

type AppendQuery = QueryOf<typeof appendParameters>;

/** Routes of entries. */
export const logEntryRoutes: readonly HttpRoute[] = [
  httpRoute({
    method: 'POST',
    path: '/logs/:log/entries',
    summary: 'Appends records, kept or lost together; or one, the body as it is (application/octet-stream).',
    parameters: appendParameters,
    body: appendBody,
    takesBytes: true,
    answers: { 201: 'Appended; where the records lie.', 409: '`expected_last_sequence` does not hold.' },
    allOrigins: false,
    async handle(request, context, { node }) {
      const log = request.params['log'] ?? '';
      const append = request.bytes === undefined ? jsonAppend(log, request) : plainAppend(log, request, request.bytes);
      const { origin, epoch, firstSequence, lastSequence, timeMs, duplicate } = await node.logs.append(append, context);
      const place = { origin, epoch, first_sequence: firstSequence, last_sequence: lastSequence };
      return { statusCode: 201, data: { log, ...place, time_ms: timeMs, duplicate } };
    },
  }),
  httpRoute({
    method: 'GET',
    path: '/logs/:log/entries',
    summary: 'Entries that are there now, a page of them.',
    parameters: {
      ...logReadParameters,
      limit: integerParameter(`Entries at most; default ${defaultLimit}.`, 1, maxLimit),
    },
    answers: { 200: 'The entries, and where to go on.' },
    allOrigins: false,
    async handle({ params, query }, context, { node }) {
      const log = params['log'] ?? '';
      const limit = query.limit ?? defaultLimit;
      const page = await node.logs.read({ log, ...readingOf(query), limit, maxBytes: maxAnswerBytes }, context);
      const bytes = page.entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
      if (!context.answer.tryGrow(bytes * copies)) {
        throw new ServerError('RESOURCE_EXHAUSTED', 'too many large answers are being made; ask later, or for less');
      }
      return { data: { log, ...pageFields(page) } };
    },
  }),
];

function pageFields(page: LogPage): Record<string, unknown> {
  const { entries, nextSequence, firstSequence, lastSequence, gaps, positions, watermarkMs } = page;
  return {
    count: entries.length,
    entries: entries.map(entryFields),
    ...{ next_sequence: nextSequence, first_sequence: firstSequence, last_sequence: lastSequence },
    ...(gaps.length === 0 ? {} : { gaps: gaps.map(gapFields) }),
    ...(positions === undefined ? {} : { positions: positionsText(positions) }),
    ...(watermarkMs === undefined ? {} : { watermark_ms: watermarkMs }),
  };
}

function jsonAppend(log: string, { body, query }: HttpRequest<AppendQuery, z.infer<typeof appendBody>>): LogAppend {
  if (Object.keys(query).length > 0) {
    throw new ServerError('INVALID_PARAMETERS', 'parameters are for values that come as they are; JSON says it itself');
  }
  const { acknowledgement, expected_last_sequence: expected, producer } = body;
  return {
    log,
    records: body.records.map(recordOf),
    ...(acknowledgement === undefined ? {} : { acknowledgement }),
    ...(expected === undefined ? {} : { expectedLastSequence: expected }),
    ...(producer === undefined
      ? {}
      : { producer: { producerId: producer.producer_id, epoch: producer.epoch, sequence: producer.sequence } }),
  };
}

function recordOf(wire: z.infer<typeof recordSchema>, index: number): LogRecord {
  const where = `records[${index}]`;
  return {
    key: bytesOf(wire.key ?? '', wire.key_encoding, `${where}.key`),
    value: bytesOf(wire.value, wire.encoding, `${where}.value`),
    headers: (wire.headers ?? []).map(({ name, value, encoding: form }) => ({
      name: bytesOf(name, undefined, `a header's name of ${where}`).toString(),
      value: bytesOf(value, form, `header '${name.slice(0, 100)}' of ${where}`),
    })),
  };
}

function plainAppend(log: string, request: HttpRequest<AppendQuery, unknown>, value: Buffer): LogAppend {
  const { key = '', key_encoding: keyEncoding, acknowledgement, expected_last_sequence: expected } = request.query;
  const headers = request
    .headersFrom(headerPrefix)
    .map(([name, text]) => ({ name, value: Buffer.from(text, 'latin1') }));
  return {
    log,
    records: [{ key: bytesOf(key, keyEncoding, "parameter 'key'"), value, headers }],
    ...(acknowledgement === undefined ? {} : { acknowledgement }),
    ...(expected === undefined ? {} : { expectedLastSequence: expected }),
  };
}
