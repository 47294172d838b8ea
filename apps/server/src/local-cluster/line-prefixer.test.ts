import { expect, test } from 'vitest';
import { linePrefixer } from './line-prefixer.js';

async function prefixed(...chunks: readonly Buffer[]): Promise<string> {
  const stream = linePrefixer('a | ');
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  const out: Buffer[] = [];
  for await (const chunk of stream) out.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(out).toString();
}

test('every line gets the prefix, however it was cut', async () => {
  const bytes = Buffer.from('one\ntwo é\n\nlast');
  const expected = 'a | one\na | two é\na | \na | last\n';
  expect(await prefixed(bytes)).toBe(expected);
  expect(await prefixed(...[...bytes].map((byte) => Buffer.of(byte)))).toBe(expected);
});

test('a line without an end does not grow without bound', async () => {
  const text = await prefixed(...Array.from({ length: 5 }, () => Buffer.alloc(40_000, 'x')));
  expect(text.split('\n').length).toBeGreaterThan(2);
  expect(text.replaceAll(/a \| |\n/g, '')).toHaveLength(200_000);
});
