/**
 * A node's own notes of which log appends a run accepted, kept in the same store batch as the run.
 *
 * A power failure may leave the store ahead of the log files, for neither is synced when written. The entries come
 * again from the command log, but their verdicts (repetition, conflict) cannot be reached again from a state that is
 * already past them; the note has them. Notes up to the durable applied index are deleted.
 */
import { invariant } from '@shanghai/env';
import { readU32, readU64, writeU32, writeU64 } from './byte-fields.js';
import type { AcceptedAppend } from './log-table.js';

/** Where an append's records went. */
export type AppendNote = Omit<AcceptedAppend, 'command'>;

const noteBytes = 32;

/** The note of one run. */
export function encodeAppendNotes(accepted: readonly AppendNote[]): Buffer {
  const bytes = Buffer.allocUnsafe(accepted.length * noteBytes);
  for (const [i, append] of accepted.entries()) {
    const at = i * noteBytes;
    writeU64(bytes, at, append.entryIndex);
    writeU32(bytes, at + 8, append.logId);
    writeU32(bytes, at + 12, append.origin);
    writeU64(bytes, at + 16, append.firstSequence);
    writeU64(bytes, at + 24, append.timeMs);
  }
  return bytes;
}

/** Reads the note of one run. */
export function decodeAppendNotes(bytes: Uint8Array): AppendNote[] {
  invariant(bytes.length % noteBytes === 0, `notes of ${bytes.length} bytes`);
  const notes: AppendNote[] = [];
  for (let at = 0; at < bytes.length; at += noteBytes) {
    notes.push({
      entryIndex: readU64(bytes, at),
      logId: readU32(bytes, at + 8),
      origin: readU32(bytes, at + 12),
      firstSequence: readU64(bytes, at + 16),
      timeMs: readU64(bytes, at + 24),
    });
  }
  return notes;
}
