import { expect, test } from 'vitest';
import { checkedLines, headLine, LineSeal } from './sealed-lines.js';
import { textLines } from './text-lines.js';

/** A sealed file of records, with a seal behind every `each`. */
function sealed(records: readonly string[], each = 2): string {
  const seal = new LineSeal();
  const lines = [headLine];
  for (const [at, record] of records.entries()) {
    seal.add(record);
    lines.push(record);
    if ((at + 1) % each === 0) lines.push(seal.line('sealed'));
  }
  return `${[...lines, seal.line('end')].join('\n')}\n`;
}

/** What comes before the end or the failure. */
async function read(text: string | Uint8Array): Promise<{ records: string[]; failure?: string }> {
  async function* chunks() {
    yield typeof text === 'string' ? Buffer.from(text) : text;
  }
  const records: string[] = [];
  try {
    for await (const line of checkedLines(textLines(chunks()))) records.push(line.text);
    return { records };
  } catch (error) {
    return { records, failure: (error as { code: string }).code };
  }
}

const records = ['{"key":"a","value":"1"}', '{"key":"ä","value":""}', '{"key":"b","value":"2"}'];

test('a sealed file gives its records, also with the line ends of another system, and put behind another', async () => {
  expect(await read(sealed(records))).toEqual({ records });
  expect(await read(sealed(records).replaceAll('\n', '\r\n'))).toEqual({ records });
  expect(await read(sealed(records) + sealed([]))).toEqual({ records });
  expect(await read(sealed(records) + sealed(records, 1))).toEqual({ records: [...records, ...records] });
});

test('a file without seals gives every line', async () => {
  const lines = [...records, '{"end":1}'];
  expect(await read(lines.join('\n'))).toEqual({ records: lines });
});

test('a file that is cut anywhere is refused, and gives whole sealed parts only', async () => {
  const bytes = Buffer.from(sealed(records));
  for (let cut = headLine.length + 1; cut < bytes.length - 1; cut++) {
    const { records: found, failure } = await read(bytes.subarray(0, cut));
    expect(failure, `cut at ${cut}`).toMatch(/DATA_CORRUPTED|INVALID_REQUEST/);
    expect([0, 2]).toContain(found.length);
    expect(found).toEqual(records.slice(0, found.length));
  }
});

test('no byte behind the head can be changed without a refusal, and nothing changed is given', async () => {
  const bytes = Buffer.from(sealed(records));
  for (let at = headLine.length + 1; at < bytes.length - 1; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] as number) ^ 1;
    const { records: found, failure } = await read(changed);
    expect(failure, `byte ${at}`).toMatch(/DATA_CORRUPTED|INVALID_REQUEST/);
    expect(found).toEqual(records.slice(0, found.length));
  }
});

test('parts that were exchanged, lines behind the end and newer versions are refused', async () => {
  const lines = sealed(records, 1).trimEnd().split('\n');
  const [head, a, sealA, b, sealB, ...others] = lines;
  expect((await read([head, b, sealB, a, sealA, ...others].join('\n'))).failure).toBe('DATA_CORRUPTED');
  expect(await read(`${sealed(records)}${records[0]}\n`)).toEqual({ records, failure: 'DATA_CORRUPTED' });
  expect((await read('{"shanghaiExport":2}\n')).failure).toBe('UNSUPPORTED');
});
