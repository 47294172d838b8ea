import { CodedError, type CodedErrorOptions } from '@shanghai/env';

/** `JOIN_REFUSED`: the cluster does not want this node. `JOIN_UNREACHABLE`: no node that was named answered in time. */
export type JoinErrorCode = 'JOIN_REFUSED' | 'JOIN_UNREACHABLE';

/** Why a new node did not get into a cluster. Started again with the same flags it goes on where it was. */
export class JoinError extends CodedError<JoinErrorCode> {
  constructor(code: JoinErrorCode, message: string, options?: CodedErrorOptions) {
    super(code, message, options);
  }
}
