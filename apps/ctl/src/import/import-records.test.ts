import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvRows } from './csv-rows.js';
import { guessForm, importRecords, isRejected, type RecordShape } from './import-records.js';
import { parseKeyTemplate } from './key-template.js';

async function* chunksOf(text: string, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function pairs(text: string, shape: RecordShape, skip = 0): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const record of importRecords(chunksOf(text), shape, skip)) {
    if (isRejected(record)) found.push(record.error.message);
    else found.push([record.number, Buffer.from(record.key).toString(), Buffer.from(record.value).toString()]);
  }
  return found;
}

test('a record becomes a key by template and a value as it stands in the input', async () => {
  const shape = { form: 'json', key: parseKeyTemplate('{country}:{name}') } as const;
  expect(await pairs('[{"country":"AD", "name":"Vila"},\n {"country":"DE","name":"Köln"}]', shape)).toEqual([
    [0, 'AD:Vila', '{"country":"AD", "name":"Vila"}'],
    [1, 'DE:Köln', '{"country":"DE","name":"Köln"}'],
  ]);
});

test('a value may be a field, text as it is and everything else as JSON', async () => {
  const shape = { form: 'jsonl', key: parseKeyTemplate('{id}'), valueField: 'v' } as const;
  const input = '{"id":1,"v":"text"}\n{"id":2,"v":{"a":[1]}}\r\n\n{"id":3,"v":4}\n{"id":4,"v":null}\n{"id":5}\n';
  expect(await pairs(input, shape)).toEqual([
    [0, '1', 'text'],
    [1, '2', '{"a":[1]}'],
    [2, '3', '4'],
    [3, '4', 'null'],
    "record 4 has no field 'v'",
  ]);
});

test('a bad record is rejected by its number and the next is read', async () => {
  const shape = { form: 'jsonl', key: parseKeyTemplate('{id}') } as const;
  const input = '{"id":1}\n{"id":\n{"name":"x"}\n{"id":{"a":1}}\n{"id":""}\n{"id":"\\ud800"}\n{"id":2}';
  const found = await pairs(input, shape);
  expect(found[0]).toEqual([0, '1', '{"id":1}']);
  expect(found[1]).toMatch(/^record 1 is not JSON/);
  expect(found.slice(2, 5)).toEqual([
    "record 2 has no field 'id'",
    "record 3 has no plain value in field 'id'",
    'record 4 has an empty key',
  ]);
  expect(found[5]).toMatch(/the key of record 5 holds a lone surrogate/);
  expect(found[6]).toEqual([6, '2', '{"id":2}']);
});

test('without a key template records are what export writes, with their encodings', async () => {
  const input = [
    '{"key":"a","value":"1","revision":7}',
    '{"key":"00ff","keyEncoding":"hex","value":"AP8=","valueEncoding":"base64"}',
    '{"key":"a"}',
    '{"key":"a","value":"%","valueEncoding":"base64"}',
    '{"key":"a","value":"","valueEncoding":"rot13"}',
    '{"key":"a","value":"","expiresAtMs":"soon"}',
  ];
  const found = await pairs(input.join('\n'), { form: 'jsonl' });
  expect(found[0]).toEqual([0, 'a', '1']);
  expect(found[1]).toEqual([1, Buffer.from('00ff', 'hex').toString(), Buffer.from('AP8=', 'base64').toString()]);
  expect(found[2]).toMatch(/has no text fields 'key' and 'value'/);
  expect(found[3]).toMatch(/is not base64/);
  expect(found[4]).toMatch(/valueEncoding 'rot13'/);
  expect(found[5]).toMatch(/expiresAtMs 'soon'/);
});

test('skipped records keep their numbers', async () => {
  const shape = { form: 'jsonl', key: parseKeyTemplate('{#}') } as const;
  expect(await pairs('1\n2\n3\n', shape, 2)).toEqual([[2, '2', '3']]);
});

test.each([
  ['{a}', { a: 'x' }, 'x'],
  ['{a.b}', { a: { b: 5 } }, '5'],
  ['{a.b}', { 'a.b': true }, 'true'],
  ['p:{#}', {}, 'p:9'],
  ['{{{a}}}', { a: 'x' }, '{x}'],
])('template %s of %j makes %s', (template, record, key) => {
  expect(parseKeyTemplate(template)(record, 9)).toBe(key);
});

test.each(['plain', '{', 'a}', '{}', '{a', '{a{b}}', '{{a}}'])('template %s is refused', (template) => {
  expect(() => parseKeyTemplate(template)).toThrow(/key template/);
});

test('a template does not reach what an object inherits', () => {
  expect(() => parseKeyTemplate('{constructor.name}')({}, 0)).toThrow("record 0 has no field 'constructor.name'");
});

test('any rows written as CSV are read back', async () => {
  const seed = 20_261_123;
  const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', ' ', 'é', ';') });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(field, field), { minLength: 1 }), async (rows) => {
      const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
      const text = ['x,y', ...rows.map((row) => row.map(quote).join(','))].join('\n');
      const found: unknown[] = [];
      for await (const { record } of csvRows(chunksOf(text, 3))) found.push([record['x'], record['y']]);
      expect(found).toEqual(rows);
    }),
    { seed, numRuns: 300 },
  );
});

test.each([
  ['a,b\n1\n', 'on line 2'],
  ['a,b\n"1"x,2\n', 'Invalid Closing Quote: got "x" at line 2'],
  ['a,b\n"1,2\n', 'Quote Not Closed'],
])('CSV %j is refused', async (text, message) => {
  await expect(pairs(text, { form: 'csv', key: parseKeyTemplate('{a}') })).rejects.toThrow(message);
});

test('CSV records are JSON objects under the names of the header', async () => {
  const shape = { form: 'csv', key: parseKeyTemplate('{id}') } as const;
  expect(await pairs('\ufeffid,name\r\n1,"Smith, J"\r\n\r\n2,\r\n', shape)).toEqual([
    [0, '1', '{"id":"1","name":"Smith, J"}'],
    [1, '2', '{"id":"2","name":""}'],
  ]);
});

test.each([
  ['a.csv', '[', 'csv'],
  ['a.jsonl', '[', 'jsonl'],
  ['a.ndjson', '', 'jsonl'],
  ['a.json', ' [', 'json'],
  ['a.json', '{"a"', 'jsonl'],
  ['-', '[', 'json'],
  ['-', '', 'jsonl'],
])('the form of %s that begins with %j is %s', (name, first, form) => {
  expect(guessForm(name, new TextEncoder().encode(first))).toBe(form);
});

test('a form that cannot be guessed must be said', () => {
  expect(() => guessForm('-', new TextEncoder().encode('id,name'))).toThrow('say --format');
});
