import type { FrameFields } from './frame.js';

/** Frames back to back in a buffer, as they will lie on the disk once their headers are written. */
export interface FrameImage {
  /** Behind the last frame lie `terminatorBytes` zeros. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly frames: number;
  readonly records: number;
  /** Where frame `index` begins; `frames` gives the end of the last. */
  frameStart(index: number): number;
  frameBytes(index: number): number;
  /** Number of records before frame `index`; `frames` gives all. */
  recordsBefore(index: number): number;
  /** Writes a frame's header, for its place in a segment. */
  seal(
    index: number,
    place: { readonly segmentSeed: number; readonly offset: number },
    fields: Omit<FrameFields, 'count' | 'flags' | 'rawBytes'>,
  ): void;
}
