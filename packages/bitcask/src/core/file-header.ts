import { crc32 } from '@shanghai/env';
import { checkPreamble, type Decoded, type FileKind } from './preamble.js';

/**
 * The header of hints and key directory files: 64 bytes, a preamble first, a checksum over the rest last. Whose fields
 * lie between is the kind's own matter.
 */

/** Bytes of such a header. */
export const fileHeaderBytes = 64;

const crcAt = fileHeaderBytes - 4;

/** Completes a header whose preamble and fields are written. */
export function sealFileHeader(bytes: Uint8Array, view: DataView): void {
  view.setUint32(crcAt, crc32(bytes, 0, 0, crcAt), true);
}

/** A checked header, to read its fields from; says why where it is none. Damage comes before a format of the future. */
export function openFileHeader(bytes: Uint8Array, kind: FileKind): Decoded<DataView> {
  if (bytes.length < fileHeaderBytes) return { kind: 'damaged', what: `it has only ${bytes.length} bytes` };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const preamble = checkPreamble(view, kind);
  if (preamble.kind === 'damaged') return preamble;
  if (crc32(bytes, 0, 0, crcAt) !== view.getUint32(crcAt, true))
    return { kind: 'damaged', what: 'the header checksum does not hold' };
  return preamble.kind === 'unsupported' ? preamble : { kind: 'ok', value: view };
}
