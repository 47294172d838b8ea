import type { RangeRequest, StoredPair } from '../../requests/key-value-requests.js';
import type { Answered } from '../../requests/request-context.js';
import { ServerError } from '../../requests/server-error.js';
import type { HeldAnswer } from '../connections/held-answer.js';
import { exclusiveEndAfter } from '../key-bounds.js';
import { httpRoute } from './http-route.js';
import { pairFields } from './key-routes.js';
import {
  booleanParameter,
  choiceParameter,
  integerParameter,
  invalidParameter,
  type QueryOf,
  textParameter,
} from './query-parameters.js';
import { answerHeaders, readContextOf, readParameters } from './request-options.js';
import { bytesOf } from './wire-text.js';

const defaultLimit = 1_000;
const maxLimit = 10_000;
/** An answer ends early, with `next`, when its keys and values reach this: nothing else is done while it is written as JSON. */
const maxAnswerBytes = 4 * 1024 * 1024;
/** Pairs, their text, and the JSON of them are there at one time. */
const copies = 4;

const parameters = {
  start: textParameter('First key, inclusive.'),
  end: textParameter('Last key, inclusive.'),
  prefix: textParameter('Only keys that begin so; the empty prefix means all keys.'),
  key_encoding: choiceParameter('How start, end and prefix are written; default utf8.', ['utf8', 'base64']),
  limit: integerParameter(`Pairs at most; default ${defaultLimit}.`, 1, maxLimit),
  reverse: booleanParameter('From the last key to the first.'),
  keys_only: booleanParameter('Without values.'),
  next: textParameter('From an earlier answer: goes on behind it. The other parameters must be as they were.'),
  ...readParameters,
};

type RangeQuery = QueryOf<typeof parameters>;

/** GET /kv/range. */
export const rangeRoute = httpRoute({
  method: 'GET',
  path: '/kv/range',
  summary: 'Reads a range of keys in bytewise order.',
  parameters,
  answers: { 200: 'The pairs, and `next` where there are more.' },
  allOrigins: true,
  isStream: true,
  async handle(request, context, { node }) {
    const { query } = request;
    const range = rangeOf(query);
    const pages = node.keyValue.range(range, readContextOf(query, request), context);
    const { pairs, last } = await gather(pages, range.limit ?? defaultLimit, context.answer);
    const continuation = last?.value.continuation;
    return {
      data: {
        start_key: query.start ?? null,
        end_key: query.end ?? null,
        count: pairs.length,
        pairs: pairs.map((pair) => pairFields(pair, query.keys_only)),
        ...(continuation === undefined ? {} : { next: Buffer.from(continuation).toString('base64url') }),
      },
      ...(last === undefined ? {} : { headers: answerHeaders(last) }),
    };
  },
});

type Page = Answered<{ readonly pairs: readonly StoredPair[]; readonly continuation?: Uint8Array }>;

/** Pairs up to the limit or to what one answer may hold. */
async function gather(pages: AsyncIterable<Page>, limit: number, held: HeldAnswer) {
  const pairs: StoredPair[] = [];
  let bytes = 0;
  let last: Page | undefined;
  for await (const page of pages) {
    last = page;
    let pageBytes = 0;
    for (const pair of page.value.pairs) {
      pairs.push(pair);
      pageBytes += pair.key.length + pair.value.length;
    }
    if (!held.tryGrow(pageBytes * copies)) {
      throw new ServerError('RESOURCE_EXHAUSTED', 'too many large answers are being made; ask later, or for less');
    }
    bytes += pageBytes;
    if (bytes >= maxAnswerBytes || pairs.length >= limit) break;
  }
  return { pairs, last };
}

function rangeOf(query: RangeQuery): RangeRequest {
  if (query.start === undefined && query.end === undefined && query.prefix === undefined) {
    throw new ServerError('INVALID_PARAMETERS', 'name start, end or prefix; prefix= (empty) reads all keys');
  }
  const start = keyBytes(query.start, query, 'start');
  const end = keyBytes(query.end, query, 'end');
  const prefix = keyBytes(query.prefix, query, 'prefix');
  if (start !== undefined && end !== undefined && Buffer.compare(start, end) > 0) {
    throw new ServerError('INVALID_PARAMETERS', "parameter 'start' is behind parameter 'end'; swap them");
  }
  return {
    limit: query.limit ?? defaultLimit,
    reverse: query.reverse ?? false,
    keysOnly: query.keys_only ?? false,
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end: exclusiveEndAfter(end) }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(query.next === undefined ? {} : { continuation: continuationOf(query.next) }),
  };
}

/** The bytes of a bound; an empty one bounds nothing. */
function keyBytes(text: string | undefined, query: RangeQuery, name: string): Buffer | undefined {
  return text === undefined || text === '' ? undefined : bytesOf(text, query.key_encoding, `parameter '${name}'`);
}

function continuationOf(next: string): Buffer {
  if (!/^[A-Za-z0-9_-]+$/.test(next)) throw invalidParameter('next', next, 'what an earlier answer gave as next');
  return Buffer.from(next, 'base64url');
}
