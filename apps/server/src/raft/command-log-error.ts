import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/**
 * `CORRUPT`: the group's stream contradicts itself or the store. `UNSUPPORTED_FORMAT`: it holds records that this
 * version does not know.
 */
export type CommandLogErrorCode = 'CORRUPT' | 'UNSUPPORTED_FORMAT';

/** Why a group's log cannot be opened. */
export class CommandLogError extends CodedError<CommandLogErrorCode> {
  constructor(code: CommandLogErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
