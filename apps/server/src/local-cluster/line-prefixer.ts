import { Transform } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** The longest line that is held back until it is whole; longer ones are passed on in pieces. */
const longestLine = 64 * 1024;

/** A stream that puts `prefix` in front of every line. What stands behind the last line break follows at the end. */
export function linePrefixer(prefix: string): Transform {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const lines = (text: string, isEnd: boolean): string => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    if (rest !== '' && (isEnd || rest.length > longestLine)) {
      parts.push(rest);
      rest = '';
    }
    return parts.map((line) => `${prefix}${line}\n`).join('');
  };
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => done(null, lines(decoder.write(chunk), false)),
    flush: (done) => done(null, lines(decoder.end(), true)),
  });
}
