/**
 * `/logs/<log>/tail`: entries and then what is appended, as lines of JSON. What fails before the first line is answered as
 * everywhere; what fails later is the last line, in the form of a failed answer.
 */
import type { LogPage, LogTail } from '../../logs/log-requests.js';
import type { ApiServices } from '../api-services.js';
import { reportedFailure } from '../reported-failure.js';
import { errorEnvelope } from './envelope.js';
import type { HttpContext } from './http-context.js';
import { httpRoute } from './http-route.js';
import { entryFields, gapFields } from './log-fields.js';
import { logReadParameters, readingOf } from './log-read-parameters.js';
import { integerParameter } from './query-parameters.js';

const path = '/logs/:log/tail';

/** GET /logs/<log>/tail. */
export const logTailRoute = httpRoute({
  method: 'GET',
  path,
  summary: 'Entries and then what is appended, as lines of JSON.',
  parameters: {
    ...logReadParameters,
    count: integerParameter('Ends after so many entries; default never.', 1, Number.MAX_SAFE_INTEGER),
  },
  answers: {
    200: 'A line for each entry, and for each gap that compaction left; where it fails the last is an error.',
  },
  allOrigins: false,
  isStream: true,
  async handle({ params, query }, context, services) {
    const log = params['log'] ?? '';
    const tail = { log, ...readingOf(query) };
    // Whether it can begin: a tail of a log to which nothing is appended would never say.
    await services.node.logs.read({ ...tail, limit: 1, maxBytes: 1 }, context);
    return { lines: linesOf(tail, query.count ?? Infinity, context, services), contentType: 'application/x-ndjson' };
  },
});

async function* linesOf(
  tail: LogTail,
  count: number,
  context: HttpContext,
  services: ApiServices,
): AsyncGenerator<string, void, undefined> {
  const closed = services.requests.streamOpened(`GET ${path}`);
  let left = count;
  context.sendHead();
  try {
    for await (const page of services.node.logs.tail(tail, context)) {
      const lines = pageLines(page, left);
      left -= page.entries.length;
      // What this reader holds, until it asks for more.
      context.answer.settle(2 * lines.length);
      yield lines;
      context.answer.settle(0);
      if (left <= 0) return;
    }
  } catch (error) {
    const failure = reportedFailure(error, context.correlationId, `GET ${path}`, services.logger);
    yield `${JSON.stringify(errorEnvelope(failure, services.nowMs()))}\n`;
  } finally {
    closed();
  }
}

function pageLines({ entries, gaps }: LogPage, limit: number): string {
  const rows = [...gaps.map((gap) => ({ gap: gapFields(gap) })), ...entries.slice(0, limit).map(entryFields)];
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
