/**
 * Cuts a JSON array into the texts of its elements as its bytes arrive, so that an array larger than memory can be
 * imported. It follows strings, escapes and nesting only; whether an element is valid JSON is for `JSON.parse` to say.
 * UTF-8 needs no care: every byte that matters is ASCII and never part of a longer character.
 */
import { CtlError } from '../ctl-error.js';

/** An element longer than this is refused: the value limit of a server is far below it. */
export const maxElementBytes = 64 * 1024 * 1024;

/** One element of the array. */
export interface ArrayElement {
  readonly text: string;
  /** Offset behind it in the file. */
  readonly endOffset: number;
}

const quote = 0x22;
const comma = 0x2c;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Feed it chunks in order, then call `end`. */
export class JsonArraySplitter {
  #place: 'before' | 'inside' | 'behind' = 'before';
  #depth = 0;
  #inString = false;
  #escaped = false;
  #offset = 0;
  #count = 0;
  /** Bytes of the element that earlier chunks brought. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });

  /** The elements that this chunk completes. The chunk must not change until the next call has returned. */
  push(chunk: Uint8Array): ArrayElement[] {
    const elements: ArrayElement[] = [];
    let start = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (this.#place !== 'inside') {
        this.#outside(byte, this.#offset + at);
        start = at + 1;
      } else if (this.#ends(byte)) {
        this.#complete(chunk.subarray(start, at), byte === closeBracket, this.#offset + at, elements);
        start = at + 1;
      }
    }
    this.#offset += chunk.length;
    if (this.#place === 'inside' && start < chunk.length) this.#hold(chunk.slice(start));
    return elements;
  }

  /** Fails where the array is not complete. */
  end(): void {
    if (this.#place === 'behind') return;
    const where =
      this.#place === 'before' ? 'there is no array in it' : `the array is not closed (after ${this.#count} elements)`;
    throw new CtlError('INVALID_REQUEST', `the input ends at byte ${this.#offset} and ${where}`);
  }

  /** Follows one byte inside the array; whether it ends the current element. */
  #ends(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === backslash) this.#escaped = true;
      else if (byte === quote) this.#inString = false;
      return false;
    }
    if (byte === quote) this.#inString = true;
    else if (byte === openBrace || byte === openBracket) this.#depth += 1;
    else if (byte === closeBrace || byte === closeBracket) {
      if (byte === closeBracket && this.#depth === 0) return true;
      this.#depth -= 1;
    }
    return byte === comma && this.#depth === 0;
  }

  #outside(byte: number, offset: number): void {
    const blank = byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
    // The three bytes of a byte order mark may come first.
    if (blank || (offset < 3 && (byte === 0xef || byte === 0xbb || byte === 0xbf))) return;
    if (this.#place === 'before' && byte === openBracket) {
      this.#place = 'inside';
      return;
    }
    const expected = this.#place === 'before' ? "'[' of a JSON array" : 'nothing behind the array';
    throw new CtlError('INVALID_REQUEST', `at byte ${offset}: expected ${expected}, found byte 0x${byte.toString(16)}`);
  }

  #complete(tail: Uint8Array, last: boolean, offset: number, elements: ArrayElement[]): void {
    this.#hold(tail);
    const bytes = this.#held.length === 1 ? tail : Buffer.concat(this.#held, this.#heldBytes);
    const text = this.#decode(bytes, offset).trim();
    this.#held = [];
    this.#heldBytes = 0;
    if (last) this.#place = 'behind';
    if (text === '' && last && this.#count === 0) return;
    if (text === '') throw new CtlError('INVALID_REQUEST', `at byte ${offset}: element ${this.#count} is empty`);
    this.#count += 1;
    elements.push({ text, endOffset: offset });
  }

  #decode(bytes: Uint8Array, offset: number): string {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      throw new CtlError('INVALID_REQUEST', `element ${this.#count}, before byte ${offset}, is not UTF-8`);
    }
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > maxElementBytes) {
      throw new CtlError('INVALID_REQUEST', `element ${this.#count} is longer than ${maxElementBytes} bytes`);
    }
  }
}

/** The elements of a JSON array that arrives in chunks. */
export async function* elementsOfJsonArray(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ArrayElement> {
  const splitter = new JsonArraySplitter();
  for await (const chunk of chunks) yield* splitter.push(chunk);
  splitter.end();
}
