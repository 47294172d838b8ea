import type { MergeResult } from './bitcask.js';

/** What a store tells whoever listens. Every method is optional and must not throw. */
export interface BitcaskListener {
  synced?(event: { readonly bytes: number; readonly syncMs: number }): void;
  segmentSealed?(event: { readonly file: string; readonly bytes: number }): void;
  merged?(event: MergeResult): void;
  mergeFailed?(event: { readonly error: Error }): void;
  recovered?(event: {
    readonly file: string;
    readonly from: 'snapshot' | 'hint' | 'scan';
    readonly records: number;
    readonly durationMs: number;
  }): void;
  /** The key directory was written to its file. */
  keydirSnapshot?(event: {
    readonly file: string;
    readonly keys: number;
    readonly bytes: number;
    readonly durationMs: number;
  }): void;
  /** Writing that file failed or was given up. Nothing is lost but time at the next opening. */
  keydirSnapshotFailed?(event: { readonly file: string; readonly error: Error }): void;
  /** Opening found that file and did not use it: out of date, or damaged. */
  keydirSnapshotUnused?(event: {
    readonly file: string;
    readonly reason: 'stale' | 'damaged';
    readonly why: string;
  }): void;
  tornTail?(event: {
    readonly file: string;
    readonly offset: number;
    readonly bytes: number;
    readonly copy: string;
  }): void;
  checkpoint?(event: { readonly durableSequence: number; readonly durationMs: number }): void;
  poisoned?(event: { readonly error: Error }): void;
}
