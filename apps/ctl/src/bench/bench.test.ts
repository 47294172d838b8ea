import { expect, test } from 'vitest';
import { CtlError } from '../ctl-error.js';
import { createMemoryNode } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

test('bench sends so many requests, counts each once and removes its keys', async () => {
  const node = createMemoryNode();
  const argv = [
    'bench',
    '--operations',
    '500',
    '--keys',
    '20',
    '--value-bytes',
    '16',
    '--concurrency',
    '7',
    '-o',
    'json',
  ];
  const result = await runCommand(argv, { node });
  expect(result.code).toBe(0);
  const report = JSON.parse(result.stdout);
  expect(report).toMatchObject({ total: 500, completed: 500, errors: {}, concurrency: 7 });
  expect(report.latency.put.count + report.latency.get.count).toBe(500);
  expect(node.calls.filter((call) => call === 'put')).toHaveLength(report.latency.put.count);
  expect(node.calls.filter((call) => call === 'get')).toHaveLength(report.latency.get.count);
  expect(report.latency.get.p50Ms).toBeLessThanOrEqual(report.latency.get.maxMs);
  expect(node.keys.size).toBe(0);
});

test('failed requests are counted by code and are no part of throughput or latency', async () => {
  const node = createMemoryNode();
  let puts = 0;
  node.before = (call) => {
    if (call === 'put' && ++puts % 4 === 0) throw new CtlError('RESOURCE_EXHAUSTED', 'too much');
  };
  const argv = ['bench', '--operations', '100', '--get-share', '0', '-o', 'json', '--keep'];
  const result = await runCommand(argv, { node });
  expect(result.code).toBe(0);
  expect(JSON.parse(result.stdout)).toMatchObject({ total: 100, completed: 75, errors: { RESOURCE_EXHAUSTED: 25 } });
  expect(node.calls).not.toContain('batch');
  expect(node.keys.size).toBeGreaterThan(0);
});

test('bench fails when every request did', async () => {
  const node = createMemoryNode();
  node.before = (call) => {
    if (call === 'put') throw new CtlError('STORAGE_FULL', 'full');
  };
  const result = await runCommand(['bench', '--operations', '10', '--get-share', '0'], { node });
  expect(result.code).toBe(1);
  expect(result.stdout).toMatch(/^Errors +STORAGE_FULL 10$/m);
});

test('the same seed sends the same requests', async () => {
  const run = async (seed: string) => {
    const node = createMemoryNode();
    await runCommand(['bench', '--operations', '50', '--concurrency', '1', '--seed', seed, '-q'], { node });
    return node.calls.join();
  };
  expect(await run('1')).toBe(await run('1'));
  expect(await run('1')).not.toBe(await run('2'));
});

test.each([
  ['--get-share', '2'],
  ['--concurrency', '0'],
  ['--prefix', ''],
  ['--operations', '0'],
])('%s %j is refused', async (...options) => {
  expect((await runCommand(['bench', ...options])).code).toBe(2);
});
