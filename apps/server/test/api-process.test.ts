/** The built program from outside: starting, answering, stopping, and every way a start can fail. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { AdminClient, KeyValueClient } from '@shanghai/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
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
  it('writes JSON lines to standard output, the banner to standard error, and stops with 0', async () => {
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
    const { code, output, errors } = await server.stop();
    expect(code).toBe(0);
    for (const line of output.trimEnd().split('\n')) expect(() => JSON.parse(line)).not.toThrow();
    expect(output).toContain('"msg":"stopped"');
    expect(errors).toContain(`curl http://127.0.0.1:${server.httpPort}/kv/hello`);
  });

  it('answers HTTP and gRPC over the same data, and keeps it over a restart', async () => {
    const first = await start();
    expect((await put(first, 'k', 'v1')).code).toBe(200);
    const client = new KeyValueClient(`127.0.0.1:${first.grpcPort}`, credentials.createInsecure());
    const request = { options: undefined, key: Buffer.from('k') };
    expect(await call(client.get, client, request)).toMatchObject({ found: true, value: Buffer.from('v1') });
    client.close();
    expect((await first.stop('SIGINT')).code).toBe(0);
    const second = await start();
    expect((await sendHttp(second.httpPort, 'GET', '/kv/k')).json['data']).toMatchObject({ value: 'v1' });
  });

  it('keeps what it acknowledged when it is killed', async () => {
    const first = await start();
    const keys = Array.from({ length: 50 }, (_, index) => `k${index}`);
    const answers = await Promise.all(keys.map((key) => put(first, key, key)));
    expect(answers.every(({ code }) => code === 200)).toBe(true);
    await first.stop('SIGKILL');
    const second = await start();
    const range = await sendHttp(second.httpPort, 'GET', '/kv/range?prefix=k');
    expect(range.json['data']).toMatchObject({ count: 50 });
  });

  it.each([
    [
      'POST /api/v1/shutdown',
      (server: ServerProcess) => sendHttp(server.httpPort, 'POST', '/api/v1/shutdown', { body: {} }),
    ],
    [
      'Admin.Shutdown',
      async (server: ServerProcess) => {
        const client = new AdminClient(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure());
        await call(client.shutdown, client, { drainMs: 100n });
        client.close();
      },
    ],
  ])('stops with 0 by %s', async (_, ask) => {
    const server = await start();
    await put(server, 'k', 'v');
    await ask(server);
    expect((await server.ended).code).toBe(0);
  });

  it('stops with 0 although somebody watches and pipelines', async () => {
    const server = await start();
    const client = new KeyValueClient(`127.0.0.1:${server.grpcPort}`, credentials.createInsecure());
    const none = Buffer.alloc(0);
    const watch = client.watch({ keyspace: '', target: undefined, position: none, keysOnly: false });
    const pipeline = client.pipeline();
    const ends = [watch, pipeline].map((stream) => new Promise((resolve) => stream.on('error', resolve)));
    await new Promise((resolve) => watch.once('data', resolve));
    pipeline.write({ id: 1n, request: { $case: 'get', value: { options: undefined, key: Buffer.from('k') } } });
    await new Promise((resolve) => pipeline.once('data', resolve));
    expect((await server.stop()).code).toBe(0);
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

  it('obeys the environment and says so; a flag wins', async () => {
    const environment = { SHANGHAI_NODE_NAME: 'paris', SHANGHAI_LOG_LEVEL: 'debug', SHANGHAI_HTPP_PORT: '1' };
    const server = await start(['--node-name', 'oslo'], environment);
    expect(server.lines.at(-1)).toMatchObject({ nodeName: 'oslo' });
    expect(server.lines[0]).toMatchObject({ level: 'warn', msg: expect.stringContaining('SHANGHAI_HTPP_PORT') });
    expect((await sendHttp(server.httpPort, 'GET', '/kv/none')).code).toBe(404);
    expect((await server.stop()).output).toContain('"code":"NOT_FOUND"');
  });

  it('shows metrics fed by the log, the stores and the requests', async () => {
    const server = await start();
    await put(server, 'k', 'v');
    const { text } = await sendHttp(server.httpPort, 'GET', '/metrics');
    expect(text).toMatch(/^shanghai_wal_sync_seconds_count [1-9]/m);
    expect(text).toMatch(/^shanghai_apply_operations_total [1-9]/m);
    expect(text).toMatch(/^shanghai_requests_total\{api="http",method="PUT \/kv\/:key",code="OK"\} 1$/m);
    expect(text).toMatch(/^shanghai_group_has_leader\{group="1"\} 1$/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
    expect(text).toMatch(/^shanghai_node_info\{version="[\d.]+",node="node-1",durability="always"\} 1$/m);
  });

  it('shows a durability below always in its status', async () => {
    const server = await start(['--durability', 'never']);
    const { json } = await sendHttp(server.httpPort, 'GET', '/status');
    expect(json['data']).toMatchObject({ storage: { durability: 'never' } });
  });
});

describe('a start that fails', () => {
  const flags = () => ['--data-dir', dataDirectory, '--http-port', '0', '--grpc-port', '0'];

  /** One message for people, no stack, nothing on standard output. */
  async function expectFailure(args: readonly string[], code: number, says: RegExp): Promise<void> {
    const ended = await runServer(args);
    expect(ended.errors).toMatch(says);
    expect(ended).toMatchObject({ code, output: '' });
    expect(ended.errors).toMatch(/^(?:shanghai: .*\n)+$/);
    expect(ended.errors).not.toMatch(/\n\s+at /);
  }

  it('ends with 2 for wrong flags, all of them told', async () => {
    await expectFailure(['--http-port', 'x', '--grpc-port', '-1'], 2, /http-port: 'x'[\s\S]*grpc-port: '-1'/);
    await expectFailure(['--frobnicate'], 2, /unknown option '--frobnicate'/);
    await expectFailure(['--config', join(directory, 'none.yaml')], 2, /cannot be read/);
    await expectFailure(['--host', '0.0.0.0'], 2, /--insecure/);
  });

  it('ends with 3 where a port is in use, and leaves the data directory free', async () => {
    const other = await startServerProcess(join(directory, 'other'));
    started.push(other);
    const http = String(other.httpPort);
    const grpc = String(other.grpcPort);
    await expectFailure(
      [...flags(), '--http-port', http],
      3,
      /HTTP cannot listen on 127.0.0.1:\d+: the port is in use/,
    );
    await expectFailure(
      [...flags(), '--grpc-port', grpc],
      3,
      /gRPC cannot listen on 127.0.0.1:\d+: the port is in use/,
    );
    await start();
  });

  it('ends with 4 where another process holds the data directory', async () => {
    await start();
    await expectFailure(flags(), 4, new RegExp(dataDirectory));
  });

  it('ends with 5 where the data directory is a file, belongs to another node, or is damaged', async () => {
    await writeFile(dataDirectory, 'a file');
    await expectFailure(flags(), 5, /data directory.* cannot be used/);
    await rm(dataDirectory);
    const server = await start();
    await server.stop();
    await expectFailure([...flags(), '--node-id', '2'], 5, /belongs to node 1/);
    await writeFile(join(dataDirectory, 'node.json'), '{');
    await expectFailure(flags(), 5, /node\.json/);
  });

  it('ends with 6 where a newer version wrote the data directory', async () => {
    const server = await start();
    await server.stop();
    const path = join(dataDirectory, 'node.json');
    const text = await readFile(path, 'utf8');
    const newer = text.replace(/("format(?:Version)?"\s*:\s*)\d+/, '$1999');
    expect(newer).not.toBe(text);
    await writeFile(path, newer);
    await expectFailure(flags(), 6, /newer|format/);
    await writeFile(path, text);
    await start();
  });
});

describe('--help, --version and --print-config', () => {
  it('print and end with 0', async () => {
    expect(await runServer(['--version'])).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    expect(await runServer(['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('--http-port') });
    const printed = await runServer(['--print-config'], { SHANGHAI_HTTP_PORT: '7' });
    expect(printed).toMatchObject({ code: 0, errors: '' });
    expect(printed.output).toMatch(/^http-port: 7 +# environment SHANGHAI_HTTP_PORT$/m);
  });
});
