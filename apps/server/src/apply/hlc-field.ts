import type { Hlc } from '@shanghai/replication';

/** Writes a stamp in eight bytes, so that bytewise order is the order of time. */
export function writeHlc(bytes: Uint8Array, at: number, { ms, counter }: Hlc): void {
  const high = Math.floor(ms / 0x1_0000);
  bytes[at] = high >>> 24;
  bytes[at + 1] = high >>> 16;
  bytes[at + 2] = high >>> 8;
  bytes[at + 3] = high;
  bytes[at + 4] = ms >>> 8;
  bytes[at + 5] = ms;
  bytes[at + 6] = counter >>> 8;
  bytes[at + 7] = counter;
}

/** Reads what `writeHlc` wrote. */
export function readHlc(bytes: Uint8Array, at: number): Hlc {
  const high =
    ((byte(bytes, at) << 24) | (byte(bytes, at + 1) << 16) | (byte(bytes, at + 2) << 8) | byte(bytes, at + 3)) >>> 0;
  const low = (byte(bytes, at + 4) << 8) | byte(bytes, at + 5);
  return { ms: high * 0x1_0000 + low, counter: (byte(bytes, at + 6) << 8) | byte(bytes, at + 7) };
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}
