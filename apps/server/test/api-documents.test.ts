/** The examples of docs/HTTP_API.md, run in order against a new node. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ServerProcess, startServerProcess } from './server-process.js';

const run = promisify(execFile);
const document = readFileSync(new URL('../../../docs/HTTP_API.md', import.meta.url), 'utf8');
const examples = [...document.matchAll(/```sh\n([^`]+)```\n```json\n([^`]+)```/g)].map(([, command, answer]) => ({
  command: (command ?? '').trim(),
  answer: JSON.parse(answer ?? '') as unknown,
}));

const directory = mkdtempSync(join(tmpdir(), 'shanghai-documents-'));
let server: ServerProcess;
beforeAll(async () => {
  server = await startServerProcess(directory);
});
afterAll(async () => {
  await server.stop('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** What was documented, with `…` matching anything that is there. */
function expected(value: unknown): unknown {
  if (value === '…') return expect.anything();
  if (Array.isArray(value)) return value.map(expected);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, expected(field)]));
}

it('there are examples', () => {
  expect(examples.length).toBeGreaterThan(10);
});

it.each(examples)('$command', async ({ command, answer }) => {
  const { stdout } = await run('bash', ['-c', command.replaceAll('127.0.0.1:8080', `127.0.0.1:${server.httpPort}`)]);
  expect(JSON.parse(stdout)).toEqual(expected(answer));
});
