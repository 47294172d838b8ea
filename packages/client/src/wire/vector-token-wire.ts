/**
 * Tokens of keyspaces that every node writes (docs/formats/keyspace.md): unlike a group's, two of them may each have seen
 * what the other has not, when the nodes that answered had not heard of each other. What a client has seen is both.
 *
 *   0            1            5          per stream, by origin and epoch
 *   version = 3  keyspace id  streams    origin (4), epoch (8), last sequence (8, most significant byte first)
 */

const version = 3;
const headBytes = 9;
const streamBytes = 20;
const nameBytes = 12;

/** Whether it is one of those. */
export function isVectorToken(token: Uint8Array): boolean {
  return token[0] === version;
}

/** All that either has seen. `newer` where they are not of one keyspace, or not of the form known here. */
export function mergeVectorTokens(older: Buffer, newer: Buffer): Buffer {
  if (older.equals(newer) || !isMergeable(older, newer)) return newer;
  const streams = new Map<string, Buffer>();
  for (const token of [older, newer]) {
    for (let at = headBytes; at < token.length; at += streamBytes) {
      const stream = token.subarray(at, at + streamBytes);
      const name = stream.toString('latin1', 0, nameBytes);
      const known = streams.get(name);
      if (known === undefined || stream.compare(known, nameBytes, streamBytes, nameBytes) > 0)
        streams.set(name, stream);
    }
  }
  const head = Buffer.from(newer.subarray(0, headBytes));
  head.writeUInt32LE(streams.size, headBytes - 4);
  return Buffer.concat([head, ...streams.values()]);
}

function isMergeable(older: Buffer, newer: Buffer): boolean {
  const isWhole = (token: Buffer) => token.length >= headBytes && (token.length - headBytes) % streamBytes === 0;
  return isWhole(older) && isWhole(newer) && older.compare(newer, 0, headBytes - 4, 0, headBytes - 4) === 0;
}
