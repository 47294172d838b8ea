/** Bytes of a store that no program of ours wrote: each reader refuses in its own way, whatever they are. */
import { InvariantError } from '@shanghai/env';
import { expect, test } from 'vitest';
import { Catalogue } from './catalogue.js';
import { parseCatalogueCommand } from './catalogue-command.js';
import { readLogRecord } from './log-record-codec.js';
import { decodeResult } from './result-codec.js';
import { decodeStoredValue } from './stored-value.js';

const result = (json: string) => Buffer.concat([Buffer.from([1, 2, 0, 0]), Buffer.from(json)]);

test.each(['', '[', '{}', '5', '["CONFLICT"]', '["CONFLICT","no",null]', '["NONE","no",{}]', '["CONFLICT",5,{}]'])(
  'a remembered failure of %j is no result',
  (json) => {
    expect(() => decodeResult(result(json))).toThrow(RangeError);
  },
);

test('a remembered failure that is no UTF-8 is no result', () => {
  expect(() => decodeResult(Buffer.from([1, 2, 0, 0, 0xff]))).toThrow(RangeError);
});

test("a header's name that is no UTF-8 is no record", () => {
  const bytes = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0xff]);
  expect(() => readLogRecord(bytes)).toThrow(RangeError);
});

test('a revision of 2^53 is no stored value', () => {
  expect(() => decodeStoredValue(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0x20))).toThrow(RangeError);
  expect(decodeStoredValue(Uint8Array.of(1, 0, 0, 0, 0, 0xff, 0xff, 0x1f)).revision).toBe(2 ** 53 - 2 ** 32);
});

test.each(['', 'null', '5', '{'])('a record of the catalogue is not %j', (json) => {
  const record = { key: Buffer.from('Cn'), value: Buffer.from(json) };
  expect(() => new Catalogue().load([record])).toThrow(InvariantError);
});

test.each(['{"type":"constructor"}', '{"type":"__proto__"}', '{', '\u0000'])(
  'no change of the catalogue is %j',
  (json) => {
    expect(() => parseCatalogueCommand(Buffer.from(json))).toThrow(RangeError);
  },
);
