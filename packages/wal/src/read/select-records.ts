import { replacesFlag } from '../core/frame.js';
import { recordHeaderBytes, recordKind, recordPayloadBytes, recordStream } from '../core/record.js';
import type { ReplacedStreams } from '../core/replaced-streams.js';
import type { Lsn, WalEntry } from '../wal.js';

/** Which records of a frame: LSN in [from, to), of one stream where that is not `undefined`, and not replaced. */
export interface RecordChoice {
  readonly from: Lsn;
  readonly to: Lsn;
  readonly stream: number | undefined;
  /** `undefined` shows replaced records as well. */
  readonly replaced: ReplacedStreams | undefined;
}

/** A sound frame and its records, decompressed. */
export interface LoadedFrame {
  readonly firstLsn: Lsn;
  readonly count: number;
  readonly flags: number;
  readonly wallTimeMs: number;
  readonly records: Uint8Array;
  readonly recordsView: DataView;
  readonly recordsAt: number;
}

/** The records chosen of a frame. Their payloads are copied, so they outlive the buffer. */
export function selectRecords(frame: LoadedFrame, choice: RecordChoice): WalEntry[] {
  const { firstLsn, wallTimeMs, records, recordsView } = frame;
  const end = Math.min(firstLsn + frame.count, choice.to);
  const replaced = choice.replaced !== undefined && firstLsn < choice.replaced.highest ? choice.replaced : undefined;
  const isReplacement = (frame.flags & replacesFlag) !== 0;
  const entries: WalEntry[] = [];
  let position = frame.recordsAt;
  for (let lsn = firstLsn; lsn < end; lsn++) {
    const start = position + recordHeaderBytes;
    const stream = recordStream(recordsView, position);
    const stop = start + recordPayloadBytes(recordsView, position);
    if (lsn >= choice.from && (choice.stream === undefined || choice.stream === stream)) {
      if (replaced === undefined || lsn >= replaced.below(stream)) {
        const kind = recordKind(recordsView, position);
        const entry = { lsn, stream, kind, wallTimeMs, payload: records.slice(start, stop) };
        entries.push(isReplacement ? { ...entry, replaces: true } : entry);
      }
    }
    position = stop;
  }
  return entries;
}
