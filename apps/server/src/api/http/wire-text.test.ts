import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, decodeComponent, textOf } from './wire-text.js';

const seed = 20_261_121;

describe('bytes as text', () => {
  it('come back as they were, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 64 }),
          fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          const { text, encoding } = textOf(bytes);
          expect(bytesOf(text, encoding, 'x')).toEqual(Buffer.from(bytes));
          expect(encoding === undefined).toBe(Buffer.from(Buffer.from(bytes).toString()).equals(Buffer.from(bytes)));
        },
      ),
      { seed },
    );
  });

  it('keep a byte order mark', () => {
    const bytes = Buffer.from('\ufeffx');
    const { text, encoding } = textOf(bytes);
    expect([bytesOf(text, encoding, 'x'), encoding]).toEqual([bytes, undefined]);
  });

  it.each(['/w==', '/w', '_w==', '_w'])('base64 may be written %s', (text) => {
    expect(bytesOf(text, 'base64', 'x')).toEqual(Buffer.from([0xff]));
  });

  it.each(['*', 'A', 'AAAAA', 'AA=A', 'A B=', 'AA==='])('%s is no base64', (text) => {
    expect(() => bytesOf(text, 'base64', 'the value')).toThrow('the value is not base64');
  });

  it('percent-encoded text comes back, and a plus is a blank', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeComponent(encodeURIComponent(text), 'x')).toBe(text);
      }),
      { seed },
    );
    expect(decodeComponent('a+b%2Bc', 'x')).toBe('a b+c');
  });
});
