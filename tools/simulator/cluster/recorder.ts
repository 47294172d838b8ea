/**
 * What clients did and were told, and whether that could have come from one store that does one thing at a time. Keys
 * stand in small families that are used for a while and then left: the search for an order is hard where many operations
 * of one family have no answer.
 */
import { type CheckResult, checkLinearizability } from '../../histories/linearizability.js';
import type { Operation } from '../../histories/operation.js';
import { Violation } from '../raft/truth.js';
import { type KeysInput, type KeysOutput, keysModel } from './keys-model.js';

type Recorded = {
  -readonly [Field in keyof Operation<KeysInput, KeysOutput>]: Operation<KeysInput, KeysOutput>[Field];
};

/** Steps of the search for one family before it counts as not decided. */
const maxLooks = 500;

/** An operation that is under way. */
export interface Call {
  /** It was answered. */
  answered(output: KeysOutput): void;
  /** Nothing was done, and whoever asked knows it. */
  refused(): void;
  /** It may have been done, or will be. */
  unknown(): void;
}

/** A history that no order explains, or none that was found in time. */
export interface BadHistory {
  readonly family: string;
  readonly history: readonly Operation<KeysInput, KeysOutput>[];
  /** As `checkLinearizability` found it. */
  readonly longest: readonly number[];
}

/** Histories of all families. */
export class Recorder {
  readonly #families = new Map<string, Recorded[]>();
  #position = 0;
  operations = 0;
  /** Histories that could not be decided. */
  readonly undecidedHistories: BadHistory[] = [];

  /** The last place that something took in the order of calls and answers. */
  protected get position(): number {
    return this.#position;
  }

  /** Families whose history could not be decided. */
  get undecided(): number {
    return this.undecidedHistories.length;
  }

  /** Somebody asks for something. */
  call(family: string, process: number, input: KeysInput): Call {
    const operation: Recorded = {
      process,
      input,
      output: undefined,
      call: ++this.#position,
      return: Number.POSITIVE_INFINITY,
    };
    let history = this.#families.get(family);
    if (history === undefined) {
      history = [];
      this.#families.set(family, history);
    }
    history.push(operation);
    const own = history;
    this.operations++;
    return {
      answered: (output) => {
        operation.output = output;
        operation.return = ++this.#position;
      },
      refused: () => void own.splice(own.indexOf(operation), 1),
      // A read of which nothing is known says nothing.
      unknown: () => input.type === 'read' && void own.splice(own.indexOf(operation), 1),
    };
  }

  /** Throws a `Violation` with the shortest history that shows it. */
  check(): void {
    for (const { family, history, longest } of this.violations()) {
      throw new Violation(describeHistory(family, history, longest));
    }
  }

  /** The histories that no order explains, as they are found. */
  *violations(): Generator<BadHistory> {
    for (const [family, recorded] of this.#families) {
      const history = boundedByReads(recorded);
      const { verdict, longest } = search(history);
      if (verdict === 'unknown') this.undecidedHistories.push({ family, history, longest });
      if (verdict === 'violation') yield { family, history, longest };
    }
  }
}

/**
 * What has no answer and was never seen may just as well not have happened: an order with few of them is one, and found
 * much sooner. Only where there is none must all of them be tried at every place.
 */
function search(history: BadHistory['history']): CheckResult {
  for (const maxOpen of [0, 1, 2, 3, 4]) {
    const result = searchWith(history, maxOpen);
    if (result.verdict === 'linearizable') return result;
  }
  return searchWith(history, Number.POSITIVE_INFINITY);
}

function searchWith(history: BadHistory['history'], maxOpen: number): CheckResult {
  let looks = 0;
  return checkLinearizability(history, keysModel, () => ++looks > maxLooks, maxOpen);
}

/**
 * Values are written once each: a write without answer whose value was read had happened before that read ended. The
 * bound spares the search trying it at every later place.
 */
function boundedByReads(history: BadHistory['history']): BadHistory['history'] {
  const firstSeen = new Map<string, number>();
  for (const { input, output, return: end } of history) {
    if (input.type !== 'read' || output?.values === undefined) continue;
    for (const token of output.values.flatMap((value) => value?.split(';') ?? [])) {
      firstSeen.set(token, Math.min(end, firstSeen.get(token) ?? Number.POSITIVE_INFINITY));
    }
  }
  return history.map((operation) => {
    const { input, output } = operation;
    if (output !== undefined || input.type !== 'write') return operation;
    const tokens = input.changes.flatMap((change) => ('value' in change ? change.value.split(';') : []));
    const ends = tokens
      .filter((token) => token !== '')
      .map((token) => firstSeen.get(token) ?? Number.POSITIVE_INFINITY);
    return { ...operation, return: Math.min(Number.POSITIVE_INFINITY, ...ends) };
  });
}

/** The operations around the place where no order goes on. */
export function describeHistory(family: string, history: BadHistory['history'], longest: readonly number[]): string {
  const done = new Set(longest);
  const open = history.map((operation, id) => ({ operation, id })).filter(({ id }) => !done.has(id));
  const stuck = open.reduce((least, { operation }) => Math.min(least, operation.return), Number.POSITIVE_INFINITY);
  const lines = history
    .map((operation, id) => ({ operation, id }))
    .filter(({ operation, id }) => (!done.has(id) && operation.call < stuck) || longest.slice(-12).includes(id))
    .map(({ operation, id }) => {
      const { process, call, input, output } = operation;
      const place = done.has(id) ? `${longest.indexOf(id)}`.padStart(4) : ' –  ';
      return `${place} client ${process} [${call}, ${operation.return}] ${keysModel.describe(input, output)}`;
    });
  return `linearizability: no order explains family ${family} behind ${longest.length} of ${history.length} operations:\n${lines.join('\n')}`;
}
