import type { Model } from '../../histories/operation.js';

/** One change of a key. */
export type KeyChange =
  | { readonly type: 'put'; readonly key: string; readonly value: string; readonly expires?: boolean }
  | { readonly type: 'append'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string };

/** What must hold for changes to be made: that a key has a value (`undefined`: that it is not there). */
export interface KeyCondition {
  readonly key: string;
  readonly value: string | undefined;
}

/** An operation on a few keys that are always in one group. */
export type KeysInput =
  | { readonly type: 'read'; readonly keys: readonly string[] }
  | { readonly type: 'write'; readonly changes: readonly KeyChange[]; readonly conditions: readonly KeyCondition[] };

/** What was answered. `values`: of a read, in the order of its keys. */
export interface KeysOutput {
  readonly values?: readonly (string | undefined)[];
  /** Of a write: whether its conditions held. */
  readonly isApplied?: boolean;
  /** Of its changes: whether a delete took something away, how long a value is after an append. */
  readonly results?: readonly { readonly deleted?: boolean; readonly valueBytes?: number }[];
}

interface Stored {
  readonly value: string;
  /** It may be gone at any time. */
  readonly expires: boolean;
}

/** Keys and what they hold; those that are not there are missing. */
export type KeysState = ReadonlyMap<string, Stored>;

/** Keys with reads of several, and conditional writes of several, each at one moment. */
export const keysModel: Model<KeysState, KeysInput, KeysOutput> = {
  initial: new Map(),
  step(state, input, output) {
    return input.type === 'read' ? afterRead(state, input.keys, output) : afterWrite(state, input, output);
  },
  // A read that finds nothing may be the first to show that something has expired.
  isReadOnly(input, { isApplied, values }) {
    return input.type === 'read' ? values?.every((value) => value !== undefined) === true : isApplied === false;
  },
  fingerprint: (state) => JSON.stringify([...state].sort(([a], [b]) => (a < b ? -1 : 1))),
  describe(input, output) {
    const said = output === undefined ? '?' : JSON.stringify(output);
    if (input.type === 'read') return `read ${input.keys.join(' ')} → ${said}`;
    const changes = input.changes.map((one) => `${one.type} ${one.key} ${'value' in one ? one.value : ''}`.trim());
    const conditions = input.conditions.map(({ key, value }) => `${key} = ${value ?? 'nothing'}`);
    return `${conditions.length > 0 ? `if ${conditions.join(', ')}: ` : ''}${changes.join(', ')} → ${said}`;
  },
};

function afterRead(state: KeysState, keys: readonly string[], output: KeysOutput | undefined): KeysState | undefined {
  let after = state;
  for (const [i, key] of keys.entries()) {
    const stored = state.get(key);
    if (output?.values === undefined || output.values[i] === stored?.value) continue;
    if (output.values[i] !== undefined || stored?.expires !== true) return undefined;
    after = without(after, key);
  }
  return after;
}

function afterWrite(
  state: KeysState,
  { changes, conditions }: Extract<KeysInput, { type: 'write' }>,
  output: KeysOutput | undefined,
): KeysState | undefined {
  const holds = conditions.every(({ key, value }) => state.get(key)?.value === value);
  if (output?.isApplied !== undefined && output.isApplied !== holds) return undefined;
  if (!holds) return state;
  const after = new Map(state);
  for (const [i, change] of changes.entries()) {
    const { key } = change;
    const before = after.get(key);
    const result = output?.results?.[i];
    if (change.type === 'put') after.set(key, { value: change.value, expires: change.expires === true });
    else if (change.type === 'append') {
      const value = (before?.value ?? '') + change.value;
      if (result?.valueBytes !== undefined && result.valueBytes !== value.length) return undefined;
      after.set(key, { value, expires: before?.expires ?? false });
    } else {
      // What expires may have gone before it was deleted, and nobody saw it.
      const isPossible = result?.deleted === (before !== undefined) || (before?.expires === true && !result?.deleted);
      if (result?.deleted !== undefined && !isPossible) return undefined;
      after.delete(key);
    }
  }
  return after;
}

function without(state: KeysState, key: string): KeysState {
  const after = new Map(state);
  after.delete(key);
  return after;
}
