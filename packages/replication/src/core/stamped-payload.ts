/** A payload that begins with its stamp, for stores that keep nothing else of an entry: 8 bytes as `Hlc` says, then the data. */
import { type Hlc, hlcBytes } from './hlc.js';

/** The payload of an entry. */
export function stampedPayload({ ms, counter }: Hlc, data: Uint8Array): Uint8Array {
  const payload = new Uint8Array(hlcBytes + data.length);
  const view = new DataView(payload.buffer);
  view.setUint32(0, Math.floor(ms / 0x1_0000));
  view.setUint16(4, ms % 0x1_0000);
  view.setUint16(6, counter);
  payload.set(data, hlcBytes);
  return payload;
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
