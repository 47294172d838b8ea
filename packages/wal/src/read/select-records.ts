import { frameCount, frameFirstLsn, frameHeaderBytes, frameWallTimeMs } from '../core/frame.js';
import { recordHeaderBytes, recordKind, recordPayloadBytes, recordStream } from '../core/record.js';
import type { Lsn, WalEntry } from '../wal.js';

/** Which records of a frame: LSN in [from, to), and of one stream where that is not `undefined`. */
export interface RecordChoice {
  readonly from: Lsn;
  readonly to: Lsn;
  readonly stream: number | undefined;
}

/** The records chosen of the sound frame at `at`. Their payloads are copied, so they outlive the buffer. */
export function selectRecords(bytes: Uint8Array, view: DataView, at: number, choice: RecordChoice): WalEntry[] {
  const firstLsn = frameFirstLsn(view, at);
  const end = Math.min(firstLsn + frameCount(view, at), choice.to);
  const wallTimeMs = frameWallTimeMs(view, at);
  const entries: WalEntry[] = [];
  let position = at + frameHeaderBytes;
  for (let lsn = firstLsn; lsn < end; lsn++) {
    const start = position + recordHeaderBytes;
    const stream = recordStream(view, position);
    const stop = start + recordPayloadBytes(view, position);
    if (lsn >= choice.from && (choice.stream === undefined || choice.stream === stream)) {
      entries.push({ lsn, stream, kind: recordKind(view, position), wallTimeMs, payload: bytes.slice(start, stop) });
    }
    position = stop;
  }
  return entries;
}
