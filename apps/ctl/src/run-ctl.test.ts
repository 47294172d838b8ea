import { PassThrough } from 'node:stream';
import { errorTable, isErrorCode } from '@shanghai/proto';
import { expect, test } from 'vitest';
import { CtlError } from './ctl-error.js';
import { exitCodes, exitCodesHelp } from './exit-codes.js';
import { createMemoryNode } from './testing/memory-connection.js';
import { runCommand } from './testing/run-command.js';

test('exit codes of wire errors are those of the table of errors', () => {
  for (const [code, row] of Object.entries(errorTable))
    expect([code, exitCodes[code as keyof typeof exitCodes]]).toEqual([code, row.exit]);
  const own = Object.keys(exitCodes).filter((code) => !isErrorCode(code));
  expect(own.sort()).toEqual([
    'CLUSTER_DEGRADED',
    'CLUSTER_UNAVAILABLE',
    'ERRORS_FOUND',
    'INTERRUPTED',
    'LOCAL_FAILURE',
    'USAGE',
    'WARNINGS_FOUND',
  ]);
});

test('help names every exit code', () => {
  for (const code of new Set(Object.values(exitCodes)))
    expect(exitCodesHelp).toMatch(new RegExp(`(^|\\s)${code} [a-z]`, 'm'));
});

test.each(Object.entries(errorTable))('a call that fails with %s gives its exit code', async (code, row) => {
  const node = createMemoryNode();
  node.before = (call) => {
    if (call === 'get') throw new CtlError(code as keyof typeof errorTable, 'it failed');
  };
  const result = await runCommand(['kv', 'get', 'k'], { node });
  expect(result).toMatchObject({ code: row.exit, stdout: '', stderr: `shanghaictl: it failed (${code})\n` });
  expect(node.calls).toEqual(['get', 'close']);
});

test('with --output json an error is a JSON object on stderr with its details', async () => {
  const node = createMemoryNode();
  node.before = () => {
    throw new CtlError('CONFLICT', 'it failed', { details: { revision: 7n } });
  };
  const expected = { error: { code: 'CONFLICT', message: 'it failed', details: { revision: 7 } } };
  for (const argv of [
    ['-o', 'json', 'status'],
    ['status', '--output', 'json'],
    ['status', '--output=json'],
  ]) {
    const result = await runCommand(argv, { node });
    expect(result.code).toBe(9);
    expect(JSON.parse(result.stderr)).toEqual(expected);
  }
});

test.each([
  [['frobnicate'], "unknown command 'frobnicate'"],
  [['kv', 'get'], "missing required argument 'keys'"],
  [['kv', 'range', '--limit', 'many'], "--limit 'many' is not a whole number"],
  [['kv', 'range', '--limit', '-1'], "--limit '-1' is not a whole number"],
  [['kv', 'put', 'a', 'b', '--ttl-ms', '0'], "--ttl-ms '0' is not a whole number in [1,"],
  [['status', '--nonsense'], "unknown option '--nonsense'"],
  [['status', '--output', 'xml'], "output 'xml' (from the command line) is not one of table, json, yaml"],
  [['status', '--endpoint', 'nowhere'], "endpoint 'nowhere' is not host:port"],
  [['status', '--timeout-ms', '0'], "timeout-ms '0' (from the command line)"],
  [['kv', 'get', 'zz', '--encoding', 'hex'], "the key 'zz' is not hex"],
  [['log', 'create', 'a', '--mode', 'solo'], "--mode 'solo' is not one of quorum, multi-master"],
  [['log', 'read', 'a', '--from-time', 'noon'], "--from-time 'noon' is neither"],
])('wrong usage %j is exit code 2 with a message and nothing on stdout', async (argv, message) => {
  const node = createMemoryNode();
  const result = await runCommand(argv, { node });
  expect(result.code).toBe(2);
  expect(result.stdout).toBe('');
  expect(result.stderr).toContain(message);
  expect(node.calls.filter((call) => call !== 'close')).toEqual([]);
});

test.each([
  [['frobnicate'], "unknown command 'frobnicate'"],
  [['kv', 'gte'], "unknown command 'gte' (Did you mean get?)"],
  [['kv', 'get'], "missing required argument 'keys'"],
  [['status', '--nonsense'], "unknown option '--nonsense'"],
  [['status', '--timeout-ms'], "option '--timeout-ms <ms>' argument missing"],
  [['status', 'much'], "too many arguments for 'status'. Expected 0 arguments but got 1."],
])('wrong usage %j that the parser finds is told as every other error', async (argv, message) => {
  const hint = "Try 'shanghaictl --help', or --help after the command.";
  expect((await runCommand(argv)).stderr).toBe(`shanghaictl: ${message} (USAGE)\n${hint}\n`);
  const json = await runCommand(['-o', 'json', ...argv]);
  expect(json.code).toBe(2);
  expect(JSON.parse(json.stderr)).toEqual({ error: { code: 'USAGE', message, details: {} } });
});

test('with --output json a missing command is a JSON object too', async () => {
  for (const argv of [[], ['kv']]) {
    const result = await runCommand([...argv, '-o', 'json']);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(JSON.parse(result.stderr)).toMatchObject({ error: { code: 'USAGE', message: 'a command is missing' } });
  }
  expect((await runCommand(['kv'])).stderr).toMatch(/^Usage: shanghaictl kv/);
});

test('a mistake that help would not mend gets no hint', async () => {
  expect((await runCommand(['shutdown'])).stderr).toMatch(/repeat with --yes\. \(USAGE\)\n$/);
  expect((await runCommand(['shell'], { stdin: 'FROB x\n' })).stderr).toMatch(/HELP lists them \(USAGE\)\n$/);
});

test('help is asked for: stdout and exit code 0', async () => {
  const result = await runCommand(['kv', 'import', '--help']);
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(result.stdout).toContain('Examples:');
  expect(result.stdout).toContain('--endpoint <host:port>');
});

test('a run without a command shows help and is wrong usage', async () => {
  expect(await runCommand([])).toMatchObject({ code: 2, stdout: '' });
});

test('an interrupted command is exit code 130 whatever its calls failed with', async () => {
  const controller = new AbortController();
  const node = createMemoryNode();
  node.before = () => {
    controller.abort();
    throw new CtlError('OUTCOME_UNKNOWN', 'it failed');
  };
  expect((await runCommand(['kv', 'put', 'a', 'b'], { node, signal: controller.signal })).code).toBe(130);
});

test.each([
  ['kv', 'put', 'a', '-'],
  ['kv', 'import', '-', '--format', 'jsonl'],
  ['kv', 'batch'],
  ['log', 'append', 'events'],
  ['shell'],
])('Ctrl-C ends "%s %s %s" that waits for a silent standard input', async (...argv) => {
  const controller = new AbortController();
  const stdin = new PassThrough();
  const running = runCommand(argv, { stdin, signal: controller.signal });
  setImmediate(() => controller.abort());
  expect((await running).code).toBe(130);
});

/** A terminal on which somebody types this. */
function typing(text: string) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true as const });
  stdin.end(text);
  return stdin;
}

test('on a terminal a destructive command asks: yes does it, no or the end of input does nothing', async () => {
  const node = createMemoryNode();
  for (const answer of ['n\n', '\n', 'yesterday\n', '']) {
    const refused = await runCommand(['shutdown'], { node, stdin: typing(answer) });
    expect(refused).toMatchObject({ code: 16, stderr: expect.stringContaining('will stop. [y/N]') });
  }
  expect(node.calls).toEqual([]);
  expect((await runCommand(['shutdown'], { node, stdin: typing('Yes\n') })).code).toBe(0);
  expect(node.calls).toEqual(['shutdown 10000', 'close']);
});
