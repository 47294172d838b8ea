/**
 * `pnpm real-data`: the main job on real input, start to end. A node is started; the world's cities are imported; the
 * node is killed with -9 in the middle and started again; every acknowledged record is verified; ranges are asked by
 * HTTP, gRPC and CLI and must agree; six thousand mails go into a log while a second client tails it; the node is killed
 * and started once more, and everything is still there. Ends with exit code 1 at the first thing that is not as it must be.
 */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@shanghai/client/grpc';
import { citiesFile, cityKeyTemplate, expectedCityKeys } from './cities.js';
import { mailFiles } from './mails.js';
import { ctl, finished, killAll, type RunningNode, startCtl, startNode } from './processes.js';

const scratch = mkdtempSync(join(tmpdir(), 'shanghai-real-data-'));
const dataDirectory = join(scratch, 'data');
const acknowledgedFile = join(scratch, 'acknowledged.jsonl');
const importFlags = ['--key-template', cityKeyTemplate, '--batch', '50', '--concurrency', '8'];

function say(text: string): void {
  console.log(`real data: ${text}`);
}

function acknowledgedRecords(): number {
  return existsSync(acknowledgedFile) ? readFileSync(acknowledgedFile, 'utf8').split('\n').length - 1 : 0;
}

/** Imports until a good part is acknowledged, then kills the node. Returns the record to go on with. */
async function importAndKill(node: RunningNode, total: number): Promise<number> {
  const child = startCtl(node, ['kv', 'import', citiesFile, ...importFlags, '--acknowledged-file', acknowledgedFile]);
  const result = finished(child);
  const third = new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (acknowledgedRecords() < total / 3 && child.exitCode === null) return;
      clearInterval(timer);
      resolve();
    }, 5);
  });
  await third;
  assert.equal(child.exitCode, null, 'the import ended before the node was killed');
  await node.kill();
  const { code, stderr } = await result;
  assert.notEqual(code, 0, 'an import whose node was killed must not end well');
  const next = /--skip (\d+)/.exec(stderr)?.[1];
  assert.ok(next !== undefined, `the import does not say where to go on:\n${stderr}`);
  say(`killed the node with -9 after ${acknowledgedRecords()} acknowledged records; the import says: go on at ${next}`);
  return Number(next);
}

/** The same range asked in three ways. */
async function compareRanges(node: RunningNode, keys: readonly string[]): Promise<void> {
  const client = connect({ endpoints: [node.grpc] });
  for (const prefix of ['city:AD:', 'city:CN:Shanghai', 'city:NL:Am', 'city:IS:Þ', 'city:JP:', 'city:ZW:']) {
    const expected = keys.filter((key) => key.startsWith(prefix));
    const byGrpc: string[] = [];
    for await (const { key } of client.range({ prefix })) byGrpc.push(Buffer.from(key).toString());
    const byHttp = await rangeByHttp(node, prefix);
    const listed = await ctl(node, ['kv', 'range', '--prefix', prefix, '--output', 'json']);
    const byCli = (JSON.parse(listed.stdout) as { key: string }[]).map(({ key }) => key);
    assert.deepEqual(byGrpc, expected, `gRPC, ${prefix}`);
    assert.deepEqual(byHttp, expected, `HTTP, ${prefix}`);
    assert.deepEqual(byCli, expected, `CLI, ${prefix}`);
    say(`${prefix}* is the same ${expected.length} cities by HTTP, gRPC and CLI`);
  }
  await client.close();
}

async function rangeByHttp(node: RunningNode, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  let next: string | undefined;
  do {
    const query = new URLSearchParams({ prefix, ...(next === undefined ? {} : { next }) });
    const answer = await fetch(`${node.http}/kv/range?${query}`);
    assert.equal(answer.status, 200);
    const { data } = (await answer.json()) as { data: { pairs: { key: string }[]; next?: string } };
    keys.push(...data.pairs.map(({ key }) => key));
    next = data.next;
  } while (next !== undefined);
  return keys;
}

/** The mails' texts alone, one file each, as `log append --files` wants them. */
function collectMails(): string {
  const directory = join(scratch, 'mails');
  mkdirSync(directory);
  for (const { name, path } of mailFiles()) copyFileSync(path, join(directory, name));
  return directory;
}

/** Appends the mails while another client tails; both must have seen the same. */
async function appendAndTail(node: RunningNode, mails: string): Promise<number> {
  const names = readdirSync(mails).sort();
  const created = await ctl(node, ['log', 'create', 'mails']);
  assert.equal(created.code, 0, created.stderr);
  const tail = finished(startCtl(node, ['log', 'tail', 'mails', '--count', String(names.length), '--output', 'json']));
  const appended = await ctl(node, ['log', 'append', 'mails', '--files', mails]);
  assert.equal(appended.code, 0, appended.stderr);
  compareMails((await tail).stdout, mails, names, 'tailed');
  say(`${names.length} mails appended and tailed by a second client, byte for byte`);
  return names.length;
}

function compareMails(printed: string, mails: string, names: readonly string[], how: string): void {
  const entries = printed
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { sequence: number; key: string; value: string; valueEncoding?: string });
  assert.equal(entries.length, names.length, `mails ${how}`);
  entries.forEach((entry, index) => {
    const name = names[index] as string;
    const value = Buffer.from(entry.value, entry.valueEncoding === 'base64' ? 'base64' : 'utf8');
    assert.equal(entry.sequence, index + 1);
    assert.equal(entry.key, name);
    assert.ok(value.equals(readFileSync(join(mails, name))), `mail ${name}, ${how}`);
  });
}

async function run(): Promise<void> {
  const keys = expectedCityKeys();
  let node = await startNode(dataDirectory);
  const next = await importAndKill(node, keys.length);

  node = await startNode(dataDirectory);
  const survived = await ctl(node, [
    'kv',
    'import',
    citiesFile,
    ...importFlags,
    '--verify-only',
    '--acknowledged-file',
    acknowledgedFile,
  ]);
  assert.equal(survived.code, 0, `an acknowledged record was lost:\n${survived.stdout}${survived.stderr}`);
  say(`all ${acknowledgedRecords()} acknowledged records are there after the restart`);

  const rest = await ctl(node, ['kv', 'import', citiesFile, ...importFlags, '--skip', String(next)]);
  assert.equal(rest.code, 0, rest.stderr);
  const whole = await ctl(node, ['kv', 'import', citiesFile, ...importFlags, '--verify-only']);
  assert.equal(whole.code, 0, `${whole.stdout}${whole.stderr}`);
  say(`the rest is imported; all ${keys.length} cities verified`);
  await compareRanges(node, keys);

  const mails = collectMails();
  const count = await appendAndTail(node, mails);
  await node.kill();
  node = await startNode(dataDirectory);
  const again = await ctl(node, ['log', 'read', 'mails', '--output', 'json']);
  compareMails(again.stdout, mails, readdirSync(mails).sort(), 'read after kill -9');
  await compareRanges(node, keys);
  say(`killed with -9 and started once more: ${count} mails and ${keys.length} cities are all there`);
  await node.stop();
}

process.on('SIGINT', () => {
  killAll();
  rmSync(scratch, { recursive: true, force: true });
  process.exit(130);
});
try {
  await run();
  say('done');
} finally {
  killAll();
  rmSync(scratch, { recursive: true, force: true });
}
