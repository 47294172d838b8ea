/**
 * What makes a portable file whole (docs/formats/export.md): its first line says that it is sealed, lines between the
 * records say how many there were and their checksum, and the last line says that it is the last. A reader holds records
 * back until the seal behind them was checked, so nothing of a damaged part is ever used.
 */
import { crc32 } from '@shanghai/env';
import { CtlError } from '../ctl-error.js';
import { maxElementBytes } from './json-array-splitter.js';
import type { TextLine } from './text-lines.js';

/** The first line of a sealed file. */
export const headLine = '{"shanghaiExport":1}';

const headPattern = /^\{"shanghaiExport":(\d+)\}$/;
const sealPattern = /^\{"(sealed|end)":\{"records":(\d{1,15}),"crc32":"([0-9a-f]{8})"\}\}$/;

/** Counts and sums lines, for who writes and for who reads. */
export class LineSeal {
  #records = 0;
  #crc = 0;

  /** A record's line, without its end. */
  add(text: string): void {
    this.#records++;
    this.#crc = crc32(Buffer.from(`${text}\n`), this.#crc);
  }

  /** What is to be written, or found, behind the records so far. */
  line(kind: 'sealed' | 'end'): string {
    const sum = this.#crc.toString(16).padStart(8, '0');
    return `{"${kind}":{"records":${this.#records},"crc32":"${sum}"}}`;
  }
}

/** Lines that one seal covers, in characters; more is no file of ours. */
const maxHeldCharacters = 2 * maxElementBytes;

/**
 * The lines of records: all, where the first line does not say that the file is sealed; else those that were checked.
 * Fails with `DATA_CORRUPTED` where a seal does not fit or the end is missing, with `UNSUPPORTED` where a newer version
 * wrote it.
 */
export async function* checkedLines(lines: AsyncIterable<TextLine>): AsyncGenerator<TextLine> {
  let seal: LineSeal | undefined;
  let isSealed = false;
  let isFirst = true;
  let held: TextLine[] = [];
  let heldCharacters = 0;
  for await (const line of lines) {
    if (seal === undefined) {
      // Behind the end of one sealed file there may be another: they were put together.
      if ((isFirst || isSealed) && isHead(line)) {
        isSealed = true;
        seal = new LineSeal();
      } else if (!isSealed) yield line;
      else if (line.text.trim() !== '') throw damaged(line.number, 'it stands behind the end');
      isFirst = false;
      continue;
    }
    const [, kind] = sealPattern.exec(line.text) ?? [];
    if (kind === undefined) {
      seal.add(line.text);
      held.push(line);
      heldCharacters += line.text.length;
      if (heldCharacters > maxHeldCharacters) throw damaged(line.number, 'no seal came for too long');
      continue;
    }
    if (line.text !== seal.line(kind as 'sealed' | 'end')) {
      throw damaged(line.number, 'the records before it are not those that were exported');
    }
    yield* held;
    held = [];
    heldCharacters = 0;
    if (kind === 'end') seal = undefined;
  }
  if (seal !== undefined) {
    throw new CtlError(
      'DATA_CORRUPTED',
      'the export has no end: it was cut. Everything up to its last seal was read; export it again, or copy it again',
    );
  }
}

function isHead({ text }: TextLine): boolean {
  const version = headPattern.exec(text)?.[1];
  if (version === undefined || version === '1') return version !== undefined;
  throw new CtlError('UNSUPPORTED', `the export has version ${version}, which this version cannot read; upgrade`);
}

function damaged(number: number, what: string): CtlError {
  return new CtlError(
    'DATA_CORRUPTED',
    `line ${number} of the export does not fit: ${what}. The file is damaged or was changed; export it again, or copy ` +
      `it again. To take it as it is, remove the lines that begin with {"shanghaiExport", {"sealed" and {"end"`,
  );
}
