import type { MergeResult } from './bitcask.js';

/** What a store tells whoever listens. Every method is optional and must not throw. */
export interface BitcaskListener {
  synced?(event: { readonly bytes: number; readonly syncMs: number }): void;
  segmentSealed?(event: { readonly file: string; readonly bytes: number }): void;
  merged?(event: MergeResult): void;
  mergeFailed?(event: { readonly error: Error }): void;
  recovered?(event: {
    readonly file: string;
    readonly from: 'hint' | 'scan';
    readonly records: number;
    readonly durationMs: number;
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
