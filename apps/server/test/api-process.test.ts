/** The built program from outside: starting, answering, stopping, and every way a start can fail. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { AdminClient, KeyValueClient } from '@shanghai/proto';
import { createLogger } from '@shanghai/telemetry';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningServer, startServer } from '../src/compose.js';
import { loadConfig } from '../src/config/load-config.js';
import { startupFailure } from '../src/startup-failure.js';
import { call } from './grpc-fixture.js';
import { sendHttp } from './http-fixture.js';
import { runServer, type ServerProcess, startServerProcess } from './server-process.js';

let directory: string;
let dataDirectory: string;
const started: ServerProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shanghai-process-'));
  dataDirectory = join(directory, 'data');
});
afterEach(async () => {
  for (const server of started.splice(0)) await server.stop('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

async function start(args: readonly string[] = [], environment: Record<string, string> = {}): Promise<ServerProcess> {
  const server = await startServerProcess(dataDirectory, args, environment);
  started.push(server);
  return server;
}

const put = (server: ServerProcess, key: string, value: string) =>
  sendHttp(server.httpPort, 'PUT', `/kv/${key}`, { body: { value } });

describe('a server', () => {
  it('writes JSON lines to standard output, the banner to standard error, shows metrics, and stops with 0', async () => {
    const server = await start();
    expect(server.lines.at(-1)).toMatchObject({
      level: 'info',
      msg: 'listening',
      http: `http://127.0.0.1:${server.httpPort}`,
      grpc: `127.0.0.1:${server.grpcPort}`,
      nodeId: 1,
      dataDir: dataDirectory,
      pid: server.process.pid,
    });
    await put(server, 'k', 'v');
    const { text } = await sendHttp(server.httpPort, 'GET', '/metrics');
    expect(text).toMatch(/^shanghai_wal_sync_seconds_count [1-9]/m);
    expect(text).toMatch(/^shanghai_apply_operations_total [1-9]/m);
    expect(text).toMatch(/^shanghai_requests_total\{api="http",method="PUT \/kv\/:key",code="OK"\} 1$/m);
    expect(text).toMatch(/^shanghai_group_has_leader\{group="1"\} 1$/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
    expect(text).toMatch(/^shanghai_node_info\{version="[\d.]+",node="node-1",durability="always"\} 1$/m);
    const { code, output, errors } = await server.stop();
    expect(code).toBe(0);
    for (const line of output.trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
    expect(output).toContain('"msg":"stopped"');
    expect(errors).toContain(`curl http://127.0.0.1:${server.httpPort}/kv/hello`);
  });

  it('answers HTTP and gRPC over the same data, and keeps it over a stop by SIGINT and a kill; POST /api/v1/shutdown stops it with 0', async () => {
    const first = await start();
    expect((await put(first, 'k', 'v1')).code).toBe(200);
    const client = new KeyValueClient(`127.0.0.1:${first.grpcPort}`, credentials.createInsecure());
    const request = { options: undefined, key: Buffer.from('k') };
    expect(await call(client.get, client, request)).toMatchObject({ found: true, value: Buffer.from('v1') });
    client.close();
    expect((await first.stop('SIGINT')).code).toBe(0);
    const second = await start();
    expect((await sendHttp(second.httpPort, 'GET', '/kv/k')).json['data']).toMatchObject({ value: 'v1' });
    const keys = Array.from({ length: 50 }, (_, index) => `n${index}`);
    const answers = await Promise.all(keys.map((key) => put(second, key, key)));
    expect(answers.every(({ code }) => code === 200)).toBe(true);
    await second.stop('SIGKILL');
    const third = await start();
    const range = await sendHttp(third.httpPort, 'GET', '/kv/range?prefix=n');
    expect(range.json['data']).toMatchObject({ count: 50 });
    expect((await sendHttp(third.httpPort, 'POST', '/api/v1/shutdown', { body: {} })).code).toBe(202);
    expect((await third.ended).code).toBe(0);
  });

  it('stops with 0 by Admin.Shutdown although somebody watches and pipelines', async () => {
    const server = await start();
    const client = new KeyValueClient(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure());
    const none = Buffer.alloc(0);
    const watch = client.watch({ keyspace: '', target: undefined, position: none, keysOnly: false });
    const pipeline = client.pipeline();
    const ends = [watch, pipeline].map((stream) => new Promise((resolve) => stream.on('error', resolve)));
    await new Promise((resolve) => watch.once('data', resolve));
    pipeline.write({ id: 1n, request: { $case: 'get', value: { options: undefined, key: Buffer.from('k') } } });
    await new Promise((resolve) => pipeline.once('data', resolve));
    const admin = new AdminClient(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure());
    await call(admin.shutdown, admin, { drainMs: 100n });
    admin.close();
    expect((await server.ended).code).toBe(0);
    await Promise.all(ends);
    client.close();
  });

  it('ends at once by a second signal', async () => {
    const server = await start();
    server.process.kill('SIGTERM');
    server.process.kill('SIGINT');
    const { code, output } = await server.ended;
    // Whichever of two signals sent together is seen first, the other one ends the process.
    expect([130, 143]).toContain(code);
    expect(output).toContain('a second signal ends at once');
  });

  it('obeys the environment and says so; a flag wins; a durability below always is shown in its status', async () => {
    const environment = { SHANGHAI_NODE_NAME: 'paris', SHANGHAI_LOG_LEVEL: 'debug', SHANGHAI_HTPP_PORT: '1' };
    const server = await start(['--node-name', 'oslo', '--durability', 'never'], environment);
    expect(server.lines.at(-1)).toMatchObject({ nodeName: 'oslo' });
    expect(server.lines[0]).toMatchObject({ level: 'warn', msg: expect.stringContaining('SHANGHAI_HTPP_PORT') });
    const { json } = await sendHttp(server.httpPort, 'GET', '/status');
    expect(json['data']).toMatchObject({ storage: { durability: 'never' } });
    expect((await sendHttp(server.httpPort, 'GET', '/kv/none')).code).toBe(404);
    expect((await server.stop()).output).toContain('"code":"NOT_FOUND"');
  });
});

// All that fails does so before or while the server is composed, which needs no process of its own to be seen.
describe('a start that fails', () => {
  const flags = () => ['--data-dir', dataDirectory, '--http-port', '0', '--grpc-port', '0'];
  const opened: RunningServer[] = [];
  afterEach(async () => {
    for (const server of opened.splice(0)) await server.close(0);
  });

  /** As the program does, up to where it waits for its end. */
  async function startHere(args: readonly string[]): Promise<RunningServer> {
    const intention = loadConfig(args, {}, '1.0.0');
    if (intention.type === 'print') throw new Error('it would only print');
    const { config } = intention.resolved;
    const server = await startServer(config, '1.0.0', createLogger({ level: 'silent', format: 'json' }));
    opened.push(server);
    return server;
  }

  async function expectFailure(args: readonly string[], code: number, says: RegExp): Promise<void> {
    const failure = startupFailure(await startHere(args).catch((error: unknown) => error));
    expect(failure.message).toMatch(says);
    expect(failure).toMatchObject({ exitCode: code, isExpected: true });
  }

  it('writes one message for people to standard error, no stack, and nothing to standard output', async () => {
    const ended = await runServer(['--http-port', 'x', '--grpc-port', '-1']);
    expect(ended.errors).toMatch(/http-port: 'x'[\s\S]*grpc-port: '-1'/);
    expect(ended).toMatchObject({ code: 2, output: '' });
    expect(ended.errors).toMatch(/^(?:shanghai: .*\n)+$/);
    expect(ended.errors).not.toMatch(/\n\s+at /);
  });

  it('ends with 2 for wrong flags, all of them told', async () => {
    await expectFailure(['--frobnicate'], 2, /unknown option '--frobnicate'/);
    await expectFailure(['--config', join(directory, 'none.yaml')], 2, /cannot be read/);
    await expectFailure(['--host', '0.0.0.0'], 2, /--insecure/);
  });

  it('ends with 3 where a port is in use, and leaves the data directory free', async () => {
    const other = await startHere(['--data-dir', join(directory, 'other'), '--http-port', '0', '--grpc-port', '0']);
    const portOf = (address: string) => address.slice(address.lastIndexOf(':') + 1);
    const { http, grpc } = other.addresses;
    const inUse = (api: string) => new RegExp(`${api} cannot listen on 127.0.0.1:\\d+: the port is in use`);
    await expectFailure([...flags(), '--http-port', portOf(http)], 3, inUse('HTTP'));
    await expectFailure([...flags(), '--grpc-port', portOf(grpc)], 3, inUse('gRPC'));
    await startHere(flags());
  });

  it('ends with 4 where another process holds the data directory', async () => {
    await start();
    await expectFailure(flags(), 4, new RegExp(dataDirectory));
  });

  it('ends with 5 where the data directory is a file, belongs to another node, or is damaged', async () => {
    await writeFile(dataDirectory, 'a file');
    await expectFailure(flags(), 5, /data directory.* cannot be used/);
    await rm(dataDirectory);
    await (await startHere(flags())).close(0);
    await expectFailure([...flags(), '--node-id', '2'], 5, /belongs to node 1/);
    await writeFile(join(dataDirectory, 'node.json'), '{');
    await expectFailure(flags(), 5, /node\.json/);
  });

  it('ends with 6 where a newer version wrote the data directory', async () => {
    await (await startHere(flags())).close(0);
    const path = join(dataDirectory, 'node.json');
    const text = await readFile(path, 'utf8');
    const newer = text.replace(/("format(?:Version)?"\s*:\s*)\d+/, '$1999');
    expect(newer).not.toBe(text);
    await writeFile(path, newer);
    await expectFailure(flags(), 6, /newer|format/);
    await writeFile(path, text);
    await startHere(flags());
  });
});

describe('--help, --version and --print-config', () => {
  it('print and end with 0', async () => {
    expect(await runServer(['--version'])).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    const text = (args: readonly string[], environment = {}) => {
      const intention = loadConfig(args, environment, '1.0.0');
      return intention.type === 'print' ? intention.text : '';
    };
    expect(text(['--help'])).toContain('--http-port');
    const printed = text(['--print-config'], { SHANGHAI_HTTP_PORT: '7' });
    expect(printed).toMatch(/^http-port: 7 +# environment SHANGHAI_HTTP_PORT$/m);
  });
});
