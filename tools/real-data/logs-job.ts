/**
 * `pnpm real-data:logs`: six thousand mails into one log of mode multi-master, through all three nodes of a cluster at once.
 * In the middle one node is cut off from the others and goes on taking mails, as they do; then the ways are opened again.
 * In the end all three hold the same: what each node took, in its order, byte for byte. Ends with exit code 1 at the first
 * thing that is not as it must be.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { LogOrder } from '@shanghai/proto';
import { cutLinks } from '../nemesis/cut-links.js';
import type { Network } from '../nemesis/network.js';
import { openProxies, preloadPath } from '../nemesis/proxies.js';
import { LogCopy, type StreamCopy } from './log-copy.js';
import { mailFiles } from './mails.js';
import { killAll, type RunningNode, startNode } from './processes.js';

const scratch = mkdtempSync(join(tmpdir(), 'shanghai-real-logs-'));
const ids = [1, 2, 3] as const;
const cutOff = 3;
/** Appends of one node that are under way at once. They keep no order among each other, so their order is the log's to tell. */
const callers = 8;
const patienceMs = 120_000;

type Mail = ReturnType<typeof mailFiles>[number];

function say(text: string): void {
  console.log(`real data, logs: ${text}`);
}

/** Nodes that reach each other by ways that can be closed. */
async function startNodes(network: Network): Promise<readonly RunningNode[]> {
  const members = ids.map((id) => `${id}=127.0.0.1:${network.addressOf(id).peerPort}`).join(',');
  return Promise.all(
    ids.map((id) => {
      const { httpPort, grpcPort, peerPort } = network.addressOf(id);
      const ports = ['--http-port', httpPort, '--grpc-port', grpcPort, '--peer-port', peerPort].map(String);
      const flags = ['--node-id', String(id), '--initial-cluster', members, ...ports];
      const { env } = network.launch(id, ['']);
      const preload = { NODE_OPTIONS: `--import ${pathToFileURL(preloadPath).href}` };
      return startNode(join(scratch, `node-${id}`), flags, { ...env, ...preload });
    }),
  );
}

/** The log cannot be made before there is a leader. */
async function createWhenLed(copy: LogCopy): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  for (;;) {
    try {
      await copy.create();
      return;
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
      await sleep(100);
    }
  }
}

/** Every node takes a third of the mails, all three at once. Adds what each took to `taken`. */
async function appendThroughAll(
  copies: readonly LogCopy[],
  mails: readonly Mail[],
  taken: Set<string>[],
): Promise<void> {
  const append = async (copy: LogCopy, node: number) => {
    const own = mails.filter((_, i) => i % copies.length === node);
    const caller = async (first: number) => {
      for (let i = first; i < own.length; i += callers) {
        const { name, path } = own[i] as Mail;
        await copy.append(name, readFileSync(path));
        taken[node]?.add(name);
      }
    };
    await Promise.all(Array.from({ length: callers }, (_, first) => caller(first)));
  };
  await Promise.all(copies.map(append));
}

async function untilAllHold(copies: readonly LogCopy[], mails: number): Promise<string> {
  const deadlineMs = Date.now() + patienceMs;
  for (;;) {
    const positions = await Promise.all(copies.map((copy) => copy.positions()));
    const texts = positions.map((one) => one.map(([stream, last]) => `${stream}:${last}`).join(' '));
    const held = positions.map((one) => one.reduce((sum, [, last]) => sum + Number(last), 0));
    if (new Set(texts).size === 1 && held[0] === mails) return texts[0] as string;
    assert.ok(Date.now() < deadlineMs, `the copies stay apart: ${texts.join(' | ')}`);
    await sleep(100);
  }
}

/** Order of time is the same everywhere, as far as it goes. It goes to the end soon after the last append. */
async function compareOrder(copies: readonly LogCopy[], mails: number): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  for (;;) {
    const orders = await Promise.all(copies.map((copy) => copy.entries(LogOrder.LOG_ORDER_TIME)));
    const names = orders.map((entries) => entries.map(({ key }) => Buffer.from(key).toString()));
    const shortest = Math.min(...names.map(({ length }) => length));
    for (const one of names)
      assert.deepEqual(one.slice(0, shortest), names[0]?.slice(0, shortest), 'the order of time');
    if (shortest === mails) return;
    assert.ok(Date.now() < deadlineMs, `the order of time goes to entry ${shortest} of ${mails}`);
    await sleep(500);
  }
}

function compareStreams(all: readonly (readonly StreamCopy[])[], taken: readonly Set<string>[]): void {
  const [first = []] = all;
  for (const streams of all) assert.deepEqual(streams, first, 'the copies differ');
  for (const [node, names] of taken.entries()) {
    const origin = String(node + 1);
    const keys = first.filter(({ stream }) => stream.split('.')[0] === origin).flatMap((copy) => copy.keys);
    assert.equal(keys.length, names.size, `entries of node ${origin}`);
    assert.deepEqual(new Set(keys), names, `mails of node ${origin}`);
  }
  for (const { stream, keys, checksum } of first) {
    say(`${stream}: ${keys.length} entries, the same on all three: ${checksum.slice(0, 16)}`);
  }
}

async function run(): Promise<void> {
  const mails = mailFiles();
  const network = await openProxies(ids.length);
  const nodes = await startNodes(network);
  const copies = nodes.map(({ grpc }) => new LogCopy(grpc, 'mails'));
  const [one] = copies as [LogCopy];
  await createWhenLed(one);
  const taken = ids.map(() => new Set<string>());
  const [third, rest] = [Math.floor(mails.length / 3), Math.floor((mails.length * 2) / 3)];
  await appendThroughAll(copies, mails.slice(0, third), taken);
  await untilAllHold(copies, third);
  say(`${third} mails through all three nodes`);

  const links = cutLinks('isolate', [cutOff, ...ids.filter((id) => id !== cutOff)]);
  await network.close(links);
  await appendThroughAll(copies, mails.slice(third, rest), taken);
  const apart = (await Promise.all(copies.map((copy) => copy.positions()))).map((positions) =>
    JSON.stringify(positions, text),
  );
  assert.notEqual(apart[0], apart[cutOff - 1], 'a node that is cut off holds what the others hold');
  say(`${rest - third} more while node ${cutOff} was cut off: all three took their share`);

  await network.open(links);
  await appendThroughAll(copies, mails.slice(rest), taken);
  say(`healed, and the last ${mails.length - rest}: ${await untilAllHold(copies, mails.length)} on all three`);
  compareStreams(await Promise.all(copies.map((copy) => copy.streams())), taken);
  await compareOrder(copies, mails.length);
  say('read in order of time the log is the same on all three');
  for (const copy of copies) copy.close();
  await Promise.all(nodes.map((node) => node.stop()));
  await network.remove();
}

function text(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
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
