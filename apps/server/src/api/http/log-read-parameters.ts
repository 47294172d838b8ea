/** Which entries of a log a request wants: where reading begins, and of whom. The same for pages and tails. */
import type { LogPosition, LogScope, LogStart } from '../../logs/log-requests.js';
import { ServerError } from '../../requests/server-error.js';
import {
  booleanParameter,
  choiceParameter,
  integerParameter,
  invalidParameter,
  type QueryOf,
  type QueryParameter,
  textParameter,
} from './query-parameters.js';

const largest = Number.MAX_SAFE_INTEGER;

/** Parameters of reads and tails. */
export const logReadParameters = {
  from: integerParameter('First sequence number wanted; default the first kept.', 0, largest),
  from_time_ms: integerParameter('First entry of this time or later, in milliseconds since 1970.', 0, largest),
  last: integerParameter('Begins so many entries before the end.', 0, largest),
  origin: integerParameter('Mode multi-master: of this node; default the one that answers.', 1, largest),
  epoch: integerParameter('Mode multi-master: of `from`; default the last one of the origin.', 1, largest),
  all_origins: booleanParameter('Mode multi-master: of all nodes.'),
  order: choiceParameter('Mode multi-master: as they came, or by time, the same on every node.', ['arrival', 'time']),
  positions: positionsParameter(),
};

type LogReadQuery = QueryOf<typeof logReadParameters>;

/** What those parameters ask for. */
export function readingOf(query: LogReadQuery): {
  readonly origin: number;
  readonly start: LogStart;
  readonly scope?: LogScope;
} {
  const { origin = 0, epoch, all_origins: allOrigins, order, positions } = query;
  const isScoped = [epoch, allOrigins, order, positions].some((one) => one !== undefined);
  const scope: LogScope = {
    ...{ allOrigins: allOrigins ?? false, epoch: epoch ?? 0, order: order ?? 'arrival' },
    ...(positions === undefined ? {} : { positions }),
  };
  return { origin, start: startOf(query), ...(isScoped ? { scope } : {}) };
}

function startOf({ from, from_time_ms: timeMs, last, positions }: LogReadQuery): LogStart {
  if ([from, timeMs, last, positions].filter((one) => one !== undefined).length > 1) {
    throw new ServerError('INVALID_PARAMETERS', 'name one of from, from_time_ms, last and positions');
  }
  if (timeMs !== undefined) return { from: 'time', timeMs };
  if (last === 0) return { from: 'end' };
  if (last !== undefined) return { from: 'last', entries: last };
  return { from: 'sequence', sequence: from ?? 0 };
}

function positionsParameter(): QueryParameter<readonly LogPosition[]> {
  const plain = textParameter(
    'Mode multi-master: the last entries read, as an answer gives them: <origin>.<epoch>.<sequence>, separated by commas.',
  );
  return {
    ...plain,
    parse(text, name) {
      return text.split(',').map((part) => {
        const match = /^(\d{1,15})\.(\d{1,15})\.(\d{1,15})$/.exec(part);
        if (match === null) throw invalidParameter(name, text, '<origin>.<epoch>.<sequence>, separated by commas');
        const [origin = 0, epoch = 0, sequence = 0] = match.slice(1).map(Number);
        return { origin, epoch, sequence };
      });
    },
  };
}
