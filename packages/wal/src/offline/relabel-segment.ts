import { decodeSegmentHeader, encodeSegmentHeader, segmentHeaderBytes } from '../core/segment-header.js';
import { WalError } from '../wal-error.js';

/** How many bytes at the beginning of a segment `relabelSegment` takes and gives. */
export const segmentLabelBytes: number = segmentHeaderBytes;

/**
 * The first bytes of a segment as they are where the log has another id: for a log that is copied and becomes another
 * one's. All segments of a log need the same id. `logId`: 32 hexadecimal digits. Throws `WalError` `CORRUPT` where the bytes are
 * no header, `UNSUPPORTED_FORMAT` where a newer version wrote it.
 */
export function relabelSegment(bytes: Uint8Array, logId: string): Uint8Array {
  const decoded = decodeSegmentHeader(bytes);
  switch (decoded.kind) {
    case 'header':
      return encodeSegmentHeader({ ...decoded.header, logId });
    case 'damaged':
      throw new WalError('CORRUPT', 'the header of a segment is damaged; take the segment from another copy');
    case 'unsupported':
      throw new WalError('UNSUPPORTED_FORMAT', `a segment has format ${decoded.major}; use a newer version`);
  }
}
