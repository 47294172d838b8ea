import { expect, test } from 'vitest';
import { createMemoryNode } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

async function nodeWithConsumer() {
  const node = createMemoryNode();
  await runCommand(['log', 'create', 'events'], { node });
  await runCommand(['log', 'append', 'events', 'a', 'b', 'c'], { node });
  await runCommand(['log', 'commit', 'events', 'mailer', '2'], { node });
  return node;
}

test('log consumers shows how far each is behind, and what is not known as such', async () => {
  const node = await nodeWithConsumer();
  const { stdout } = await runCommand(['log', 'consumers', 'events'], { node });
  const [head = '', line = ''] = stdout.split('\n');
  expect(head.split(/ {2,}/)).toEqual(['CONSUMER', 'GENERATION', 'POSITION', 'BEHIND', 'SINCE', 'LOST', 'COMMITTED']);
  expect(line.trim().split(/ {2,}/).slice(0, 6)).toEqual(['mailer', '1', '2', '1', '1.0 s', '?']);
  expect(JSON.parse((await runCommand(['log', 'consumers', 'events', '-o', 'json'], { node })).stdout)).toMatchObject([
    { name: 'mailer', positions: [{ origin: 0, epoch: 1, sequence: 2 }], lags: [{ entries: 1 }] },
  ]);
});

test('log commit in another generation is exit code 9, and a word is no sequence', async () => {
  const node = await nodeWithConsumer();
  expect((await runCommand(['log', 'commit', 'events', 'mailer', '3', '--generation', '2'], { node })).code).toBe(9);
  expect((await runCommand(['log', 'commit', 'events', 'mailer', 'three'], { node })).code).toBe(2);
});

test.each([
  ['start', '"start"'],
  ['end', '"end"'],
  ['@2026-01-31T12:00:00Z', '{"timeMs":1769860800000}'],
  ['@1769860800000', '{"timeMs":1769860800000}'],
  ['7', '{"positions":[{"sequence":7}]}'],
])('log seek --to %s asks for it', async (to, asked) => {
  const node = await nodeWithConsumer();
  const argv = ['log', 'seek', 'events', 'mailer', '--to', to, '-o', 'json'];
  const { code, stdout } = await runCommand(argv, { node });
  expect(code).toBe(0);
  expect(node.calls).toContain(`log seek ${asked}`);
  expect(JSON.parse(stdout)).toMatchObject({ generation: 2, earlierPositions: [{ sequence: 2 }] });
});

test('log seek says where to, and with --dry-run changes nothing', async () => {
  const node = await nodeWithConsumer();
  expect((await runCommand(['log', 'seek', 'events', 'mailer'], { node })).code).toBe(2);
  expect((await runCommand(['log', 'seek', 'events', 'mailer', '--to', '@noon'], { node })).code).toBe(2);
  const dry = await runCommand(['log', 'seek', 'events', 'mailer', '--to', 'end', '--dry-run'], { node });
  expect(dry.stdout).toMatch(/^position +3$/m);
  expect(node.consumers.get('events/mailer')).toMatchObject({ generation: 1, positions: [{ sequence: 2 }] });
});

test('log forget and log trim ask first', async () => {
  const node = await nodeWithConsumer();
  expect((await runCommand(['log', 'forget', 'events', 'mailer'], { node })).code).toBe(2);
  expect((await runCommand(['log', 'trim', 'events', '3'], { node })).code).toBe(2);
  expect(node.consumers.size).toBe(1);
  expect((await runCommand(['log', 'forget', 'events', 'mailer', '-y'], { node })).code).toBe(0);
  expect(node.consumers.size).toBe(0);
  expect((await runCommand(['log', 'trim', 'events', '3', '-y'], { node })).stdout).toMatch(/^kept +3 to 3$/m);
});

test('log trim takes one origin, the vector of several, or a time, and not two of them', async () => {
  const node = await nodeWithConsumer();
  const trim = (...words: string[]) => runCommand(['log', 'trim', 'events', ...words, '-y'], { node });
  const many = await trim('1:3,2.4:7', '--force');
  expect(many.stdout).toMatch(/^kept of 1\.1 +3 to 3\nkept of 2\.1 +nothing$/m);
  await trim('--before', '1970-01-01T00:00:01Z');
  expect(node.calls.filter((call) => call.startsWith('log trim {'))).toEqual([
    'log trim {"positions":[{"origin":1,"sequence":2},{"origin":2,"epoch":4,"sequence":6}]} force',
    'log trim {"beforeMs":1000}',
  ]);
  for (const words of [[], ['3', '--before', '1'], ['1:0'], ['1:x'], ['1.2.3:4'], ['--before', 'soon']]) {
    expect((await trim(...words)).code).toBe(2);
  }
});

test('log commit takes the positions of several origins', async () => {
  const node = await nodeWithConsumer();
  expect((await runCommand(['log', 'commit', 'events', 'mailer', '1.1:3 2:4'], { node })).code).toBe(0);
  expect(node.calls).toContain('log commit [{"origin":1,"epoch":1,"sequence":3},{"origin":2,"sequence":4}]');
});

test('log producer shows where one is to go on, and read begins before the end', async () => {
  const node = await nodeWithConsumer();
  expect((await runCommand(['log', 'producer', 'events', '7'], { node })).stdout).toMatch(/^Last record +5$/m);
  expect((await runCommand(['log', 'producer', 'events', '8'], { node })).stdout).toMatch(/not known/);
  const { stdout } = await runCommand(['log', 'read', 'events', '--last', '2', '--values'], { node });
  expect(stdout).toBe('b\nc\n');
  expect((await runCommand(['log', 'read', 'events', '--last', '2', '--from', '1'], { node })).code).toBe(2);
});
