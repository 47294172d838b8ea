import fc from 'fast-check';
import { expect, test } from 'vitest';
import { elementsOfJsonArray } from './json-array-splitter.js';

async function split(bytes: Uint8Array, cuts: readonly number[] = []): Promise<string[]> {
  const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  async function* chunks() {
    for (let index = 1; index < edges.length; index += 1) yield bytes.slice(edges[index - 1], edges[index]);
  }
  const texts: string[] = [];
  for await (const { text } of elementsOfJsonArray(chunks())) texts.push(text);
  return texts;
}

const encode = (text: string) => new TextEncoder().encode(text);

test('any array of any JSON comes out element by element, wherever its bytes are cut and however it is indented', async () => {
  const seed = 20_261_121;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.jsonValue()),
      fc.array(fc.nat(5000), { maxLength: 20 }),
      fc.integer({ min: 0, max: 3 }),
      async (values, cuts, indent) => {
        const texts = await split(encode(JSON.stringify(values, undefined, indent)), cuts);
        expect(texts.map((text) => JSON.parse(text))).toEqual(JSON.parse(JSON.stringify(values)));
      },
    ),
    { seed, numRuns: 300 },
  );
});

test('any bytes are either an array or refused with a place, never a hang or another failure', async () => {
  const seed = 20_261_122;
  const pieces = fc.constantFrom('[', ']', '{', '}', '"', '\\', ',', ' ', '1', 'é', '\u0000');
  await fc.assert(
    fc.asyncProperty(fc.array(pieces), fc.array(fc.nat(100), { maxLength: 5 }), async (parts, cuts) => {
      await split(encode(parts.join('')), cuts).catch((error: { code?: string; message: string }) => {
        expect(error.code).toBe('INVALID_REQUEST');
        expect(error.message).toMatch(/byte|element/);
      });
    }),
    { seed, numRuns: 500 },
  );
});

test.each([
  ['', 'there is no array in it'],
  ['  ', 'there is no array in it'],
  ['{"a":1}', "expected '[' of a JSON array"],
  ['[1,2', 'the array is not closed (after 1 elements)'],
  ['[1]x', 'at byte 3: expected nothing behind the array'],
  ['[1,,2]', 'element 1 is empty'],
  ['[1,]', 'element 1 is empty'],
])('%j is refused', async (text, message) => {
  await expect(split(encode(text))).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    message: expect.stringContaining(message),
  });
});

test('bytes that are not UTF-8 are refused with the element', async () => {
  await expect(split(new Uint8Array([0x5b, 0x22, 0xff, 0x22, 0x5d]))).rejects.toThrow(
    'element 0, before byte 4, is not UTF-8',
  );
});

test('a byte order mark, blanks around, and an empty array are taken', async () => {
  expect(await split(encode('\ufeff [ 1 , "a,]" ] \n'))).toEqual(['1', '"a,]"']);
  expect(await split(encode(' [ ] '))).toEqual([]);
});
