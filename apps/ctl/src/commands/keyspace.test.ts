import { expect, test } from 'vitest';
import { createMemoryNode } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

test('keyspaces are made in a mode and listed', async () => {
  const node = createMemoryNode();
  const made = await runCommand(['keyspace', 'create', 'carts', '--mode', 'multi-master'], { node });
  expect([made.code, node.calls]).toEqual([0, ['create carts multi-master', 'close']]);
  expect(made.stdout).toContain('multi-master');
  const { stdout } = await runCommand(['keyspace', 'list'], { node });
  expect(stdout).toMatch(/''.*quorum.*-.*-\n.*carts.*multi-master.*1.*1/s);
  expect((await runCommand(['keyspace', 'create', 'x', '--mode', 'other'], { node })).code).toBe(2);
});

test('conflicts and held entries are shown with both versions and how far ahead', async () => {
  const node = createMemoryNode();
  const { stdout } = await runCommand(['kv', 'conflicts', '--keyspace', 'carts'], { node });
  expect(stdout).toMatch(/k\s+old\s+1\.1\/7\s+\(deleted\)\s+2\.1\/7/);
  const json = await runCommand(['kv', 'conflicts', '--keyspace', 'carts', '--output', 'json'], { node });
  expect(json.stdout).toContain('old');
  const held = await runCommand(['kv', 'held', '--keyspace', 'carts'], { node });
  expect(held.stdout).toMatch(/1\s+1\s+7\s+k\s+old\s+12/);
  expect(held.stderr).toContain('1 more');
});

test('a verdict asks first, and names a range of one stream', async () => {
  const node = createMemoryNode();
  const words = ['kv', 'verdict', 'drop', '--keyspace', 'carts', '--origin', '3', '--epoch', '1', '--from', '7'];
  const given = await runCommand([...words, '--to', '9', '--yes'], { node });
  expect([given.code, node.calls]).toEqual([0, ['drop carts 3.1 7-9', 'close']]);
  expect(given.stdout).toMatch(/Dropped.*3/);
  expect((await runCommand([...words, '--to', '6', '--yes'], { node })).code).toBe(2);
  expect((await runCommand(['kv', 'verdict', 'perhaps', ...words.slice(3), '--yes'], { node })).code).toBe(2);
});

test('reads name their level', async () => {
  const node = createMemoryNode();
  await runCommand(['kv', 'put', 'k', 'v'], { node });
  expect((await runCommand(['kv', 'get', 'k', '--level', 'stale'], { node })).stdout).toContain('v');
  expect((await runCommand(['kv', 'get', 'k', '--level', 'fresh'], { node })).code).toBe(2);
});
