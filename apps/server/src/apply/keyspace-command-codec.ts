/**
 * The bodies of commands for keyspaces as bytes. docs/formats/state-machine.md draws them.
 *
 *   settle:  keyspace id (4), stable (8), keys
 *   rows:    keyspace id (4), the page to the end
 *   clean:   keyspace id (4), giving: origin (4), epoch, number (8 each), last (4), keys
 *   purge:   keyspace id (4), keys
 *   keys:    count (4), then each: length (4), key
 */
import { hlcBytes } from '@shanghai/replication';
import { writeU32, writeU64 } from './byte-fields.js';
import type { FieldReader } from './field-reader.js';
import { readHlc, writeHlc } from './hlc-field.js';
import type { KeyspaceCommand } from './keyspace-command.js';

const settleHeadBytes = 12;
const rowsHeadBytes = 4;
const cleanHeadBytes = 28;
const purgeHeadBytes = 4;

/** Bytes of the body. */
export function keyspaceBodyLength(body: KeyspaceCommand): number {
  switch (body.kind) {
    case 'keyspaceSettle':
      return settleHeadBytes + keysLength(body.keys);
    case 'keyspaceRows':
      return rowsHeadBytes + body.page.length;
    case 'keyspaceClean':
      return cleanHeadBytes + keysLength(body.keys);
    case 'keyspacePurge':
      return purgeHeadBytes + keysLength(body.keys);
  }
}

/** Writes the body. */
export function writeKeyspaceBody(bytes: Uint8Array, start: number, body: KeyspaceCommand): void {
  writeU32(bytes, start, body.keyspaceId);
  switch (body.kind) {
    case 'keyspaceSettle':
      writeHlc(bytes, start + 4, body.stable);
      writeKeys(bytes, start + settleHeadBytes, body.keys);
      return;
    case 'keyspaceRows':
      bytes.set(body.page, start + rowsHeadBytes);
      return;
    case 'keyspaceClean':
      writeU32(bytes, start + 4, body.giving.origin);
      writeU64(bytes, start + 8, body.giving.epoch);
      writeU64(bytes, start + 16, body.giving.number);
      writeU32(bytes, start + 24, body.isLast ? 1 : 0);
      writeKeys(bytes, start + cleanHeadBytes, body.keys);
      return;
    case 'keyspacePurge':
      writeKeys(bytes, start + purgeHeadBytes, body.keys);
      return;
  }
}

/** Reads a body; keys and pages are views. Throws `RangeError`. */
export function readKeyspaceBody(reader: FieldReader, kind: KeyspaceCommand['kind']): KeyspaceCommand {
  const keyspaceId = reader.u32();
  switch (kind) {
    case 'keyspaceSettle':
      return { kind, keyspaceId, stable: readHlc(reader.take(hlcBytes), 0), keys: readKeys(reader) };
    case 'keyspaceRows':
      return { kind, keyspaceId, page: reader.take(reader.left) };
    case 'keyspaceClean': {
      const giving = { origin: reader.u32(), epoch: reader.u64(), number: reader.u64() };
      return { kind, keyspaceId, giving, isLast: reader.u32() === 1, keys: readKeys(reader) };
    }
    case 'keyspacePurge':
      return { kind, keyspaceId, keys: readKeys(reader) };
  }
}

function keysLength(keys: readonly Uint8Array[]): number {
  return keys.reduce((sum, key) => sum + 4 + key.length, 4);
}

function writeKeys(bytes: Uint8Array, start: number, keys: readonly Uint8Array[]): void {
  writeU32(bytes, start, keys.length);
  let at = start + 4;
  for (const key of keys) {
    writeU32(bytes, at, key.length);
    bytes.set(key, at + 4);
    at += 4 + key.length;
  }
}

function readKeys(reader: FieldReader): Uint8Array[] {
  return Array.from({ length: reader.count(4) }, () => reader.take(reader.u32()));
}
