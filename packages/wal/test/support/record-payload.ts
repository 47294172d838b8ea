/** A payload that tells which record it is and whether all of it is there. */
export function recordPayload(lsn: number, bytes: number): Uint8Array {
  const payload = Buffer.alloc(bytes, (lsn * 37) % 256);
  Buffer.from(`<${lsn}>`).copy(payload);
  return payload;
}
