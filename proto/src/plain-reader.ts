/** Thrown at itself by a decoder of plain forms, for the generated code to read the message; made once, for it is no error. */
export const notPlain = new RangeError('the message has not the plain form');

/** The largest number that a varint of plain messages has, over 2^25: enough for 2^53. */
const maxShift = 49;

/**
 * Reads the wire format of protocol buffers as most messages have it: tags of one byte, lengths below 2^28, numbers below
 * 2^53, text in ASCII. Throws `notPlain` for all else, damage included: whoever reads falls back on the generated code.
 */
export class PlainReader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** A tag. Never reads beyond `end`. */
  tag(end: number): number {
    if (this.at >= end) throw notPlain;
    return this.bytes[this.at++] as number;
  }

  /** The end of what follows, with its length in front, within `end`. */
  end(end: number): number {
    const length = this.#u28(end);
    const stop = this.at + length;
    if (stop > end) throw notPlain;
    return stop;
  }

  /** A view. */
  take(end: number): Buffer {
    const stop = this.end(end);
    const taken = this.bytes.subarray(this.at, stop);
    this.at = stop;
    return taken;
  }

  text(end: number): string {
    const stop = this.end(end);
    if (stop === this.at) return '';
    for (let at = this.at; at < stop; at++) if ((this.bytes[at] as number) >= 0x80) throw notPlain;
    const text = this.bytes.toString('latin1', this.at, stop);
    this.at = stop;
    return text;
  }

  /** A safe integer. */
  number(end: number): number {
    let value = 0;
    let scale = 1;
    for (let shift = 0; shift <= maxShift; shift += 7) {
      const byte = this.tag(end);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw notPlain;
        return value;
      }
      scale *= 128;
    }
    throw notPlain;
  }

  #u28(end: number): number {
    let byte = this.tag(end);
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 21) throw notPlain;
      byte = this.tag(end);
      value |= (byte & 0x7f) << shift;
    }
    return value;
  }
}
