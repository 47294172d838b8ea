import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { CtlError } from '../ctl-error.js';
import { connectMemory, createMemoryNode, type MemoryNode, mapKey } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

const directory = mkdtempSync(`${tmpdir()}/ctl-import-`);
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function fileOf(content: string | Uint8Array, extension = 'json'): string {
  files += 1;
  const path = `${directory}/${files}.${extension}`;
  writeFileSync(path, content);
  return path;
}

const people = Array.from({ length: 1000 }, (_, index) => ({ id: `p${index}`, name: `name ${index}` }));

function valuesOf(node: MemoryNode): Record<string, string> {
  return Object.fromEntries([...node.keys].map(([key, { value }]) => [key, Buffer.from(value).toString()]));
}

test('an import writes every record in batches and says how many', async () => {
  const node = createMemoryNode();
  const argv = ['kv', 'import', fileOf(JSON.stringify(people)), '--key-field', 'id', '--batch', '64', '-o', 'json'];
  const result = await runCommand(argv, { node });
  expect(result.code).toBe(0);
  expect(JSON.parse(result.stdout)).toMatchObject({ imported: 1000, rejected: 0, next: 1000 });
  expect(node.calls.filter((call) => call === 'batch')).toHaveLength(Math.ceil(1000 / 64));
  expect(valuesOf(node)['p7']).toBe('{"id":"p7","name":"name 7"}');
});

test('an import from standard input needs no file', async () => {
  const node = createMemoryNode();
  const stdin = people.map((person) => JSON.stringify(person)).join('\n');
  expect((await runCommand(['kv', 'import', '-', '--key-template', '{name}/{id}'], { node, stdin })).code).toBe(0);
  expect(node.keys.size).toBe(1000);
  expect((await runCommand(['kv', 'import', '-', '--key-field', 'id', '--verify'], { stdin })).code).toBe(2);
});

test('no more requests are in flight than --concurrency', async () => {
  const node = createMemoryNode();
  let inFlight = 0;
  let most = 0;
  node.before = async (call) => {
    if (call !== 'batch') return;
    inFlight += 1;
    most = Math.max(most, inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    inFlight -= 1;
  };
  await runCommand(
    ['kv', 'import', fileOf(JSON.stringify(people)), '--key-field', 'id', '--batch', '10', '--concurrency', '3'],
    { node },
  );
  expect(most).toBe(3);
  expect(node.keys.size).toBe(1000);
});

test('of records with one key the last wins, whatever the order in which requests complete', async () => {
  const seed = 20_261_124;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(5), { minLength: 1, maxLength: 60 }),
      fc.infiniteStream(fc.nat(4)),
      async (keys, delays) => {
        const node = createMemoryNode();
        node.before = async () => {
          for (let left = delays.next().value ?? 0; left > 0; left -= 1)
            await new Promise((resolve) => setImmediate(resolve));
        };
        const path = fileOf(JSON.stringify(keys.map((key, index) => ({ key: `k${key}`, value: String(index) }))));
        const result = await runCommand(
          ['kv', 'import', path, '--batch', '3', '--concurrency', '4', '--verify', '-q'],
          { node },
        );
        expect(result.code).toBe(0);
        const expected = Object.fromEntries(keys.map((key, index) => [`k${key}`, String(index)]));
        expect(valuesOf(node)).toEqual(expected);
      },
    ),
    { seed, numRuns: 40 },
  );
});

test('a refused record ends the import with its number and the place to go on from', async () => {
  const records = people
    .slice(0, 50)
    .map(({ id, name }, index) => ({ id: index === 31 ? 'x'.repeat(70_000) : id, name }));
  const path = fileOf(JSON.stringify(records));
  const node = createMemoryNode();
  const argv = ['kv', 'import', path, '--key-field', 'id', '--batch', '10', '--concurrency', '1'];
  const result = await runCommand([...argv, '-o', 'json'], { node });
  expect(result.code).toBe(5);
  expect(result.stderr).toContain('To go on: --skip 31');
  expect(result.stderr).toContain('record 31 was refused');
  expect(JSON.parse(result.stdout)).toMatchObject({ next: 31 });
  expect(JSON.parse(result.stdout)).toMatchObject({ complete: false });
  const table = await runCommand(argv);
  expect(table.stdout).toMatch(/^stopped +at record 31: not everything is imported\nimported +\d+ records/);
  const going = await runCommand([...argv, '--skip', '31', '--keep-going', '-o', 'json'], { node });
  expect(going.code).toBe(0);
  expect(JSON.parse(going.stdout)).toMatchObject({ complete: true, imported: 18, rejected: 1, next: 50 });
  expect(node.keys.size).toBe(49);
});

test('a record without its key ends the import, or is counted with --keep-going', async () => {
  const path = fileOf('[{"id":"a"},{"no":1},{"id":"b"}]');
  expect(await runCommand(['kv', 'import', path, '--key-field', 'id'])).toMatchObject({ code: 5 });
  const result = await runCommand(['kv', 'import', path, '--key-field', 'id', '--keep-going', '-o', 'json']);
  expect(result.code).toBe(0);
  expect(JSON.parse(result.stdout)).toMatchObject({ imported: 2, rejected: 1, next: 3 });
  expect(result.stderr).toContain("record 1 has no field 'id'");
});

test('a node that goes away ends the import; everything before --skip is there and the journal lists only what is', async () => {
  const node = createMemoryNode();
  let batches = 0;
  node.before = (call) => {
    if (call === 'batch' && ++batches > 4) throw new CtlError('SERVICE_UNAVAILABLE', 'the node is gone');
  };
  const journal = `${directory}/journal`;
  const path = fileOf(JSON.stringify(people));
  const argv = ['kv', 'import', path, '--key-field', 'id', '--batch', '50', '--acknowledged-file', journal];
  const result = await runCommand([...argv, '-o', 'json'], { node });
  expect(result.code).toBe(17);
  const { next, imported } = JSON.parse(result.stdout);
  expect([next, imported]).toEqual([200, 200]);
  const lines = readFileSync(journal, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(200);
  expect(lines[3]).toEqual({ record: 3, key: 'p3' });
  node.before = () => undefined;
  expect((await runCommand([...argv, '--skip', String(next)], { node })).code).toBe(0);
  expect(readFileSync(journal, 'utf8').trimEnd().split('\n')).toHaveLength(1000);
  expect(
    (
      await runCommand(['kv', 'import', path, '--key-field', 'id', '--verify-only', '--acknowledged-file', journal], {
        node,
      })
    ).code,
  ).toBe(0);
});

test('Ctrl-C waits for requests in flight, says how far it came and is exit code 130', async () => {
  const controller = new AbortController();
  const node = createMemoryNode();
  let batches = 0;
  node.before = async (call) => {
    if (call !== 'batch') return;
    batches += 1;
    if (batches === 3) controller.abort();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const argv = ['kv', 'import', fileOf(JSON.stringify(people)), '--key-field', 'id', '--batch', '10', '-o', 'json'];
  const result = await runCommand(argv, { node, signal: controller.signal });
  expect(result.code).toBe(130);
  const { next, imported } = JSON.parse(result.stdout);
  expect(next).toBe(imported);
  expect(node.keys.size).toBe(imported);
  expect(result.stderr).toContain(`--skip ${next}`);
});

test('--verify-only finds a lost, a changed and an overwritten record, and forgives what was never acknowledged', async () => {
  const records = [
    { key: 'a', value: '1' },
    { key: 'b', value: '1' },
    { key: 'a', value: '2' },
    { key: 'c', value: '1' },
    { key: 'a', value: '3' },
  ];
  const path = fileOf(records.map((record) => JSON.stringify(record)).join('\n'), 'jsonl');
  const journal = fileOf('{"record":0,"key":"a"}\n{"record":1,"key":"b"}\n{"record":2,"key":"a"}\n{"rec', 'txt');
  const check = async (stored: Record<string, string>) => {
    const node = createMemoryNode();
    const connection = connectMemory(node);
    for (const [key, value] of Object.entries(stored)) await connection.put(Buffer.from(key), Buffer.from(value));
    const { code } = await runCommand(['kv', 'import', path, '--verify-only', '--acknowledged-file', journal], {
      node,
    });
    expect(node.calls).not.toContain('batch');
    return code;
  };
  expect(await check({ a: '2', b: '1' })).toBe(0);
  expect(await check({ a: '3', b: '1', c: '1' })).toBe(0);
  expect(await check({ a: '1', b: '1' })).toBe(19);
  expect(await check({ a: '2' })).toBe(19);
  expect(await check({ a: '2', b: '2' })).toBe(19);
});

test('a journal with a broken line in the middle is refused', async () => {
  const journal = fileOf('{"record":0}\nnonsense\n{"record":1}\n', 'txt');
  const argv = ['kv', 'import', fileOf('[]'), '--verify-only', '--acknowledged-file', journal];
  expect(await runCommand(argv)).toMatchObject({ code: 5, stderr: expect.stringContaining('line 2') });
});

test.each([
  [['--key-field', 'a', '--key-template', '{b}'], 2],
  [['--value-field', 'a'], 2],
  [['--key-field', 'id', '--batch', '0'], 2],
  [['--key-field', 'id', '--format', 'xml'], 2],
])('import with %j is refused', async (options, code) => {
  expect((await runCommand(['kv', 'import', fileOf('[{"id":"1"}]'), ...options])).code).toBe(code);
});

test('a file that is not there is exit code 1, one that is no array exit code 5', async () => {
  expect((await runCommand(['kv', 'import', `${directory}/none.json`, '--key-field', 'id'])).code).toBe(1);
  expect((await runCommand(['kv', 'import', fileOf('[{"id":"1"}'), '--key-field', 'id'])).code).toBe(5);
});

test('progress is plain lines where stderr is no terminal, and nothing with --quiet', async () => {
  const argv = ['kv', 'import', fileOf(JSON.stringify(people)), '--key-field', 'id'];
  expect((await runCommand([...argv, '-q'])).stderr).toBe('');
  expect((await runCommand(argv)).stderr).not.toContain('\u001b');
});

test('keys and values of every kind survive export and import', async () => {
  const seed = 20_261_125;
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(bytes, bytes)),
      fc.constantFrom('text', 'base64', 'hex'),
      async (pairs, encoding) => {
        const from = createMemoryNode();
        for (const [key, value] of pairs) await connectMemory(from).put(key, value);
        const exported = await runCommand(['kv', 'export', '--encoding', encoding], { node: from });
        expect(exported.code).toBe(0);
        const to = createMemoryNode();
        const result = await runCommand(['kv', 'import', '-', '--format', 'jsonl'], {
          node: to,
          stdin: exported.stdout,
        });
        expect(result.code).toBe(0);
        const content = (node: MemoryNode) => [...node.keys].map(([key, { value }]) => [key, mapKey(value)]).sort();
        expect(content(to)).toEqual(content(from));
      },
    ),
    { seed, numRuns: 60 },
  );
});

test('records whose time has passed are not imported, later ones keep their time', async () => {
  const soon = Date.now() + 3_600_000;
  const stdin = `{"key":"old","value":"","expiresAtMs":1}\n{"key":"new","value":"","expiresAtMs":${soon}}\n`;
  const node = createMemoryNode();
  const result = await runCommand(['kv', 'import', '-', '--format', 'jsonl', '-o', 'json'], { node, stdin });
  expect(JSON.parse(result.stdout)).toMatchObject({ imported: 1, expired: 1, next: 2 });
  expect(Math.abs((node.keys.get('new')?.expiresAtMs ?? 0) - soon)).toBeLessThan(60_000);
});

test('an export to a file is whole or not there', async () => {
  const node = createMemoryNode();
  for (const { id, name } of people) await connectMemory(node).put(Buffer.from(id), Buffer.from(name));
  const path = `${directory}/export.jsonl`;
  expect((await runCommand(['kv', 'export', path], { node })).code).toBe(0);
  expect(readFileSync(path, 'utf8').match(/^\{"key":/gm)).toHaveLength(1000);
  expect((await runCommand(['kv', 'export', path], { node })).code).toBe(2);
  const controller = new AbortController();
  node.before = (call) => {
    if (call === 'range') controller.abort();
  };
  const before = readFileSync(path, 'utf8');
  expect((await runCommand(['kv', 'export', path, '--force'], { node, signal: controller.signal })).code).toBe(130);
  expect(readFileSync(path, 'utf8')).toBe(before);
  node.before = (call) => {
    if (call === 'range') throw new CtlError('SERVICE_UNAVAILABLE', 'the node is gone');
  };
  expect((await runCommand(['kv', 'export', `${directory}/other.jsonl`], { node })).code).toBe(17);
  expect(existsSync(`${directory}/other.jsonl`)).toBe(false);
  expect(existsSync(`${directory}/other.jsonl.partial`)).toBe(false);
  expect((await runCommand(['kv', 'export', `${directory}/none/export.jsonl`])).code).toBe(1);
});

test('an export that was cut or changed is refused, and nothing of its damaged part is written', async () => {
  const from = createMemoryNode();
  for (const { id, name } of people) await connectMemory(from).put(Buffer.from(id), Buffer.from(name));
  const { stdout: whole } = await runCommand(['kv', 'export'], { node: from });
  const name = people[7]?.name as string;
  for (const stdin of [whole.slice(0, -1), whole.slice(0, 20_000), whole.replace(name, `${name}x`)].map(String)) {
    const isEndOnly = stdin === whole.slice(0, -1);
    const node = createMemoryNode();
    const result = await runCommand(['kv', 'import', '-', '--format', 'jsonl'], { node, stdin });
    // The last line's own end may be missing.
    expect(result.code).toBe(isEndOnly ? 0 : 19);
    if (!isEndOnly) expect(result.stderr).toContain('(DATA_CORRUPTED)');
    expect(node.keys.size).toBe(isEndOnly ? 1000 : 0);
  }
});

test('what earlier versions exported, without seals, is imported', async () => {
  const node = createMemoryNode();
  const stdin = '{"key":"a","value":"1","revision":3}\n{"key":"b","value":"2","revision":4}\n';
  expect((await runCommand(['kv', 'import', '-', '--format', 'jsonl'], { node, stdin })).code).toBe(0);
  expect(node.keys.size).toBe(2);
});

test('an export is narrowed by prefix and bounds', async () => {
  const node = createMemoryNode();
  for (const key of ['a', 'b1', 'b2', 'c']) await connectMemory(node).put(Buffer.from(key), Buffer.from(key));
  const keys = async (...options: string[]) =>
    (await runCommand(['kv', 'export', ...options], { node })).stdout
      .match(/"key":"\w+"/g)
      ?.map((match) => match.slice(7, -1));
  expect(await keys('--prefix', 'b')).toEqual(['b1', 'b2']);
  expect(await keys('--start', 'b2', '--end', 'z')).toEqual(['b2', 'c']);
});
