import type { ErrorCode } from '@shanghai/proto';
import type { OperationOutcome } from '../requests/key-value-requests.js';
import type { LogPosition } from './consumer-table.js';

/** What applying an entry gave. The same on every replica; a session remembers it. */
export type ApplyResult =
  | { readonly type: 'outcomes'; readonly outcomes: readonly OperationOutcome[] }
  | {
      readonly type: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly details: Readonly<Record<string, unknown>>;
    }
  | { readonly type: 'session'; readonly sessionId: number; readonly ttlMs: number }
  | {
      readonly type: 'logAppended';
      readonly firstSequence: number;
      readonly lastSequence: number;
      readonly timeMs: number;
      readonly duplicate: boolean;
      /** Of the origin; absent in mode quorum. */
      readonly epoch?: number;
    }
  | {
      readonly type: 'consumer';
      readonly generation: number;
      readonly positions: readonly LogPosition[];
      /** What it had before; empty where it was not known. */
      readonly earlierPositions: readonly LogPosition[];
    }
  /** One for each command of an entry. */
  | { readonly type: 'joined'; readonly results: readonly ApplyResult[] }
  /** One for each append of a command. */
  | { readonly type: 'appends'; readonly results: readonly ApplyResult[] }
  | { readonly type: 'done' };

/** The result of entries that say nothing. */
export const done: ApplyResult = { type: 'done' };

/** A refusal; nothing was changed. */
export function failed(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}): ApplyResult {
  return { type: 'failed', code, message, details };
}
