/**
 * A client in another language, made from `proto/` by other people's tools: Python's grpcio from the system packages.
 * What it checks stands in `foreign/*.py`; every check there is a test here.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runToEnd } from './foreign/run-to-end.js';
import { type ServerProcess, startServerProcess } from './server-process.js';

const python = '/usr/bin/python3';
const foreign = fileURLToPath(new URL('foreign/', import.meta.url));
const protocols = fileURLToPath(new URL('../../../proto/', import.meta.url));
const sources = ['admin', 'cluster', 'key_value', 'log'].map((name) => `shanghai/v1/${name}.proto`);

/** What is not installed here, if anything. */
function missingTool(): string | undefined {
  const works = (command: string, ...args: string[]) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;
  if (!works(python, '-c', 'import grpc, google.protobuf')) return "Python's grpcio (python3-grpcio)";
  if (!works('protoc', '--version')) return 'protoc (protobuf-compiler)';
  if (!works('which', 'grpc_python_plugin')) return 'grpc_python_plugin (protobuf-compiler-grpc)';
  return undefined;
}

const claims = ['key_values.py', 'named_logs.py'].flatMap((file) =>
  [...readFileSync(join(foreign, file), 'utf8').matchAll(/^@check\("(.+)"\)$/gm)].map(([, claim = '']) => claim),
);
const missing = missingTool();
const title =
  missing === undefined ? 'a client in Python' : `a client in Python (skipped: ${missing} is not installed)`;

describe.skipIf(missing !== undefined)(title, () => {
  const results = new Map<string, string | null>();
  let directory: string;
  let server: ServerProcess | undefined;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'shanghai-foreign-'));
    server = await startServerProcess(join(directory, 'data'));
    const outputs = [`--python_out=${directory}`, `--grpc_python_out=${directory}`];
    const plugin = `--plugin=protoc-gen-grpc_python=${spawnSync('which', ['grpc_python_plugin']).stdout}`.trim();
    const generated = await runToEnd('protoc', [`-I${protocols}`, ...outputs, plugin, ...sources]);
    expect(generated).toMatchObject({ code: 0, stderr: '' });
    const args = ['-B', join(foreign, 'run.py'), directory, `127.0.0.1:${server.grpcPort}`];
    const { code, stdout, stderr } = await runToEnd(python, args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const line of stdout.trim().split('\n')) {
      const { claim, failure } = JSON.parse(line) as { claim: string; failure: string | null };
      results.set(claim, failure);
    }
  }, 120_000);

  afterAll(async () => {
    await server?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('ran every check there is', () => {
    expect(claims.length).toBeGreaterThan(15);
    expect([...results.keys()]).toEqual(claims);
  });

  test.each(claims)('%s', (claim) => {
    expect(results.get(claim)).toBeNull();
  });
});
