/**
 * Is there an order of the operations, each taking effect between its call and its return, in which a system that works
 * one at a time would have given the same outputs?
 *
 * The search of Wing and Gong ("Testing and verifying concurrent objects", 1993) with Lowe's memory of what was tried
 * ("Testing for linearizability", 2017): calls and returns lie in one list; whatever is called before the first return may
 * take effect next; a return whose call has not taken effect sends the search back. What was tried is a set of operations
 * with the state they led to: the same pair need never be tried again, by whatever way it is reached.
 *
 * Calls without a return may take effect at any later time, or never. They lie in a list of their own and are tried where
 * nothing else goes on: most of them change nothing that anybody saw, and trying them first at every place multiplies the
 * search. What changes nothing is taken as soon as it fits, and no other way is tried for it.
 */
import type { Model, Operation } from './operation.js';

/** What the search found. `unknown`: it was given too little time. */
export type Verdict = 'linearizable' | 'violation' | 'unknown';

/** A verdict, and for a violation how far the search came. */
export interface CheckResult {
  readonly verdict: Verdict;
  /** Operations of the longest order that was found, by their places in the input. */
  readonly longest: readonly number[];
}

interface Event {
  readonly id: number;
  readonly isReturn: boolean;
  readonly time: number;
  /** Of a call: its return, which may be missing. */
  readonly match: Event | undefined;
  previous: Event | undefined;
  next: Event | undefined;
}

interface Step<State> {
  readonly call: Event;
  readonly stateBefore: State;
  /** The first return that had not been passed. */
  readonly limit: number;
  /** Nothing else need be tried in its place. */
  readonly isForced: boolean;
}

/**
 * Checks one history. `isOverdue` is asked now and then, and ends the search where it says so. With `maxOpen` at most so
 * many operations without a return are placed: where an order is found it is one, and a violation is one only without the
 * bound.
 */
export function checkLinearizability<State, Input, Output>(
  operations: readonly Operation<Input, Output>[],
  model: Model<State, Input, Output>,
  isOverdue: () => boolean,
  maxOpen = Number.POSITIVE_INFINITY,
): CheckResult {
  const { head, openHead } = eventsOf(operations);
  const taken = new OperationSet(operations.length);
  const tried = new Set<string>();
  const path: Step<State>[] = [];
  let longest: readonly number[] = [];
  let answersLeft = operations.filter(isAnswered).length;
  let state = model.initial;
  let event = head.next;
  let limit = Number.POSITIVE_INFINITY;
  let openLeft = maxOpen;
  // What has no answer need not have happened: only answers that are left hold the order up.
  for (let steps = 1; answersLeft > 0; steps++) {
    if (steps % 4096 === 0 && isOverdue()) return { verdict: 'unknown', longest };
    if (event?.isReturn) {
      limit = event.time;
      event = openHead.next;
    }
    if (event !== undefined && (event.match !== undefined || (openLeft > 0 && event.time <= limit))) {
      const isForced = isReadOnly(operations, model, event);
      const after = tryOperation(operations, model, event, state, taken, tried);
      if (after === 'impossible' || (after === 'tried' && !isForced)) {
        event = event.next;
        continue;
      }
      if (after !== 'tried') {
        path.push({ call: event, stateBefore: state, limit, isForced });
        state = after.state;
        lift(event);
        if (event.match === undefined) openLeft--;
        else answersLeft--;
        event = head.next;
        continue;
      }
    }
    if (path.length > longest.length) longest = idsOf(path);
    let last: Step<State> | undefined;
    do {
      last = path.pop();
      if (last === undefined) return { verdict: 'violation', longest };
      taken.remove(last.call.id);
      unlift(last.call);
      if (last.call.match === undefined) openLeft++;
      else answersLeft++;
    } while (last.isForced);
    state = last.stateBefore;
    limit = last.limit;
    event = last.call.next;
  }
  return { verdict: 'linearizable', longest: idsOf(path) };
}

function tryOperation<State, Input, Output>(
  operations: readonly Operation<Input, Output>[],
  model: Model<State, Input, Output>,
  { id }: Event,
  before: State,
  taken: OperationSet,
  tried: Set<string>,
): { readonly state: State } | 'impossible' | 'tried' {
  const { input, output } = operations[id] as Operation<Input, Output>;
  const state = model.step(before, input, output);
  if (state === undefined) return 'impossible';
  taken.add(id);
  const key = `${taken.fingerprint()}${model.fingerprint(state)}`;
  if (tried.has(key)) {
    taken.remove(id);
    return 'tried';
  }
  tried.add(key);
  return { state };
}

function isReadOnly<State, Input, Output>(
  operations: readonly Operation<Input, Output>[],
  model: Model<State, Input, Output>,
  { id }: Event,
): boolean {
  const { input, output } = operations[id] as Operation<Input, Output>;
  return output !== undefined && model.isReadOnly?.(input, output) === true;
}

function isAnswered({ return: end }: { readonly return: number }): boolean {
  return end !== Number.POSITIVE_INFINITY;
}

function idsOf<State>(path: readonly Step<State>[]): number[] {
  return path.map(({ call }) => call.id);
}

/**
 * Two lists: calls that have a return, and the returns, in the order of their times, a call before a return at the same
 * time; and calls that have none, in that order.
 */
function eventsOf<Input, Output>(
  operations: readonly Operation<Input, Output>[],
): { readonly head: Event; readonly openHead: Event } {
  const answered: Event[] = [];
  const open: Event[] = [];
  for (const [id, operation] of operations.entries()) {
    const link = { id, previous: undefined, next: undefined };
    if (!isAnswered(operation)) {
      open.push({ ...link, isReturn: false, time: operation.call, match: undefined });
      continue;
    }
    const match: Event = { ...link, isReturn: true, time: operation.return, match: undefined };
    answered.push({ ...link, isReturn: false, time: operation.call, match }, match);
  }
  return { head: linked(answered), openHead: linked(open) };
}

function linked(events: Event[]): Event {
  events.sort((a, b) => a.time - b.time || Number(a.isReturn) - Number(b.isReturn));
  const head: Event = { id: -1, isReturn: false, time: 0, match: undefined, previous: undefined, next: undefined };
  let last = head;
  for (const event of events) {
    event.previous = last;
    last.next = event;
    last = event;
  }
  return head;
}

/** Takes a call and its return out of the list; they remember their places. */
function lift(call: Event): void {
  unlink(call);
  if (call.match !== undefined) unlink(call.match);
}

/** Puts back what `lift` took out last. */
function unlift(call: Event): void {
  if (call.match !== undefined) relink(call.match);
  relink(call);
}

function unlink(event: Event): void {
  if (event.previous !== undefined) event.previous.next = event.next;
  if (event.next !== undefined) event.next.previous = event.previous;
}

function relink(event: Event): void {
  if (event.previous !== undefined) event.previous.next = event;
  if (event.next !== undefined) event.next.previous = event;
}

/** A set of small numbers with a text that is its own. */
class OperationSet {
  readonly #words: Uint16Array;

  constructor(size: number) {
    this.#words = new Uint16Array(Math.ceil(size / 16));
  }

  add(id: number): void {
    this.#words[id >>> 4] = (this.#words[id >>> 4] as number) | (1 << (id & 15));
  }

  remove(id: number): void {
    this.#words[id >>> 4] = (this.#words[id >>> 4] as number) & ~(1 << (id & 15));
  }

  fingerprint(): string {
    return String.fromCharCode(...this.#words);
  }
}
