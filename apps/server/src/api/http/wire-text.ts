/**
 * Bytes in JSON and in URLs. Keys and values are bytes; JSON has only text. What is valid UTF-8 travels as text, what is
 * not as base64 with a field that says so. Text that is not Unicode (a lone surrogate, a broken percent sequence) is
 * refused: replacing it would store something nobody sent.
 */
import { isUtf8 } from 'node:buffer';
import { ServerError } from '../../requests/server-error.js';

/** How a text stands for bytes. Absent: UTF-8. */
export type WireEncoding = 'base64' | 'utf8';

/** Bytes as JSON shows them. */
export interface WireText {
  readonly text: string;
  /** Only where the text is not the bytes' UTF-8. */
  readonly encoding?: 'base64';
}

/** Shows bytes. */
export function textOf(bytes: Uint8Array): WireText {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUtf8(buffer) ? { text: buffer.toString('utf8') } : { text: buffer.toString('base64'), encoding: 'base64' };
}

/** Bytes of a text, or `INVALID_REQUEST`. `what` names it in the message. Base64 may be of either alphabet, padded or not. */
export function bytesOf(text: string, encoding: WireEncoding | undefined, what: string): Buffer {
  if (encoding === 'base64') return base64Bytes(text, what);
  if (/\p{Surrogate}/u.test(text)) {
    throw new ServerError('INVALID_REQUEST', `${what} holds a lone surrogate, so it is no text; send it as base64`);
  }
  return Buffer.from(text, 'utf8');
}

function base64Bytes(text: string, what: string): Buffer {
  const digits = text.replace(/={0,2}$/, '');
  if (!/^[A-Za-z0-9+/_-]*$/.test(digits) || digits.length % 4 === 1) {
    throw new ServerError('INVALID_REQUEST', `${what} is not base64`);
  }
  return Buffer.from(digits, 'base64');
}

/** Decodes one percent-encoded part of a query, `+` meaning a blank; `INVALID_REQUEST` where it is not UTF-8. */
export function decodeComponent(text: string, what: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new ServerError('INVALID_REQUEST', `${what} is not percent-encoded UTF-8; send other bytes as base64`);
  }
}
