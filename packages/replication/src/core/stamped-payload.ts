/** A payload that begins with its stamp, for stores that keep nothing else of an entry: 8 bytes as `Hlc` says, then the data. */
import { type Hlc, hlcBytes, nextHlc } from './hlc.js';
import { entryHeaderBytes } from './run.js';

/** The payload of an entry. */
export function stampedPayload(hlc: Hlc, data: Uint8Array): Uint8Array {
  const payload = new Uint8Array(hlcBytes + data.length);
  writeStamp(new DataView(payload.buffer), 0, hlc);
  payload.set(data, hlcBytes);
  return payload;
}

/** The bytes of a run of entries with these data, each stamped right behind the one before it, and the last one's stamp. */
export function packStamped(
  first: Hlc,
  data: readonly Uint8Array[],
): { readonly bytes: Uint8Array; readonly lastHlc: Hlc } {
  const overheadBytes = entryHeaderBytes + hlcBytes;
  let length = 0;
  for (const { length: dataBytes } of data) length += overheadBytes + dataBytes;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let hlc = first;
  let at = 0;
  for (let i = 0; i < data.length; i++) {
    const item = data[i] as Uint8Array;
    if (i > 0) hlc = nextHlc(hlc);
    view.setUint32(at, hlcBytes + item.length, true);
    writeStamp(view, at + entryHeaderBytes, hlc);
    bytes.set(item, at + overheadBytes);
    at += overheadBytes + item.length;
  }
  return { bytes, lastHlc: hlc };
}

function writeStamp(view: DataView, at: number, { ms, counter }: Hlc): void {
  view.setUint32(at, Math.floor(ms / 0x1_0000));
  view.setUint16(at + 4, ms % 0x1_0000);
  view.setUint16(at + 6, counter);
}

/** Its stamp; `undefined` where it is too short to have one. */
export function stampOfPayload(payload: Uint8Array): Hlc | undefined {
  if (payload.length < hlcBytes) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, hlcBytes);
  return { ms: view.getUint32(0) * 0x1_0000 + view.getUint16(4), counter: view.getUint16(6) };
}

/** Its data, a view. */
export function dataOfPayload(payload: Uint8Array): Uint8Array {
  return payload.subarray(hlcBytes);
}
