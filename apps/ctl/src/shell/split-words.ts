import { MisuseError } from '../ctl-error.js';

/**
 * The words of a line as a shell would cut them: blanks separate, `'…'` is literal, `"…"` knows the escapes
 * `\n \r \t \0 \\ \" \' \xHH \u{…}`, a backslash outside quotes takes the next character as it is. Words are bytes,
 * because `\xHH` names one. Fails with a usage error where a quote is not closed or an escape is none.
 */
export function splitWords(line: string): Uint8Array[] {
  const words: Uint8Array[] = [];
  let word: Buffer[] | undefined;
  let at = 0;
  while (at < line.length) {
    const character = line[at] ?? '';
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(Buffer.concat(word));
      word = undefined;
      at += 1;
      continue;
    }
    word ??= [];
    if (character === "'") {
      const end = line.indexOf("'", at + 1);
      if (end === -1) throw new MisuseError("a ' is not closed");
      word.push(Buffer.from(line.slice(at + 1, end)));
      at = end + 1;
    } else if (character === '"') {
      at = readQuoted(line, at + 1, word);
    } else if (character === '\\' && at + 1 < line.length) {
      const [taken] = line.slice(at + 1);
      word.push(Buffer.from(taken ?? ''));
      at += 1 + (taken?.length ?? 0);
    } else {
      const plain = /^[^\s'"\\]+/.exec(line.slice(at))?.[0] ?? character;
      word.push(Buffer.from(plain));
      at += plain.length;
    }
  }
  if (word !== undefined) words.push(Buffer.concat(word));
  return words.map((bytes) => new Uint8Array(bytes));
}

const simpleEscapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

/** Reads up to the closing quote; returns the position behind it. */
function readQuoted(line: string, start: number, word: Buffer[]): number {
  let at = start;
  while (line[at] !== '"') {
    if (at >= line.length) throw new MisuseError('a " is not closed');
    if (line[at] !== '\\') {
      const plain = /^[^"\\]+/.exec(line.slice(at))?.[0] ?? '';
      word.push(Buffer.from(plain));
      at += plain.length;
      continue;
    }
    const rest = line.slice(at + 1);
    const byte = /^x([0-9a-fA-F]{2})/.exec(rest);
    const point = /^u\{([0-9a-fA-F]{1,6})\}/.exec(rest);
    const simple = simpleEscapes[rest[0] ?? ''];
    if (byte !== null) word.push(Buffer.from([Number.parseInt(byte[1] ?? '0', 16)]));
    else if (point !== null && isCharacter(Number.parseInt(point[1] ?? '0', 16))) {
      word.push(Buffer.from(String.fromCodePoint(Number.parseInt(point[1] ?? '0', 16))));
    } else if (simple !== undefined) word.push(Buffer.from(simple));
    else
      throw new MisuseError(`'\\${rest.slice(0, 1)}' is not an escape; \\n \\r \\t \\0 \\\\ \\" \\' \\xHH \\u{…} are`);
    at += 1 + (byte?.[0].length ?? point?.[0].length ?? 1);
  }
  return at + 1;
}

function isCharacter(point: number): boolean {
  return point <= 0x10_ffff && !(point >= 0xd800 && point <= 0xdfff);
}

/** A word that `splitWords` reads back as these bytes. */
export function quoteWord(bytes: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return `"${[...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`;
  }
  if (/^[^\s'"\\\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u.test(text) && !text.startsWith('#')) return text;
  const escaped = text.replace(/["\\]|[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === '"' || character === '\\') return `\\${character}`;
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
  return `"${escaped}"`;
}
