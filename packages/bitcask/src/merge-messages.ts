import { isFileSystemError } from '@shanghai/env';
import { BitcaskError, type BitcaskErrorCode } from './bitcask-error.js';
import type { CandidateBlock } from './core/candidate-batch.js';
import type { MergeCopied, MergeJob } from './merge-job.js';

/** What a merge's thread and the store's say to each other; all of it survives structured cloning. */

/** From the thread that copies. `call` numbers what is to be answered. */
export type FromMergeThread =
  | { readonly kind: 'ready' }
  | { readonly kind: 'judge'; readonly call: number; readonly block: CandidateBlock }
  | { readonly kind: 'newOutput'; readonly call: number }
  | { readonly kind: 'spend'; readonly call: number; readonly bytesRead: number; readonly bytesWritten: number }
  | { readonly kind: 'copied'; readonly copied: MergeCopied }
  | { readonly kind: 'failed'; readonly failure: MergeFailure };

/** To the thread that copies. `refused` ends the merge; why is known to the store's side. */
export type ToMergeThread =
  | { readonly kind: 'job'; readonly job: MergeJob }
  | { readonly kind: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'refused'; readonly call: number };

/** An error as data: clones of errors lose what this package tells them by. */
export interface MergeFailure {
  /** `refused`: the store's side said so. */
  readonly origin: 'refused' | 'bitcask' | 'errno' | 'other';
  readonly message: string;
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Thrown within the thread by calls that the store's side refused. */
export class MergeRefused extends Error {}

/** Takes an error apart. */
export function encodeFailure(error: unknown): MergeFailure {
  if (error instanceof MergeRefused) return { origin: 'refused', message: error.message, code: '', details: {} };
  if (error instanceof BitcaskError)
    return { origin: 'bitcask', message: error.message, code: error.code, details: error.details };
  if (isFileSystemError(error)) {
    const { code = '', syscall, path, errno } = error;
    return { origin: 'errno', message: error.message, code, details: { code, syscall, path, errno } };
  }
  return {
    origin: 'other',
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    code: '',
    details: {},
  };
}

/** Puts it together again. */
export function decodeFailure(failure: MergeFailure): Error {
  const { origin, message, code, details } = failure;
  switch (origin) {
    case 'bitcask':
      return new BitcaskError(code as BitcaskErrorCode, message, { details });
    case 'errno':
      return Object.assign(new Error(message), details);
    case 'refused':
    case 'other':
      return new Error(message);
  }
}
