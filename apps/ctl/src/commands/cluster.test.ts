import { expect, test } from 'vitest';
import { CtlError } from '../ctl-error.js';
import { createMemoryNode } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';
import { parseExposition } from './metrics-view.js';

test('status shows the state, every group, the store and the log for people', async () => {
  const { code, stdout } = await runCommand(['status']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^State +healthy$/m);
  expect(stdout).toMatch(/^Uptime +1 min 1 s$/m);
  expect(stdout).toMatch(/^Group 1$/m);
  expect(stdout).toMatch(/^ {2}applied index +12,345$/m);
  expect(stdout).toMatch(/^ {2}live bytes +3\.0 MiB$/m);
  expect(stdout).toMatch(/^ {2}last LSN +9$/m);
  expect(stdout).toMatch(/^ {2}last sync +0\.250 ms$/m);
  expect(stdout).toMatch(/^ {2}last checkpoint +2023-11-14T22:13:20\.000Z$/m);
});

test('a store that leaves durability to the log says so, and JSON has both settings as they are', async () => {
  const { stdout } = await runCommand(['status']);
  expect(stdout).toMatch(/^ {2}durability +by the write-ahead log$/m);
  expect(stdout).toMatch(/^ {2}durability +always$/m);
  expect((await runCommand(['kv', 'stats'])).stdout).toMatch(/^Durability +by the write-ahead log \(always\)$/m);
  const json = JSON.parse((await runCommand(['status', '-o', 'json'])).stdout);
  expect(json).toMatchObject({ storage: { durability: 'never' }, wal: { durability: 'always' } });
  const stats = JSON.parse((await runCommand(['kv', 'stats', '-o', 'json'])).stdout);
  expect(stats).toMatchObject({ durability: 'never', walDurability: 'always' });
});

test('status is one JSON document, and the same as YAML', async () => {
  const json = JSON.parse((await runCommand(['status', '-o', 'json'])).stdout);
  expect(json).toMatchObject({ state: 'healthy', node: { nodeId: 1 }, storage: { liveBytes: 3145728 } });
  const { parse } = await import('yaml');
  expect(parse((await runCommand(['status', '-o', 'yaml'])).stdout)).toEqual(json);
});

test('nodes are a table with titles', async () => {
  const { stdout } = await runCommand(['nodes']);
  const [titles, row] = stdout.split('\n');
  expect(titles?.split(/\s+/)).toEqual(['ID', 'NAME', 'STATE', 'GRPC', 'HTTP', 'PEER', 'VERSION', 'INSTANCE']);
  expect(row?.split(/\s+/)).toEqual(['', '1', 'node-1', 'up', '127.0.0.1:9090', '127.0.0.1:8080', '-', '-', 'i1']);
});

const exposition = `# HELP a_total things
# TYPE a_total counter
a_total{kind="x",note="a\\"b\\\\c\\nd"} 3
a_seconds_bucket{le="+Inf"} 5
a_seconds_sum 1.5
b_bytes +Inf 1700000000
`;

test('metrics are rows without buckets, filtered by name', async () => {
  const node = createMemoryNode();
  node.metricsText = exposition;
  const json = JSON.parse((await runCommand(['metrics', '-o', 'json'], { node })).stdout);
  expect(json).toEqual([
    { name: 'a_total', labels: { kind: 'x', note: 'a"b\\c\nd' }, value: 3 },
    { name: 'a_seconds_sum', labels: {}, value: 1.5 },
    { name: 'b_bytes', labels: {}, value: 'Infinity' },
  ]);
  const table = (await runCommand(['metrics', '--filter', 'a_', '--buckets'], { node })).stdout;
  expect(table.split('\n').map((line) => line.split(/\s+/)[0])).toEqual([
    'METRIC',
    'a_total',
    'a_seconds_bucket',
    'a_seconds_sum',
    '',
  ]);
  expect(table).not.toContain('\nd');
});

test('metrics --raw is the text of the node, unchanged', async () => {
  const node = createMemoryNode();
  node.metricsText = exposition;
  expect((await runCommand(['metrics', '--raw'], { node })).stdout).toBe(exposition);
});

test('an exposition of anything is parsed without failing', () => {
  expect([...parseExposition('}{\n\n# only\nname{unclosed 1\nx 1')]).toEqual([{ name: 'x', labels: {}, value: 1 }]);
});

test('shutdown does nothing unless it is confirmed', async () => {
  const node = createMemoryNode();
  const refused = await runCommand(['shutdown'], { node });
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain('repeat with --yes');
  expect(node.calls).toEqual([]);
  expect((await runCommand(['shutdown', '--yes', '--drain-ms', '500'], { node })).code).toBe(0);
  expect(node.calls).toEqual(['shutdown 500', 'close']);
});

test('shutdown --leave takes the node that is asked out of the cluster', async () => {
  const node = createMemoryNode();
  expect((await runCommand(['shutdown', '--leave'], { node })).stderr).toContain('for good');
  const left = await runCommand(['shutdown', '--leave', '--yes'], { node });
  expect(left).toMatchObject({ code: 0, stdout: 'Node 1  leaving; it ends when it is out\n' });
  await runCommand(['shutdown', '--leave', '--force', '--yes'], { node });
  expect(node.calls.filter((call) => /leave|shutdown/.test(call))).toEqual(['leave 1', 'leave 1 by force']);
  const unclear = [['--leave', '--endpoint', 'a:1,b:2'], ['--leave', '--drain-ms', '5'], ['--force']];
  for (const flags of unclear) expect((await runCommand(['shutdown', '--yes', ...flags], { node })).code).toBe(2);
});

test('version is that of the tool; --server asks the node too', async () => {
  const node = createMemoryNode();
  expect((await runCommand(['version'], { node })).stdout).toMatch(/^shanghaictl +1\.2\.3$/m);
  expect(node.calls).toEqual([]);
  expect(JSON.parse((await runCommand(['version', '--server', '-o', 'json'], { node })).stdout)).toMatchObject({
    server: '9.8.7',
  });
  expect((await runCommand(['--version'])).stdout).toBe('1.2.3\n');
});

test.each([
  ['degraded', 21, 'CLUSTER_DEGRADED'],
  ['unavailable', 22, 'CLUSTER_UNAVAILABLE'],
] as const)('status of a cluster that is %s says why, and ends with %i', async (state, exit, error) => {
  const node = { ...createMemoryNode(), health: { state, reasons: [{ state, nodeId: 3, text: 'node 3 is down' }] } };
  const { code, stdout, stderr } = await runCommand(['status'], { node });
  expect(code).toBe(exit);
  expect(stdout).toMatch(new RegExp(`^State +${state}\\n {2}because +node 3 is down$`, 'm'));
  expect(stderr).toBe(`shanghaictl: the cluster is ${state}: node 3 is down (${error})\n`);
  const json = await runCommand(['status', '-o', 'json'], { node });
  expect(JSON.parse(json.stdout)).toMatchObject({ state, reasons: [{ nodeId: 3 }] });
});

test('status --until-healthy tells every change, also that nobody answers, and ends when it is healthy', async () => {
  const node = createMemoryNode();
  const states = [
    { state: 'unavailable' as const, reasons: [{ state: 'unavailable' as const, text: 'group 1 has no leader' }] },
    { state: 'unavailable' as const, reasons: [{ state: 'unavailable' as const, text: 'group 1 has no leader' }] },
    undefined,
    { state: 'healthy' as const, reasons: [] },
  ];
  node.before = () => {
    const next = states.shift();
    if (next === undefined) throw new CtlError('SERVICE_UNAVAILABLE', 'nobody answers');
    node.health = next;
  };
  const { code, stdout } = await runCommand(['status', '--until-healthy', '--interval-ms', '10', '-o', 'json'], {
    node,
  });
  expect(code).toBe(0);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map((line) => [line.state, ...line.reasons])).toEqual([
    ['unavailable', 'group 1 has no leader'],
    ['unreachable', 'nobody answers (SERVICE_UNAVAILABLE)'],
    ['healthy'],
  ]);
});
