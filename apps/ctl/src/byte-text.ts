/** Bytes on a command line: text where they are UTF-8, base64 or hex where they are not or where it is asked for. */
import { usageError } from './ctl-error.js';
import type { Encoding } from './settings.js';

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Bytes in words; `encoding` says how they were written: `text` becomes `base64` where the bytes are not UTF-8. */
export interface ByteText {
  readonly text: string;
  readonly encoding: Encoding;
}

/** Shows bytes. */
export function showBytes(bytes: Uint8Array, encoding: Encoding): ByteText {
  if (encoding === 'text') {
    try {
      return { text: strictDecoder.decode(bytes), encoding };
    } catch {
      return { text: toBuffer(bytes).toString('base64'), encoding: 'base64' };
    }
  }
  return { text: toBuffer(bytes).toString(encoding), encoding };
}

/** Reads bytes as written. Fails with a usage error that names `what` where they are not in that encoding. */
export function readBytes(text: string, encoding: Encoding, what: string): Uint8Array {
  if (encoding === 'text') {
    if (/\p{Cs}/u.test(text)) throw usageError(`${what} holds a lone surrogate, which is not text; use --encoding hex`);
    return encoder.encode(text);
  }
  const valid =
    encoding === 'hex'
      ? /^(?:[0-9a-f]{2})*$/i
      : /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
  if (!valid.test(text)) throw usageError(`${what} '${text}' is not ${encoding}`);
  return new Uint8Array(Buffer.from(text, encoding));
}

/**
 * Text that cannot move the cursor or colour the terminal: control characters are escaped. `maxLength` cuts with an
 * ellipsis. For people only; programs get JSON.
 */
export function printable(text: string, maxLength = Number.POSITIVE_INFINITY): string {
  const cut = text.length > maxLength ? `${text.slice(0, Math.max(0, maxLength - 1))}…` : text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return cut.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const known = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character];
    return known ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** Bytes for a table cell. */
export function cellText(bytes: Uint8Array, encoding: Encoding, maxLength = 80): string {
  // Decoding megabytes to show eighty characters would make a listing of large values slow.
  const head = bytes.subarray(0, maxLength * 4);
  const shown = head.length === bytes.length ? showBytes(bytes, encoding) : showHead(head, encoding);
  const mark = shown.encoding === encoding ? '' : `${shown.encoding}:`;
  return mark + printable(shown.text, maxLength);
}

/** As `showBytes`, of bytes that may end inside a character. */
function showHead(head: Uint8Array, encoding: Encoding): ByteText {
  if (encoding !== 'text') return showBytes(head, encoding);
  try {
    return {
      text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(head, { stream: true }),
      encoding,
    };
  } catch {
    return showBytes(head, 'base64');
  }
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
