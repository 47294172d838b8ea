/** Members in processes of their own, on loopback: killed, stopped, parted. Needs the build. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@shanghai/env/testing';
import { afterEach, test } from 'vitest';

const isDeep = process.env.SHANGHAI_DEEP === '1';
const script = fileURLToPath(new URL('node-process.mjs', import.meta.url));

interface Running {
  readonly nodeId: number;
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  states: Readonly<Record<string, string>>;
  isIsolated: boolean;
}

let running: Running[] = [];
let changed: () => void = () => undefined;
let said = '';

afterEach(() => {
  for (const { child } of running) child.kill('SIGKILL');
  running = [];
});

function start(nodeId: number, ports: readonly number[]): Running {
  const seeds = ports.slice(0, 2).filter((_, i) => i + 1 !== nodeId);
  const args = [script, nodeId, ports[nodeId - 1], ...(nodeId === 1 ? [] : seeds)].map(String);
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const one: Running = { nodeId, child, states: {}, isIsolated: false };
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    Object.assign(one, JSON.parse(line));
    changed();
  });
  running.push(one);
  return one;
}

/** Waits until it holds; looks whenever somebody says something. */
async function until(what: string, holds: () => boolean): Promise<void> {
  while (!holds()) {
    const next = new Promise<'changed'>((resolve) => {
      changed = () => resolve('changed');
    });
    const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), 20_000).unref());
    if ((await Promise.race([next, late])) === 'late') {
      const seen = running.map(({ nodeId, states }) => `${nodeId}: ${JSON.stringify(states)}`);
      throw new Error(`it did not come that ${what}:\n${seen.join('\n')}\n${said}`);
    }
  }
}

/** Whether each of some sees each of others in a state. */
function see(by: readonly Running[], others: readonly Running[], state: string): boolean {
  return by.every(({ nodeId, states }) =>
    others.every((other) => other.nodeId === nodeId || states[other.nodeId] === state),
  );
}

async function startAll(count: number): Promise<readonly [readonly Running[], readonly number[]]> {
  const ports = await freePorts(count);
  for (let nodeId = 1; nodeId <= count; nodeId++) start(nodeId, ports);
  await until('all see all', () => see(running, running, 'up'));
  return [[...running], ports];
}

test('a process that is killed is down for all others, one that leaves has left', async () => {
  const [all, ports] = await startAll(isDeep ? 10 : 3);
  const [victim, leaver, ...others] = [...all].reverse() as [Running, Running, ...Running[]];
  victim.child.kill('SIGKILL');
  await until('it is down', () => see([leaver, ...others], [victim], 'down'));
  leaver.child.stdin.write('leave\n');
  await until('it has left', () => see(others, [leaver], 'left'));
  running = running.filter((one) => one !== victim && one !== leaver);
  const again = start(victim.nodeId, ports);
  await until('it is back', () => see([...others, again], [...others, again], 'up'));
});

test.runIf(isDeep)('ten processes: one is stopped and goes on, halves are parted and meet again', async () => {
  const [all] = await startAll(10);
  const [stopped, ...others] = [...all].reverse() as [Running, ...Running[]];
  stopped.child.kill('SIGSTOP');
  await until('it is down', () => see(others, [stopped], 'down'));
  stopped.child.kill('SIGCONT');
  await until('it is up', () => see(others, [stopped], 'up'));
  await until('all see all', () => see(all, all, 'up'));
  const [left, right] = [all.slice(0, 5), all.slice(5)];
  for (const [half, other] of [
    [left, right],
    [right, left],
  ] as const) {
    for (const { child } of half) child.stdin.write(`refuse ${other.map(({ nodeId }) => nodeId).join()}\n`);
  }
  await until('each half sees the other one down', () => see(left, right, 'down') && see(right, left, 'down'));
  await until('each half sees itself', () => see(left, left, 'up') && see(right, right, 'up'));
  for (const { child } of all) child.stdin.write('refuse 0\n');
  await until('all see all again', () => see(all, all, 'up'));
});
