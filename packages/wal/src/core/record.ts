/**
 * Records inside a frame, back to back:
 *
 *     0        4        8      9        12
 *     | length | stream | kind | zero   | payload |
 */
/** Bytes of a record before its payload. */
export const recordHeaderBytes = 12;

/** Writes a record's header at `at`; its payload belongs right behind. */
export function writeRecordHeader(
  view: DataView,
  at: number,
  payloadBytes: number,
  stream: number,
  kind: number,
): void {
  view.setUint32(at, payloadBytes, true);
  view.setUint32(at + 4, stream, true);
  view.setUint32(at + 8, kind, true);
}

/** Payload length of the record at `at`. */
export function recordPayloadBytes(view: DataView, at: number): number {
  return view.getUint32(at, true);
}

/** Stream of the record at `at`. */
export function recordStream(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** Kind of the record at `at`. */
export function recordKind(view: DataView, at: number): number {
  return view.getUint8(at + 8);
}

/**
 * Whether `count` records fill [at, end) to its padding. Those of a frame whose checksum holds always do, unless a
 * writer erred: then it is damage, not a reason to read beyond the frame.
 */
export function areRecordsSound(view: DataView, at: number, end: number, count: number): boolean {
  let position = at;
  for (let i = 0; i < count; i++) {
    if (position + recordHeaderBytes > end) return false;
    position += recordHeaderBytes + view.getUint32(position, true);
  }
  return position <= end && end - position < 8;
}
