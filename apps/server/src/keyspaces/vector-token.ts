/**
 * What a reader of a keyspace of mode multi-master has seen, opaque to callers:
 *
 *   0            1            5          per stream, by origin and epoch
 *   version = 3  keyspace id  streams    origin (4), epoch (8), last sequence (8, most significant byte first)
 *
 * Clients keep the last token of the keyspace they got; that of two streams' vectors neither of which covers the other is no
 * matter, since whoever reads with a token is answered with one that covers it.
 */
import type { EntryId } from '@shanghai/replication';
import { readU64Ordered, writeU32, writeU64, writeU64Ordered } from '../apply/byte-fields.js';
import { FieldReader } from '../apply/field-reader.js';
import { ServerError } from '../requests/server-error.js';

const version = 3;
const headBytes = 9;
const streamBytes = 20;

/** The token of these positions. */
export function encodeVectorToken(keyspaceId: number, positions: readonly EntryId[]): Uint8Array {
  const bytes = new Uint8Array(headBytes + positions.length * streamBytes);
  bytes[0] = version;
  writeU32(bytes, 1, keyspaceId);
  writeU32(bytes, 5, positions.length);
  for (const [i, { origin, epoch, sequence }] of positions.entries()) {
    const at = headBytes + i * streamBytes;
    writeU32(bytes, at, origin);
    writeU64(bytes, at + 4, epoch);
    writeU64Ordered(bytes, at + 12, sequence);
  }
  return bytes;
}

/** The positions of a token of this keyspace. Anything else: `INVALID_REQUEST`. */
export function decodeVectorToken(bytes: Uint8Array, keyspaceId: number): readonly EntryId[] {
  try {
    const fields = new FieldReader(bytes);
    const found = [fields.u8(), fields.u32()];
    if (found[0] === version && found[1] === keyspaceId) {
      const positions = Array.from({ length: fields.count(streamBytes) }, () => {
        return { origin: fields.u32(), epoch: fields.u64(), sequence: readU64Ordered(fields.take(8), 0) };
      });
      fields.finish();
      return positions;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new ServerError('INVALID_REQUEST', 'the token is not one that this keyspace gave out');
}
