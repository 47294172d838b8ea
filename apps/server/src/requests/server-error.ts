import { CodedError, type CodedErrorOptions } from '@shanghai/env';
import type { ErrorCode } from '@shanghai/proto';

/** A failure as the caller shall see it: its code is one of the table on the wire. Everything below the API throws this or a package's own error, which `api/error-mapping.ts` translates. */
export class ServerError extends CodedError<ErrorCode> {
  constructor(code: ErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
