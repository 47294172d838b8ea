import { expect, test } from 'vitest';
import { createMemoryNode, mapKey } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

async function filled(pairs: Readonly<Record<string, string | Uint8Array>>) {
  const node = createMemoryNode();
  for (const [key, value] of Object.entries(pairs)) {
    await runCommand(['kv', 'put', key, '-'], { node, stdin: typeof value === 'string' ? Buffer.from(value) : value });
  }
  node.calls.length = 0;
  return node;
}

test('kv get writes the value byte for byte, with a line end only on a terminal', async () => {
  const bytes = new Uint8Array([0, 255, 10, 13, 0xc3]);
  const node = await filled({ bin: bytes, text: 'hällo' });
  expect([...(await runCommand(['kv', 'get', 'bin'], { node })).stdoutBytes]).toEqual([...bytes]);
  expect((await runCommand(['kv', 'get', 'text'], { node })).stdout).toBe('hällo');
  expect((await runCommand(['kv', 'get', 'text'], { node, tty: true })).stdout).toBe('hällo\n');
  expect((await runCommand(['kv', 'get', '--encoding', 'hex', '62696e'], { node })).stdout).toBe('00ff0a0dc3\n');
});

test('kv get as JSON marks what is not text', async () => {
  const node = await filled({ bin: new Uint8Array([0, 255]), text: 'a' });
  expect(JSON.parse((await runCommand(['kv', 'get', 'text', '-o', 'json'], { node })).stdout)).toEqual({
    key: 'text',
    value: 'a',
    revision: 2,
  });
  expect(JSON.parse((await runCommand(['kv', 'get', 'bin', '-o', 'json'], { node })).stdout)).toEqual({
    key: 'bin',
    value: 'AP8=',
    valueEncoding: 'base64',
    revision: 1,
  });
});

test('kv get of a missing key is exit code 3 and writes nothing to stdout', async () => {
  const result = await runCommand(['kv', 'get', 'nope']);
  expect(result).toMatchObject({ code: 3, stdout: '' });
  expect(result.stderr).toBe("shanghaictl: there is no key 'nope' (NOT_FOUND)\n");
});

test('kv get of several keys lists those that are there and names those that are not', async () => {
  const node = await filled({ a: '1', b: '2' });
  const result = await runCommand(['kv', 'get', 'a', 'x', 'b', '-o', 'json'], { node });
  expect(result.code).toBe(3);
  expect(JSON.parse(result.stdout)).toMatchObject([{ key: 'a' }, { key: 'b' }]);
  expect(JSON.parse(result.stderr).error.details).toEqual({ keys: ['x'] });
});

test('kv put takes a value from the argument, standard input or a file, and exactly one of them', async () => {
  const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const directory = mkdtempSync(`${tmpdir()}/ctl-`);
  try {
    writeFileSync(`${directory}/value`, new Uint8Array([1, 0, 255]));
    const node = createMemoryNode();
    expect((await runCommand(['kv', 'put', 'a', 'x'], { node })).stdout).toBe('revision  1\n');
    await runCommand(['kv', 'put', 'b', '-'], { node, stdin: 'from\nstdin\n' });
    await runCommand(['kv', 'put', 'c', '--file', `${directory}/value`], { node });
    await runCommand(['kv', 'put', 'd', '--encoding', 'hex', 'ff00'], { node });
    const values = [...node.keys].map(([key, { value }]) => [key, [...value]]);
    expect(values[0]).toEqual(['a', [120]]);
    expect(Buffer.from(node.keys.get('b')?.value ?? []).toString()).toBe('from\nstdin\n');
    expect(values[2]).toEqual(['c', [1, 0, 255]]);
    expect((await runCommand(['kv', 'put', 'a'], { node })).code).toBe(2);
    expect((await runCommand(['kv', 'put', 'a', 'x', '--file', 'y'], { node })).code).toBe(2);
    expect((await runCommand(['kv', 'put', 'a', '--file', `${directory}/none`], { node })).code).toBe(1);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('an empty value is a value', async () => {
  const node = createMemoryNode();
  expect((await runCommand(['kv', 'put', 'a', ''], { node })).code).toBe(0);
  expect(await runCommand(['kv', 'get', 'a'], { node })).toMatchObject({ code: 0, stdout: '' });
});

test('with --encoding hex keys are bytes both ways', async () => {
  const node = createMemoryNode();
  await runCommand(['kv', 'put', '--encoding', 'hex', '00ff', 'cafe'], { node });
  expect([...node.keys.keys()]).toEqual([mapKey(new Uint8Array([0, 255]))]);
  const listed = JSON.parse((await runCommand(['kv', 'range', '--encoding', 'hex', '-o', 'json'], { node })).stdout);
  expect(listed).toEqual([{ key: '00ff', keyEncoding: 'hex', value: 'cafe', valueEncoding: 'hex', revision: 1 }]);
});

test('kv append says the length afterwards', async () => {
  const node = await filled({ a: 'x' });
  expect(JSON.parse((await runCommand(['kv', 'append', 'a', 'yz', '-o', 'json'], { node })).stdout)).toEqual({
    key: 'a',
    revision: 2,
    valueBytes: 3,
  });
});

test('kv delete counts what was there; a missing key is no error', async () => {
  const node = await filled({ a: '1', b: '2' });
  expect(await runCommand(['kv', 'delete', 'a', 'b', 'c'], { node })).toMatchObject({
    code: 0,
    stdout: 'deleted  2\n',
  });
});

test('kv delete --prefix asks first and deletes only the prefix', async () => {
  const node = await filled({ 'a:1': '', 'a:2': '', b: '' });
  expect((await runCommand(['kv', 'delete', '--prefix', 'a:'], { node })).code).toBe(2);
  expect(node.keys.size).toBe(3);
  expect((await runCommand(['kv', 'delete', '--prefix', 'a:', '--yes'], { node })).stdout).toBe('deleted  2\n');
  expect([...node.keys.keys()]).toEqual(['b']);
  expect((await runCommand(['kv', 'delete', '--prefix', '', '--yes'], { node })).code).toBe(2);
  expect((await runCommand(['kv', 'delete'], { node })).code).toBe(2);
});

test('kv range lists in order between bounds, with limit, reverse, prefix and count', async () => {
  const node = await filled({ b: '2', a: '1', c: '3', 'c:x': '4' });
  const keys = async (...options: string[]) =>
    (
      JSON.parse((await runCommand(['kv', 'range', ...options, '-o', 'json'], { node })).stdout) as { key: string }[]
    ).map(({ key }) => key);
  expect(await keys()).toEqual(['a', 'b', 'c', 'c:x']);
  expect(await keys('b', 'c')).toEqual(['b']);
  expect(await keys('--reverse', '--limit', '2')).toEqual(['c:x', 'c']);
  expect(await keys('--prefix', 'c')).toEqual(['c', 'c:x']);
  expect(await keys('--limit', '0')).toEqual([]);
  expect((await runCommand(['kv', 'range', '--prefix', 'c', '--count'], { node })).stdout).toBe('Keys  2\n');
  expect((await runCommand(['kv', 'range', '--keys-only'], { node })).stdout.split('\n')[0]).toMatch(/^KEY +REVISION$/);
});

test('a table never lets a key or value move the cursor, and shortens unless --wide', async () => {
  const node = await filled({ 'a\u001b[31m': `x\n\u001b[2J${'long '.repeat(40)}`, z: new Uint8Array([255]) });
  const table = (await runCommand(['kv', 'range'], { node })).stdout;
  expect(table).not.toContain('\u001b');
  expect(table).toContain('a\\u001b[31m');
  expect(table).toContain('base64:/w==');
  expect(table).toContain('…');
  expect((await runCommand(['kv', 'range', '--wide'], { node })).stdout).not.toContain('…');
});

test('colours are for terminals without NO_COLOR', async () => {
  const node = await filled({ a: '1' });
  const bold = '\u001b[1m';
  expect((await runCommand(['kv', 'range'], { node, tty: true })).stdout).toContain(bold);
  expect((await runCommand(['kv', 'range'], { node })).stdout).not.toContain(bold);
  expect((await runCommand(['kv', 'range', '--no-color'], { node, tty: true })).stdout).not.toContain(bold);
  expect((await runCommand(['kv', 'range'], { node, tty: true, environment: { NO_COLOR: '1' } })).stdout).not.toContain(
    bold,
  );
});

test('a list longer than a page keeps its order, its count and one line of titles', async () => {
  const node = createMemoryNode();
  for (let index = 0; index < 1234; index += 1) {
    const key = Buffer.from(`k${String(index).padStart(5, '0')}`);
    node.keys.set(mapKey(key), { key, value: key, revision: index, expiresAtMs: 0 });
  }
  const lines = (await runCommand(['kv', 'range'], { node })).stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(1235);
  expect(lines[0]).toMatch(/^KEY/);
  expect(lines.at(-1)).toMatch(/^k01233 +k01233 +1233$/);
});

test('an empty list is [] in JSON and YAML and titles for people', async () => {
  expect((await runCommand(['kv', 'range', '-o', 'json'])).stdout).toBe('[]\n');
  expect((await runCommand(['kv', 'range', '-o', 'yaml'])).stdout).toBe('[]\n');
  expect((await runCommand(['kv', 'range'])).stdout).toMatch(/^KEY +VALUE +REVISION\n$/);
});

test('kv stats shows shares', async () => {
  const { stdout } = await runCommand(['kv', 'stats']);
  expect(stdout).toMatch(/^Dead +1\.0 MiB \(25\.0%\)$/m);
  expect(stdout).toMatch(/^Cache hits +75\.0% of 4 reads$/m);
});

test.each([
  [
    'a JSON array',
    '[{"type":"put","key":"a","value":"1"},{"type":"append","key":"a","value":"2"},{"type":"delete","key":"b"}]',
  ],
  [
    'an object as the HTTP API takes it',
    '{"operations":[{"type":"put","key":"a","value":"1"},\n{"type":"append","key":"a","value":"2"},{"type":"delete","key":"b"}]}',
  ],
  [
    'JSON lines',
    '{"type":"put","key":"a","value":"1"}\n\n{"type":"append","key":"a","value":"2"}\n{"type":"delete","key":"b"}\n',
  ],
])('kv batch takes %s', async (_name, stdin) => {
  const node = createMemoryNode();
  const result = await runCommand(['kv', 'batch', '-o', 'json'], { node, stdin });
  expect(result).toMatchObject({ code: 0 });
  expect(JSON.parse(result.stdout)).toMatchObject([
    { type: 'put', key: 'a', revision: 1 },
    { type: 'append', key: 'a', revision: 2, valueBytes: 2 },
    { type: 'delete', key: 'b', deleted: false },
  ]);
  expect(node.calls).toEqual(['batch', 'close']);
});

test.each([
  ['', 'the input holds no operation'],
  ['[]', 'the input holds no operation'],
  ['[1', 'is not JSON'],
  ['{"type":"put","key":"a","value":"1"}\n{"type":', 'line 2 is not JSON'],
  ['[{"type":"move","key":"a"}]', 'operation 0 is not valid'],
  ['[{"type":"delete","key":"a","value":"x"}]', 'operation 0 is not valid'],
  ['[{"type":"delete","key":""}]', 'operation 0 is not valid'],
  ['{"operations":5}', 'are not an array'],
])('kv batch refuses %j before anything is sent', async (stdin, message) => {
  const node = createMemoryNode();
  const result = await runCommand(['kv', 'batch'], { node, stdin });
  expect(result.code).toBe(5);
  expect(result.stderr).toContain(message);
  expect(node.calls.filter((call) => call !== 'close')).toEqual([]);
});

test('kv batch shows each result and fails when one operation did', async () => {
  const long = 'k'.repeat(70_000);
  const stdin = JSON.stringify([
    { type: 'put', key: 'a', value: '1' },
    { type: 'put', key: long, value: '' },
  ]);
  const result = await runCommand(['kv', 'batch'], { stdin });
  expect(result.code).toBe(5);
  expect(result.stdout).toMatch(/put +a +revision 1/);
  expect(result.stdout).toContain('failed: the key is too long (INVALID_REQUEST)');
  expect(result.stderr).toContain('1 of 2 operations failed');
});

test('a put can demand a revision, or that there is no such key: else exit code 9 and nothing is written', async () => {
  const node = createMemoryNode();
  expect((await runCommand(['kv', 'put', 'a', '1', '--if-absent'], { node })).code).toBe(0);
  expect((await runCommand(['kv', 'put', 'a', '2', '--if-absent'], { node })).code).toBe(9);
  expect((await runCommand(['kv', 'put', 'a', '3', '--if-revision', '7'], { node })).code).toBe(9);
  expect((await runCommand(['kv', 'get', 'a'], { node })).stdout).toBe('1');
  expect((await runCommand(['kv', 'put', 'a', '4', '--if-revision', '1'], { node })).code).toBe(0);
  expect((await runCommand(['kv', 'get', 'a'], { node })).stdout).toBe('4');
  expect((await runCommand(['kv', 'put', 'a', '5', '--if-revision', '1', '--if-absent'], { node })).code).toBe(2);
});

test('a watch shows the changes of a key or a prefix, a line each', async () => {
  const node = createMemoryNode();
  const change = { value: new TextEncoder().encode('v'), expiresAtMs: 0 };
  node.changes.push({ ...change, type: 'put', key: new TextEncoder().encode('ab'), revision: 1 });
  node.changes.push({ ...change, type: 'delete', key: new TextEncoder().encode('ac'), revision: 2 });
  node.changes.push({ ...change, type: 'put', key: new TextEncoder().encode('b'), revision: 3 });
  expect(await runCommand(['kv', 'watch', '--prefix', 'a', '--count', '2'], { node })).toMatchObject({
    code: 0,
    stdout: '1  put  ab  v\n2  delete  ac\n',
    stderr: 'watching\n',
  });
  const one = await runCommand(['kv', 'watch', 'b', '--count', '1', '-o', 'json', '-q'], { node });
  expect(one).toMatchObject({ code: 0, stdout: '{"type":"put","key":"b","value":"v","revision":3}\n', stderr: '' });
  const { code } = await runCommand(['kv', 'watch', 'b', '--prefix', 'a'], { node });
  expect(code).toBe(2);
});

test('Ctrl-C ends a watch with exit code 130', async () => {
  const controller = new AbortController();
  const node = createMemoryNode();
  node.before = (call) => {
    if (call === 'watch') setImmediate(() => controller.abort());
  };
  expect((await runCommand(['kv', 'watch'], { node, signal: controller.signal })).code).toBe(130);
});
