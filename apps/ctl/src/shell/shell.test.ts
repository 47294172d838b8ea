import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CtlError } from '../ctl-error.js';
import { runCtl } from '../run-ctl.js';
import { connectMemory, createMemoryNode } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';
import { completeLine } from './complete-line.js';
import { quoteWord, splitWords } from './split-words.js';

const words = (line: string) => splitWords(line).map((bytes) => Buffer.from(bytes).toString());

test.each([
  ['', []],
  ['  a   b ', ['a', 'b']],
  ["'a b' c", ['a b', 'c']],
  [`"a\\tb\\"c" d`, ['a\tb"c', 'd']],
  [`a'b'"c"d`, ['abcd']],
  ['a\\ b', ['a b']],
  [`''`, ['']],
  [`"\\u{1f642}\\x41"`, ['🙂A']],
  ['höhe 上海', ['höhe', '上海']],
])('%j is cut into %j', (line, expected) => {
  expect(words(line)).toEqual(expected);
});

test.each([`'a`, `"a`, `"\\q"`, `"\\x4"`, `"\\u{110000}"`, `"\\u{d800}"`, `"a\\`])('%j is refused', (line) => {
  expect(() => splitWords(line)).toThrow(/not closed|not an escape/);
});

test('any bytes quoted are read back as the same bytes', () => {
  const seed = 20_261_126;
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.uint8Array(),
          fc.string({ unit: 'binary' }).map((text) => new TextEncoder().encode(text)),
        ),
      ),
      (list) => {
        expect(splitWords(list.map(quoteWord).join(' ')).map((word) => [...word])).toEqual(
          list.map((word) => [...word]),
        );
      },
    ),
    { seed, numRuns: 500 },
  );
});

test('a script runs line by line, passes over blank lines and comments, and ends at QUIT', async () => {
  const node = createMemoryNode();
  const stdin = `# fill
put greeting 'hello world'

GET greeting
get nothing
APPEND greeting "\\n!"
RANGE a z
PREFIX g 1
DELETE greeting nothing
STATS
QUIT
PUT never reached
`;
  const result = await runCommand(['shell'], { node, stdin });
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(result.stdout.split('\n')).toEqual([
    'OK revision 1',
    'hello world',
    '(not found)',
    'OK revision 2, 13 bytes',
    'greeting  hello world\\n!',
    '(1 key)',
    'greeting  hello world\\n!',
    '(1 key)',
    'OK 1 deleted',
    'state healthy',
    'keys 0',
    'live 3.0 MiB, dead 1.0 MiB',
    'segments 1',
    '',
  ]);
});

test('a script ends at its first failure, with the line and its exit code', async () => {
  const node = createMemoryNode();
  const result = await runCommand(['shell'], { node, stdin: 'PUT a 1\nFROB\nPUT b 2\n' });
  expect(result.code).toBe(2);
  expect(result.stderr).toContain("line 2: FROB\nshanghaictl: there is no command 'FROB'; HELP lists them (USAGE)");
  expect([...node.keys.keys()]).toEqual(['a']);
});

test('with --keep-going a script runs on and the exit code is that of the first failure', async () => {
  const node = createMemoryNode();
  node.before = (call) => {
    if (call === 'append') throw new CtlError('CONFLICT', 'it failed');
  };
  const result = await runCommand(['shell', '--keep-going'], { node, stdin: 'APPEND a 1\nPUT\nPUT b 2\n' });
  expect(result.code).toBe(9);
  expect(result.stderr).toContain('line 1: it failed (CONFLICT)\nline 2: usage: PUT key value [ttl-ms] (USAGE)\n');
  expect([...node.keys.keys()]).toEqual(['b']);
});

test('RANGE says when there is more than its limit', async () => {
  const stdin = `${Array.from({ length: 101 }, (_, index) => `PUT k${index} v`).join('\n')}\nRANGE '' ''\nRANGE k l 1000`;
  const lines = (await runCommand(['shell'], { stdin })).stdout.split('\n');
  expect(lines).toContain('(100 keys, there are more)');
  expect(lines).toContain('(101 keys)');
});

test('HELP lists every command', async () => {
  const { stdout } = await runCommand(['shell'], { stdin: 'help\n' });
  for (const name of ['PUT', 'GET', 'APPEND', 'DELETE', 'RANGE', 'PREFIX', 'STATS', 'HELP', 'QUIT'])
    expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
});

test('TAB completes names of commands and keys of the store', async () => {
  const node = createMemoryNode();
  const connection = connectMemory(node);
  for (const key of ['user:1', 'user:2', 'user x', 'other']) await connection.put(Buffer.from(key), new Uint8Array());
  expect(await completeLine('ge', connection)).toEqual([['GET '], 'ge']);
  expect(await completeLine('GET user:', connection)).toEqual([['user:1', 'user:2'], 'user:']);
  expect(await completeLine('DELETE a user:2', connection)).toEqual([['user:2'], 'user:2']);
  expect(await completeLine('GET a ', connection)).toEqual([[], '']);
  expect(await completeLine('PUT user:1 us', connection)).toEqual([[], 'us']);
  expect(await completeLine('GET "us', connection)).toEqual([[], '"us']);
});

test('on a terminal a failure is told and the conversation goes on; the history is kept for its owner', async () => {
  const directory = mkdtempSync(`${tmpdir()}/ctl-shell-`);
  try {
    const path = `${directory}/state/history`;
    const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
    const [stdin, stdout, stderr] = Object.values(streams).map((stream) =>
      Object.assign(stream, { isTTY: true as boolean }),
    );
    if (stdin === undefined || stdout === undefined || stderr === undefined) throw new Error('three streams');
    let said = '';
    stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    stdin.write('FROB\nPUT a 1\nGET a\nQUIT\n');
    const node = createMemoryNode();
    const code = await runCtl(['shell'], {
      terminal: {
        stdin,
        stdout,
        stderr,
        environment: { SHANGHAI_HISTORY_FILE: path },
        homeDirectory: directory,
        signal: new AbortController().signal,
      },
      version: '1.2.3',
      connect: async () => connectMemory(node),
      backupTools: () => Promise.reject(new Error('not used')),
      offlineTools: () => Promise.reject(new Error('not used')),
    });
    expect(code).toBe(0);
    expect(said).toContain("there is no command 'FROB'");
    expect(said).toContain('OK revision 1');
    expect(readFileSync(path, 'utf8')).toBe('FROB\nPUT a 1\nGET a\nQUIT\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
