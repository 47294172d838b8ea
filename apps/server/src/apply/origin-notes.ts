/**
 * Which appends of an origin a run accepted, and where their records went: what `accepted-appends.ts` is for quorum logs.
 * Runs from other nodes need none: they say themselves where they belong.
 */
import { invariant } from '@shanghai/env';
import { readU32, readU64, writeU32, writeU64 } from './byte-fields.js';

/** One accepted append. `place`: which of its command's appends it is, from 0. */
export interface OriginNote {
  readonly entryIndex: number;
  readonly place: number;
  readonly logId: number;
  readonly epoch: number;
  readonly firstSequence: number;
}

const noteBytes = 32;

/** The note of one run. */
export function encodeOriginNotes(notes: readonly OriginNote[]): Buffer {
  const bytes = Buffer.allocUnsafe(notes.length * noteBytes);
  for (const [i, note] of notes.entries()) {
    const at = i * noteBytes;
    writeU64(bytes, at, note.entryIndex);
    writeU32(bytes, at + 8, note.place);
    writeU32(bytes, at + 12, note.logId);
    writeU64(bytes, at + 16, note.epoch);
    writeU64(bytes, at + 24, note.firstSequence);
  }
  return bytes;
}

/** Reads the note of one run. */
export function decodeOriginNotes(bytes: Uint8Array): OriginNote[] {
  invariant(bytes.length % noteBytes === 0, `notes of ${bytes.length} bytes`);
  const notes: OriginNote[] = [];
  for (let at = 0; at < bytes.length; at += noteBytes) {
    notes.push({
      entryIndex: readU64(bytes, at),
      place: readU32(bytes, at + 8),
      logId: readU32(bytes, at + 12),
      epoch: readU64(bytes, at + 16),
      firstSequence: readU64(bytes, at + 24),
    });
  }
  return notes;
}
