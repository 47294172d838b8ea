import {
  claimedBytes,
  crcHolds,
  crcSeed,
  createRecordFields,
  fieldsMakeSense,
  markBytes,
  type RecordFields,
  readRecord,
  recordFlags,
  recordHeaderBytes,
} from './record.js';
import type { SegmentKind } from './segment-header.js';
import { getUint64 } from './uint64.js';

/**
 * Reads records out of a window of a segment's bytes, unit by unit: a unit is a single record, a mark, or a whole
 * batch. A unit is handed on only when all of it is there and valid, so the caller never sees part of a batch.
 *
 * It stops for one of three reasons: the segment ended exactly behind a unit (`end`), the window ended before a unit
 * did (`more`), or the bytes at `badOffset` are no valid unit (`bad`). No length is believed beyond the segment's end.
 */

/** Receives the records of valid units, in order. `fields` is reused; positions count in `bytes`. */
export type RecordSink = (bytes: Uint8Array, fields: RecordFields, offset: number) => void;

/** What a parse carries from window to window. */
export interface ParseState {
  readonly kind: SegmentKind;
  readonly segmentSeed: number;
  /** Where the segment's bytes end. */
  readonly endOffset: number;
  lastSequence: number;
  records: number;
}

/** Why a parse stopped, and how many bytes of the window it has used up. */
export type ParseStop =
  | { readonly kind: 'end'; readonly consumed: number }
  | { readonly kind: 'more'; readonly consumed: number; readonly neededBytes: number }
  | { readonly kind: 'bad'; readonly consumed: number; readonly what: string };

type Step =
  | { readonly kind: 'ok'; readonly end: number }
  | { readonly kind: 'more'; readonly neededBytes: number }
  | { readonly kind: 'bad'; readonly what: string };

/** Parses `bytes[0, length)`, which begins at `baseOffset` of the segment, on a unit's boundary. */
export function parseUnits(
  bytes: Uint8Array,
  view: DataView,
  length: number,
  baseOffset: number,
  state: ParseState,
  sink: RecordSink,
): ParseStop {
  const fields = createRecordFields();
  let at = 0;
  for (;;) {
    if (baseOffset + at === state.endOffset) return { kind: 'end', consumed: at };
    const step = checkUnit(bytes, view, at, length, baseOffset, state, fields);
    if (step.kind === 'more') return { kind: 'more', consumed: at, neededBytes: step.neededBytes };
    if (step.kind === 'bad') return { kind: 'bad', consumed: at, what: step.what };
    while (at < step.end) {
      readRecord(view, at, fields);
      if (fields.flags !== recordFlags.mark) {
        state.lastSequence = fields.sequence;
        state.records++;
        sink(bytes, fields, baseOffset + at);
      }
      at += fields.recordBytes;
    }
  }
}

/** Whether a whole valid unit begins at `start`; `ok` carries the position behind it. */
function checkUnit(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  length: number,
  baseOffset: number,
  state: ParseState,
  fields: RecordFields,
): Step {
  let at = start;
  let previousSequence = state.lastSequence;
  for (let inBatch = false; ; ) {
    const step = checkRecord(bytes, view, at, length, baseOffset, state, fields);
    if (step.kind === 'more') return { kind: 'more', neededBytes: at - start + step.neededBytes };
    if (step.kind === 'bad') return inBatch ? { kind: 'bad', what: `in its batch, ${step.what}` } : step;
    const what = misplaced(fields, inBatch, previousSequence, state.kind);
    if (what !== undefined) return { kind: 'bad', what };
    at = step.end;
    if ((fields.flags & recordFlags.member) === 0) return { kind: 'ok', end: at };
    previousSequence = fields.sequence;
    inBatch = true;
    if (baseOffset + at === state.endOffset) return { kind: 'bad', what: 'the segment ends inside a batch' };
  }
}

function checkRecord(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
  baseOffset: number,
  state: ParseState,
  fields: RecordFields,
): Step {
  const rest = state.endOffset - baseOffset - at;
  if (rest < recordHeaderBytes) return { kind: 'bad', what: `${rest} bytes are too few for a record` };
  if (length - at < recordHeaderBytes) return { kind: 'more', neededBytes: recordHeaderBytes };
  const claimed = claimedBytes(view, at);
  if (claimed > rest)
    return { kind: 'bad', what: `a record of ${claimed} bytes reaches beyond the end of the segment` };
  if (length - at < claimed) return { kind: 'more', neededBytes: claimed };
  const end = at + claimed;
  if (!crcHolds(bytes, view, at, end, crcSeed(state.segmentSeed, baseOffset + at)))
    return { kind: 'bad', what: 'the checksum does not hold' };
  readRecord(view, at, fields);
  return fieldsMakeSense(fields) ? { kind: 'ok', end } : { kind: 'bad', what: 'the fields contradict each other' };
}

/** Why a valid record cannot stand here, or `undefined`. */
function misplaced(
  fields: RecordFields,
  inBatch: boolean,
  previousSequence: number,
  kind: SegmentKind,
): string | undefined {
  const { flags, sequence } = fields;
  const batchFlags = flags & (recordFlags.member | recordFlags.commit);
  if (kind === 'merged')
    return flags === recordFlags.mark || batchFlags !== 0 ? 'a mark or a batch in a merged segment' : undefined;
  if (inBatch && batchFlags === 0) return 'a batch without its commit';
  if (!inBatch && batchFlags === recordFlags.commit) return 'a commit without its batch';
  const expected = flags === recordFlags.mark ? previousSequence : previousSequence + 1;
  return sequence === expected ? undefined : `sequence ${sequence} where ${expected} comes next`;
}

/**
 * The highest durable end of any valid mark in `bytes[0, length)`, looked for at every byte, or 0: behind a bad
 * record nothing says where the next one begins.
 */
export function highestDurableEnd(
  bytes: Uint8Array,
  view: DataView,
  length: number,
  baseOffset: number,
  segmentSeed: number,
): number {
  let highest = 0;
  for (let at = 0; at + markBytes <= length; at++) {
    if (bytes[at + 4] !== recordFlags.mark || bytes[at + 8] !== 8) continue;
    if (view.getUint32(at + 4, true) !== recordFlags.mark || view.getUint32(at + 8, true) !== 8) continue;
    if (!crcHolds(bytes, view, at, at + markBytes, crcSeed(segmentSeed, baseOffset + at))) continue;
    highest = Math.max(highest, getUint64(view, at + recordHeaderBytes));
  }
  return highest;
}
