import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inProcess } from './in-process.js';
import { ctl, type ServerProcess, startServer } from './processes.js';

const directory = mkdtempSync(`${tmpdir()}/ctl-scenario-`);
let server: ServerProcess;

beforeAll(async () => {
  server = await startServer(`${directory}/data`);
});

afterAll(async () => {
  await server.end('SIGKILL');
  rmSync(directory, { recursive: true });
});

// Starting the tool takes longer than nearly all that it does: what needs no process of its own runs in this one.
const run = (...args: string[]) => inProcess(server.endpoint, args);

test('the tool as it is shipped writes, reads, and says what is missing', async () => {
  expect(await ctl(server.endpoint, ['kv', 'put', 'shipped', 'hello'])).toMatchObject({ code: 0, stderr: '' });
  expect(await ctl(server.endpoint, ['kv', 'get', 'shipped'])).toMatchObject({ code: 0, stdout: 'hello' });
  expect(await ctl(server.endpoint, ['kv', 'delete', 'shipped'])).toMatchObject({ code: 0, stdout: 'deleted  1\n' });
  expect(await ctl(server.endpoint, ['kv', 'get', 'shipped'])).toMatchObject({ code: 3, stdout: '' });
});

test('keys are written, read, scanned and deleted', async () => {
  expect(await run('kv', 'put', 'a', 'hello')).toMatchObject({ code: 0, stderr: '' });
  expect(await run('kv', 'append', 'a', ' world')).toMatchObject({ code: 0 });
  expect(await run('kv', 'get', 'a')).toMatchObject({ code: 0, stdout: 'hello world' });
  const range = await run('kv', 'range', '--prefix', 'a', '--output', 'json');
  expect(JSON.parse(range.stdout)).toMatchObject([{ key: 'a', value: 'hello world' }]);
  expect(await run('kv', 'delete', 'a', 'none')).toMatchObject({ code: 0, stdout: 'deleted  1\n' });
  expect(await run('kv', 'get', 'a')).toMatchObject({ code: 3, stdout: '' });
});

test('a batch is atomic where its keys share a tag', async () => {
  const operations = [
    { type: 'put', key: '{t}1', value: '1' },
    { type: 'append', key: '{t}1', value: '2' },
    { type: 'delete', key: '{t}2' },
  ];
  const result = await ctl(server.endpoint, ['kv', 'batch', '--atomic', '-o', 'json'], (child) =>
    child.stdin?.end(JSON.stringify(operations)),
  );
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(result.stdout)).toMatchObject([{ type: 'put' }, { valueBytes: 2 }, { deleted: false }]);
});

test('a put can demand a revision, or that there is no such key', async () => {
  const put = async (...args: string[]) => (await run('kv', 'put', 'conditional', ...args, '-o', 'json')).code;
  const first = await run('kv', 'put', 'conditional', '1', '--if-absent', '-o', 'json');
  const { revision } = JSON.parse(first.stdout);
  expect(await put('2', '--if-absent')).toBe(9);
  expect(await put('2', '--if-revision', String(revision + 1))).toBe(9);
  expect(await put('2', '--if-revision', String(revision))).toBe(0);
  expect((await run('kv', 'get', 'conditional')).stdout).toBe('2');
});

test('a watch shows what is changed from the moment it stands, over a restart of the server', async () => {
  const port = server.endpoint.split(':').at(-1);
  const change = async () => {
    await run('kv', 'put', 'seen:a', '1');
    await server.end('SIGKILL');
    server = await startServer(`${directory}/data`, port);
    await run('kv', 'delete', 'seen:a');
  };
  let changed: Promise<void> | undefined;
  const watch = await ctl(server.endpoint, ['kv', 'watch', '--prefix', 'seen:', '--count', '2'], (child) => {
    child.stderr?.once('data', () => {
      changed = change();
    });
  });
  await changed;
  expect(watch).toMatchObject({ code: 0, stderr: 'watching\n' });
  expect(watch.stdout).toMatch(/^\d+ {2}put {2}seen:a {2}1\n\d+ {2}delete {2}seen:a\n$/);
});

test('what the server refuses has its exit code', async () => {
  expect(await run('kv', 'put', '', 'x')).toMatchObject({ code: 5 });
  expect(await run('kv', 'put', 'k'.repeat(70_000), 'x')).toMatchObject({ code: 5 });
  expect(await run('log', 'read', 'none')).toMatchObject({ code: 3 });
  expect(await run('log', 'create', 'no good')).toMatchObject({ code: 5 });
  for (const command of ['status', 'doctor']) {
    expect((await inProcess('127.0.0.1:1', [command, '--timeout-ms', '500'])).code).toBe(17);
  }
});

test('status, nodes, stats and metrics are there', async () => {
  expect(JSON.parse((await run('status', '-o', 'json')).stdout)).toMatchObject({
    state: 'healthy',
    node: { nodeId: 1 },
  });
  expect(JSON.parse((await run('nodes', '-o', 'json')).stdout)).toMatchObject([{ nodeId: 1 }]);
  // What is found depends on the machine: its file system, its limits.
  const doctor = await run('doctor', '-o', 'json');
  expect([0, 21, 22]).toContain(doctor.code);
  const diagnosed = { nodeId: 1, isAnswering: true, isReady: true, state: 'healthy', clockOffsetMs: 0 };
  expect(JSON.parse(doctor.stdout)).toMatchObject({ nodes: [diagnosed] });
  expect((await run('kv', 'stats')).stdout).toMatch(/^Keys /m);
  expect((await run('metrics', '--raw')).stdout).toMatch(/^shanghai_/m);
  expect(JSON.parse((await run('metrics', '-o', 'json')).stdout).length).toBeGreaterThan(10);
});

test('a log is made, filled, read, described, followed by a second process and deleted', async () => {
  expect((await run('log', 'create', 'events')).code).toBe(0);
  expect((await run('log', 'append', 'events', 'a', 'b', '--key', 'k', '--header', 'h=1')).code).toBe(0);
  expect((await run('log', 'append', 'events', 'c', '--expect-last', '9')).code).toBe(9);
  expect((await run('log', 'read', 'events', '--values')).stdout).toBe('a\nb\n');
  expect((await run('log', 'read', 'events', '--from', '100')).code).toBe(10);
  const described = JSON.parse((await run('log', 'describe', 'events', '-o', 'json')).stdout);
  expect(described).toMatchObject({ name: 'events', origins: [{ lastSequence: 2 }] });
  // The tail is fed when it has shown the first two, so it is following by then.
  let fed: Promise<unknown> | undefined;
  const tail = await ctl(server.endpoint, ['log', 'tail', 'events', '--count', '4', '--values'], (child) => {
    child.stdout?.on('data', () => {
      fed ??= ctl(server.endpoint, ['log', 'append', 'events', '-'], (append) => append.stdin?.end('c\nd\n'));
    });
  });
  await fed;
  expect(tail).toMatchObject({ code: 0, stdout: 'a\nb\nc\nd\n' });
  expect((await run('log', 'list', '--prefix', 'ev')).stdout).toMatch(/^events +quorum +1 +4/m);
  expect((await run('log', 'delete', 'events', '--yes')).code).toBe(0);
  expect((await run('log', 'describe', 'events')).code).toBe(3);
});

test('a tail ends at Ctrl-C with exit code 130', async () => {
  await run('log', 'create', 'quiet');
  await run('log', 'append', 'quiet', 'one');
  const tail = await ctl(server.endpoint, ['log', 'tail', 'quiet', '--values'], (child) => {
    child.stdout?.once('data', () => child.kill('SIGINT'));
  });
  expect(tail).toMatchObject({ code: 130, stdout: 'one\n' });
});

test.each([
  ['kv', 'range'],
  ['log', 'read', 'events'],
  ['log', 'tail', 'events'],
  ['kv', 'watch'],
])('%s %s says that there is no node', async (...args) => {
  const result = await inProcess('127.0.0.1:1', [...args, '--timeout-ms', '400']);
  expect(result).toMatchObject({ code: 17, stdout: '' });
  expect(result.stderr).toMatch(/^shanghaictl: .*127\.0\.0\.1:1.*\(SERVICE_UNAVAILABLE\)\n$/);
});

test('a tail sits out a restart of the server', async () => {
  expect((await run('log', 'create', 'steady')).code).toBe(0);
  expect((await run('log', 'append', 'steady', 'one')).code).toBe(0);
  let restarted: Promise<unknown> | undefined;
  const restart = async () => {
    const port = server.endpoint.split(':').at(-1);
    await server.end('SIGKILL');
    server = await startServer(`${directory}/data`, port);
    await run('log', 'append', 'steady', 'two');
  };
  const tail = await ctl(server.endpoint, ['log', 'tail', 'steady', '--values', '--count', '2'], (child) => {
    child.stdout?.once('data', () => {
      restarted = restart();
    });
  });
  await restarted;
  expect(tail).toMatchObject({ code: 0, stdout: 'one\ntwo\n' });
});

test('export and import carry everything, and a reader that leaves ends the export', async () => {
  for (const [key, value] of [
    ['00ff', 'fe'],
    ['6b31', ''],
    ['6b32', '76'],
  ])
    await run('kv', 'put', '--encoding', 'hex', key ?? '', value ?? '');
  const file = `${directory}/export.jsonl`;
  expect((await run('kv', 'export', file)).code).toBe(0);
  const before = await run('kv', 'range', '--encoding', 'hex', '-o', 'json');
  for (const prefix of ['00', '6b']) await run('kv', 'delete', '--encoding', 'hex', '--prefix', prefix, '--yes');
  expect((await run('kv', 'import', file, '--verify')).code).toBe(0);
  const bare = (text: string) =>
    (JSON.parse(text) as { key: string; value: string }[]).map(({ key, value }) => [key, value]);
  expect(bare((await run('kv', 'range', '--encoding', 'hex', '-o', 'json')).stdout)).toEqual(bare(before.stdout));
  const left = await ctl(server.endpoint, ['kv', 'export'], (child) => child.stdout?.destroy());
  expect([0, 141]).toContain(left.code);
});

test('the shell runs a script', async () => {
  const result = await ctl(server.endpoint, ['shell'], (child) =>
    child.stdin?.end('PUT s 1\nGET s\nDELETE s\nGET s\n'),
  );
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(result.stdout).toMatch(/^OK revision \d+\n1\nOK 1 deleted\n\(not found\)\n$/);
});

test('bench measures and tidies up', async () => {
  const result = await run('bench', '--operations', '500', '--keys', '50', '-o', 'json', '-q');
  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(result.stdout)).toMatchObject({ total: 500, completed: 500, errors: {} });
  expect((await run('kv', 'range', '--prefix', 'bench:', '--count')).stdout).toBe('Keys  0\n');
});

// Small requests, few at a time: what is to happen in the middle of an import has its time.
const slowly = ['--batch', '20', '--concurrency', '2'];

test('an import that Ctrl-C stops says where it is, and goes on from there', async () => {
  const file = `${directory}/many.jsonl`;
  writeFileSync(file, Array.from({ length: 6_000 }, (_, index) => `{"id":${index}}`).join('\n'));
  const journal = `${directory}/interrupted`;
  const options = ['kv', 'import', file, '--key-template', 'many:{id}', '--acknowledged-file', journal, '-o', 'json'];
  const stopped = await ctl(server.endpoint, [...options, ...slowly], (child) =>
    whenWritten(journal, () => child.kill('SIGINT')),
  );
  expect(stopped.code).toBe(130);
  const { next, imported } = JSON.parse(stopped.stdout);
  expect(next).toBe(imported);
  expect(next).toBeLessThan(6_000);
  expect((await run(...options, '--skip', String(next), '--verify')).code).toBe(0);
  expect((await run('kv', 'range', '--prefix', 'many:', '--count')).stdout).toBe('Keys  6000\n');
});

test('what an import saw acknowledged is there after the server was killed', async () => {
  const file = `${directory}/killed.jsonl`;
  writeFileSync(file, Array.from({ length: 6_000 }, (_, index) => `{"id":${index}}`).join('\n'));
  const journal = `${directory}/killed`;
  const options = ['kv', 'import', file, '--key-template', 'killed:{id}', '--acknowledged-file', journal];
  const broken = await ctl(server.endpoint, [...options, ...slowly, '--timeout-ms', '1000'], () =>
    whenWritten(journal, () => void server.end('SIGKILL')),
  );
  expect([14, 15, 17]).toContain(broken.code);
  expect(broken.stderr).toMatch(/To go on: --skip \d+/);
  server = await startServer(`${directory}/data`);
  const verified = await run(...options, '--verify-only', '-o', 'json', '-q');
  expect(verified).toMatchObject({ code: 0, stderr: '' });
  const lines = readFileSync(journal, 'utf8').trimEnd().split('\n').length;
  expect(JSON.parse(verified.stdout)).toEqual({ verified: lines, differences: 0 });
});

test('an import sits out a restart of the server', async () => {
  const file = `${directory}/patient.jsonl`;
  writeFileSync(file, Array.from({ length: 6_000 }, (_, index) => `{"id":${index}}`).join('\n'));
  const journal = `${directory}/patient`;
  const options = ['kv', 'import', file, '--key-template', 'patient:{id}', '--acknowledged-file', journal];
  let restarted: Promise<ServerProcess> | undefined;
  const result = await ctl(server.endpoint, [...options, ...slowly, '--timeout-ms', '60000', '--verify'], () =>
    whenWritten(journal, () => {
      restarted = server.end('SIGKILL').then(() => startServer(`${directory}/data`, server.endpoint.split(':').at(-1)));
    }),
  );
  expect(restarted).toBeDefined();
  if (restarted !== undefined) server = await restarted;
  expect(result).toMatchObject({ code: 0 });
  expect((await run('kv', 'range', '--prefix', 'patient:', '--count')).stdout).toBe('Keys  6000\n');
});

test('offline commands refuse the directory while the server runs; shutdown lets them', async () => {
  const data = `${directory}/data`;
  expect(await run('wal', 'verify', `${data}/wal`)).toMatchObject({ code: 17, stdout: '' });
  expect(await run('bitcask', 'stats', `${data}/groups/1`)).toMatchObject({ code: 17, stdout: '' });
  expect((await run('shutdown', '--yes')).code).toBe(0);
  expect(await server.ended).toBe(0);
  expect(JSON.parse((await run('wal', 'verify', `${data}/wal`, '-o', 'json', '-q')).stdout)).toMatchObject({
    ok: true,
  });
  expect(JSON.parse((await run('bitcask', 'verify', `${data}/groups/1`, '-o', 'json', '-q')).stdout)).toMatchObject({
    ok: true,
  });
  server = await startServer(data);
  expect((await run('kv', 'range', '--prefix', 'many:', '--count')).stdout).toBe('Keys  6000\n');
});

/** Calls back once the file has something in it. */
function whenWritten(path: string, then: () => void): void {
  const look = () => {
    try {
      if (readFileSync(path).length > 0) return then();
    } catch {
      // Not there yet.
    }
    setImmediate(look);
  };
  look();
}
