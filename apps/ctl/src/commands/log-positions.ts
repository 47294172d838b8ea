/** Places in logs as words: `120`, or of logs that every node writes `1.1:51,2:7`: origin, epoch (the last one known), sequence. */
import type { LogPosition } from '../connection.js';
import { usageError } from '../ctl-error.js';

/** A sequence number. */
export function sequenceOf(word: string): number {
  const number = Number(word);
  if (/^\d+$/.test(word) && Number.isSafeInteger(number)) return number;
  throw usageError(`'${word}' is no number of an entry`);
}

/** A number, or the positions of one or more origins, with commas or spaces between them. */
export function placeOf(word: string): number | readonly LogPosition[] {
  if (!word.includes(':')) return sequenceOf(word);
  const words = word.split(/[\s,]+/).filter((one) => one !== '');
  return words.map((one) => {
    const [, origin, epoch, sequence] = /^(\d{1,10})(?:\.(\d{1,16}))?:(\d+)$/.exec(one) ?? [];
    if (origin === undefined || sequence === undefined) {
      throw usageError(`'${one}' is no position: <origin>:<sequence> or <origin>.<epoch>:<sequence>`);
    }
    return {
      origin: Number(origin),
      ...(epoch === undefined ? {} : { epoch: Number(epoch) }),
      sequence: sequenceOf(sequence),
    };
  });
}

/** Of a log with one origin the sequence alone. */
export function positionsText(positions: readonly LogPosition[]): string {
  if (positions.length === 0) return '-';
  return positions
    .map(({ origin = 0, epoch = 1, sequence }) => (origin === 0 ? `${sequence}` : `${origin}.${epoch}:${sequence}`))
    .join(' ');
}
