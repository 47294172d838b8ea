/**
 * What a state was restored from. It is part of the replicated state: whoever gets a copy of it must know as well from
 * which entry on numbers are this cluster's own. docs/formats/backup.md, section 4.
 */

import { invariant } from '@shanghai/env';

/** The record under `restoredKey`. */
export interface RestoredMark {
  readonly backupId: string;
  /** Whose state it was. */
  readonly clusterId: string;
  /** Where this cluster's entries begin. */
  readonly index: number;
  readonly term: number;
  /** The last entry of the other cluster that is in it. */
  readonly fromIndex: number;
  readonly logTimeMs: number;
}

const format = 1;

/** The record's bytes. */
export function encodeRestoredMark(mark: RestoredMark): Buffer {
  return Buffer.from(JSON.stringify({ format, ...mark }));
}

/** Reads what `encodeRestoredMark` wrote, of this or a later version. */
export function decodeRestoredMark(bytes: Uint8Array): RestoredMark {
  const { format: _, ...mark } = parsed(bytes) as RestoredMark & { format: number };
  const numbers = [mark.index, mark.term, mark.fromIndex, mark.logTimeMs];
  invariant(numbers.every(Number.isSafeInteger), 'the mark of a restored state is incomplete');
  return mark;
}

function parsed(bytes: Uint8Array): object {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    // Told below.
  }
  invariant(typeof value === 'object' && value !== null, 'the mark of a restored state is no JSON object');
  return value;
}
