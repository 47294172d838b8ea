import { CtlError } from '../ctl-error.js';
import { maxElementBytes } from './json-array-splitter.js';

/** One line without its end (`\n` or `\r\n`). */
export interface TextLine {
  readonly text: string;
  /** From 1. */
  readonly number: number;
  /** Offset behind it in the input. */
  readonly endOffset: number;
}

/** The lines of UTF-8 that arrives in chunks. Fails with `INVALID_REQUEST` where it is not UTF-8 or a line has no end. */
export async function* textLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<TextLine> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let offset = 0;
  let number = 0;
  const line = (tail: Uint8Array, endOffset: number): TextLine => {
    const bytes = held.length === 0 ? tail : Buffer.concat([...held, tail]);
    held = [];
    heldBytes = 0;
    number += 1;
    return { text: decode(bytes, number), number, endOffset };
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      yield line(chunk.subarray(start, end), offset + end + 1);
      start = end + 1;
    }
    if (start < chunk.length) {
      held.push(chunk.slice(start));
      heldBytes += chunk.length - start;
    }
    if (heldBytes > maxElementBytes) {
      throw new CtlError('INVALID_REQUEST', `line ${number + 1} is longer than ${maxElementBytes} bytes`);
    }
    offset += chunk.length;
  }
  if (heldBytes > 0) yield line(new Uint8Array(0), offset);
}

function decode(bytes: Uint8Array, number: number): string {
  try {
    // The first line may begin with a byte order mark, which the decoder drops; elsewhere it is a character.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: number > 1 }).decode(bytes);
    return text.endsWith('\r') ? text.slice(0, -1) : text;
  } catch {
    throw new CtlError('INVALID_REQUEST', `line ${number} is not UTF-8`);
  }
}
