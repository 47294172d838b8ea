import { isUtf8 } from 'node:buffer';
import type { ZodType } from 'zod';
import { ServerError } from '../../requests/server-error.js';

/** Below this a body cannot hold so many parts that it matters. */
const smallBytes = 65_536;
/** Commas and opening brackets for each operation of a batch; one has seven or eight. */
const partsPerOperation = 16;

/**
 * Parses a JSON body; an empty one is `{}`. `INVALID_REQUEST` where it is not UTF-8, not JSON, or has more parts than a
 * batch of `maxOperations` could: three bytes of JSON can be an object of sixty, and a few megabytes of them would fill
 * the memory of the process.
 */
export function parseJsonBody(bytes: Buffer, maxOperations: number): unknown {
  if (bytes.length === 0) return {};
  if (bytes.length > smallBytes && hasMoreParts(bytes, 1_000 + partsPerOperation * maxOperations)) {
    throw new ServerError('INVALID_REQUEST', `the body has more parts than ${maxOperations} operations could have`);
  }
  if (!isUtf8(bytes)) throw new ServerError('INVALID_REQUEST', 'the body is not valid UTF-8');
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new ServerError('INVALID_REQUEST', `the body is not JSON: ${(error as Error).message}`);
  }
}

/** Checks a body against its schema. `INVALID_REQUEST` names each field that is wrong and what is wrong with it. */
export function checkedBody<Body>(schema: ZodType<Body>, body: unknown): Body {
  const checked = schema.safeParse(body);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.slice(0, 10).map(({ path, message }) => {
    const field = path.map(String).join('.');
    return { field, problem: message };
  });
  const first = problems[0];
  const where = first === undefined || first.field === '' ? 'the body' : `field '${first.field}'`;
  throw new ServerError('INVALID_REQUEST', `${where}: ${first?.problem ?? 'is not as expected'}`, {
    details: { problems },
  });
}

const [quote, backslash, comma, bracket, brace] = [0x22, 0x5c, 0x2c, 0x5b, 0x7b];

/** Whether there are more commas and opening brackets outside of texts. Texts, which may be long, are stepped over. */
function hasMoreParts(bytes: Buffer, limit: number): boolean {
  let parts = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === comma || byte === bracket || byte === brace) {
      if (++parts > limit) return true;
    } else if (byte === quote) at = endOfText(bytes, at + 1);
  }
  return false;
}

/** Where the quote stands that ends a text, or the end where none does. */
function endOfText(bytes: Buffer, start: number): number {
  for (let at = bytes.indexOf(quote, start); at !== -1; at = bytes.indexOf(quote, at + 1)) {
    let escapes = at - 1;
    while (escapes >= start && bytes[escapes] === backslash) escapes--;
    if ((at - 1 - escapes) % 2 === 0) return at;
  }
  return bytes.length;
}
