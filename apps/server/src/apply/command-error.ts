import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/** `MALFORMED`: the bytes are no command. `UNSUPPORTED_COMMAND`: a version or kind this program does not know. */
export type CommandErrorCode = 'MALFORMED' | 'UNSUPPORTED_COMMAND';

/**
 * A command that cannot be applied as it was meant. A committed one stops the group: going on without it would make
 * this replica differ from the others.
 */
export class CommandError extends CodedError<CommandErrorCode> {
  constructor(code: CommandErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
