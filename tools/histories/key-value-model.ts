import type { Model } from './operation.js';

/** An operation on one key. */
export type KeyValueInput =
  | { readonly type: 'get' }
  | { readonly type: 'put'; readonly value: string }
  | { readonly type: 'append'; readonly value: string };

/** What a read gave; empty for writes. */
export interface KeyValueOutput {
  readonly value?: string;
}

/** One key with get, put and append; a key that is not there reads as empty text. Keys do not touch each other, so each is a history of its own. */
export const keyValueModel: Model<string, KeyValueInput, KeyValueOutput> = {
  initial: '',
  step(state, input, output) {
    if (input.type === 'get') return output === undefined || output.value === state ? state : undefined;
    return input.type === 'put' ? input.value : state + input.value;
  },
  isReadOnly: ({ type }) => type === 'get',
  fingerprint: (state) => state,
  describe(input, output) {
    if (input.type === 'get') return `get → ${output === undefined ? '?' : JSON.stringify(output.value)}`;
    return `${input.type} ${JSON.stringify(input.value)}${output === undefined ? ' → ?' : ''}`;
  },
};
