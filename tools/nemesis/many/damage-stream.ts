/** Flips bytes in a node's copy of what another node wrote into a log of mode multi-master, as a failing disk does. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const flippedBytes = 16;

/** A file that was damaged. */
export interface DamagedFile {
  /** `<log id>/<origin>.<epoch>/<segment>` */
  readonly name: string;
  readonly offset: number;
}

/**
 * Damages, in a data directory that no process has open, the longest of the files that hold other origins' entries, in
 * the middle of what was written. `undefined`: there is none yet.
 */
export function damageStream(dataDirectory: string, nodeId: number): DamagedFile | undefined {
  const logs = join(dataDirectory, 'logs');
  if (!existsSync(logs)) return undefined;
  const files = readdirSync(logs, { recursive: true, encoding: 'utf8' })
    .filter((name) => isOfAnother(name, nodeId) && statSync(join(logs, name)).isFile())
    .map((name) => ({ name, bytes: writtenBytes(join(logs, name)) }))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  const [longest] = files;
  if (longest === undefined || longest.bytes < 4 * flippedBytes) return undefined;
  const path = join(logs, longest.name);
  const offset = Math.floor(longest.bytes / 2);
  const bytes = readFileSync(path).subarray(offset, offset + flippedBytes);
  const file = openSync(path, 'r+');
  writeSync(
    file,
    bytes.map((byte) => byte ^ 0x5a),
    0,
    flippedBytes,
    offset,
  );
  closeSync(file);
  return { name: longest.name, offset };
}

function isOfAnother(name: string, nodeId: number): boolean {
  const stream = /^\d+[\\/](\d+)\.\d+[\\/][^\\/]+$/.exec(name);
  return stream !== null && Number(stream[1]) !== nodeId;
}

/** Up to the last byte that is not zero: files are made longer than what is in them. */
function writtenBytes(path: string): number {
  const bytes = readFileSync(path);
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return length;
}
