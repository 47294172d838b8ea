import type { Model } from './operation.js';

/** An operation on one register. */
export type RegisterInput =
  | { readonly type: 'read' }
  | { readonly type: 'write'; readonly value: number }
  | { readonly type: 'cas'; readonly from: number; readonly to: number };

/** What a register answered: a read's value (`undefined` in it: nothing was ever written), or whether a swap was made. */
export interface RegisterOutput {
  readonly value?: number | undefined;
  readonly isSwapped?: boolean;
}

/** The value, or `'nil'` while nothing was written. */
export type RegisterState = number | 'nil';

/** A register with read, write and compare-and-set. */
export const registerModel: Model<RegisterState, RegisterInput, RegisterOutput> = {
  initial: 'nil',
  step(state, input, output) {
    switch (input.type) {
      case 'read':
        return output === undefined || (output.value ?? 'nil') === state ? state : undefined;
      case 'write':
        return input.value;
      case 'cas': {
        const matches = state === input.from;
        if (output !== undefined && output.isSwapped !== matches) return undefined;
        return matches ? input.to : state;
      }
    }
  },
  isReadOnly: ({ type }, { isSwapped }) => type === 'read' || isSwapped === false,
  fingerprint: String,
  describe(input, output) {
    switch (input.type) {
      case 'read':
        return `read → ${output === undefined ? '?' : (output.value ?? 'nil')}`;
      case 'write':
        return `write ${input.value}${output === undefined ? ' → ?' : ''}`;
      case 'cas': {
        const result = output === undefined ? '?' : output.isSwapped === true ? 'swapped' : 'not swapped';
        return `cas ${input.from}, ${input.to} → ${result}`;
      }
    }
  },
};
