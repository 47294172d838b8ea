import { CodedError, type CodedErrorOptions } from '@shanghai/env';
import type { ProposalErrorCode, ProposalStage } from './raft-group.js';

/** A proposal or a read that did not get through. */
export class ProposalError extends CodedError<ProposalErrorCode> {
  /** Who leads, as far as this node knows; 0 = not known. */
  readonly leaderId: number;
  /** How far it had come. */
  readonly stage: ProposalStage;

  constructor(
    code: ProposalErrorCode,
    message: string,
    options: CodedErrorOptions & { readonly leaderId?: number; readonly stage?: ProposalStage } = {},
  ) {
    super(code, message, options);
    this.leaderId = options.leaderId ?? 0;
    this.stage = options.stage ?? 'queued';
  }
}

/** A refusal after which nothing was done. */
export function refusal(code: ProposalErrorCode, message: string, leaderId = 0): ProposalError {
  return new ProposalError(code, message, { leaderId });
}
