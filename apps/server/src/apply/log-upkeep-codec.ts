/**
 * The bodies of commands about consumers and compaction (docs/formats/state-machine.md):
 *
 *   commit, seek:  log id, generation, name's length, positions, name, then per position: origin, epoch, sequence
 *   delete:        log id, name's length, name
 *   hide:          log id, compacted to, chunks, then per chunk: index, 512 bytes
 */
import { writeU32, writeU64 } from './byte-fields.js';
import type { LogPosition } from './consumer-table.js';
import type { FieldReader } from './field-reader.js';
import { hiddenChunkBytes } from './hidden-entries.js';
import type { HiddenChunk, LogUpkeepCommand } from './log-upkeep-command.js';

const consumerHeadBytes = 20;
const positionBytes = 24;
const deleteHeadBytes = 8;
const hideHeadBytes = 16;
const chunkBytes = 8 + hiddenChunkBytes;

/** Bytes of a body. */
export function logUpkeepLength(body: LogUpkeepCommand): number {
  switch (body.kind) {
    case 'consumerCommit':
    case 'consumerSeek':
      return consumerHeadBytes + Buffer.byteLength(body.consumer) + body.positions.length * positionBytes;
    case 'consumerDelete':
      return deleteHeadBytes + Buffer.byteLength(body.consumer);
    case 'logHide':
      return hideHeadBytes + body.chunks.length * chunkBytes;
  }
}

/** Writes a body at `at`. */
export function writeLogUpkeep(bytes: Uint8Array, at: number, body: LogUpkeepCommand): void {
  writeU32(bytes, at, body.logId);
  switch (body.kind) {
    case 'consumerCommit':
    case 'consumerSeek':
      writePositions(bytes, at, body, body.kind === 'consumerCommit' ? body.generation : 0);
      return;
    case 'consumerDelete': {
      const name = Buffer.from(body.consumer);
      writeU32(bytes, at + 4, name.length);
      bytes.set(name, at + deleteHeadBytes);
      return;
    }
    case 'logHide': {
      writeU64(bytes, at + 4, body.compactedTo);
      writeU32(bytes, at + 12, body.chunks.length);
      let next = at + hideHeadBytes;
      for (const { index, bits } of body.chunks) {
        writeU64(bytes, next, index);
        bytes.set(bits, next + 8);
        next += chunkBytes;
      }
    }
  }
}

/** Reads a body. Throws `RangeError` where the lengths do not fit. */
export function takeLogUpkeep(reader: FieldReader, kind: LogUpkeepCommand['kind']): LogUpkeepCommand {
  const logId = reader.u32();
  switch (kind) {
    case 'consumerCommit':
    case 'consumerSeek': {
      const generation = reader.u64();
      const nameBytes = reader.u32();
      const count = reader.count(positionBytes);
      const consumer = reader.text(nameBytes);
      const positions: LogPosition[] = [];
      for (let i = 0; i < count; i++) {
        positions.push({ origin: reader.u64(), epoch: reader.u64(), sequence: reader.u64() });
      }
      return kind === 'consumerCommit'
        ? { kind, logId, consumer, generation, positions }
        : { kind, logId, consumer, positions };
    }
    case 'consumerDelete':
      return { kind, logId, consumer: reader.text(reader.u32()) };
    case 'logHide': {
      const compactedTo = reader.u64();
      const count = reader.count(chunkBytes);
      const chunks: HiddenChunk[] = [];
      for (let i = 0; i < count; i++) chunks.push({ index: reader.u64(), bits: reader.take(hiddenChunkBytes) });
      return { kind, logId, compactedTo, chunks };
    }
  }
}

function writePositions(
  bytes: Uint8Array,
  at: number,
  { consumer, positions }: { readonly consumer: string; readonly positions: readonly LogPosition[] },
  generation: number,
): void {
  const name = Buffer.from(consumer);
  writeU64(bytes, at + 4, generation);
  writeU32(bytes, at + 12, name.length);
  writeU32(bytes, at + 16, positions.length);
  bytes.set(name, at + consumerHeadBytes);
  let next = at + consumerHeadBytes + name.length;
  for (const { origin, epoch, sequence } of positions) {
    writeU64(bytes, next, origin);
    writeU64(bytes, next + 8, epoch);
    writeU64(bytes, next + 16, sequence);
    next += positionBytes;
  }
}
