/** A cluster of real processes, as users run it: one of them is killed, all of them start again without flags. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '@shanghai/env/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ServerProcess, startServerProcess } from './server-process.js';

let directory: string;
const running = new Map<number, ServerProcess>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shanghai-cluster-'));
});
afterEach(async () => {
  await Promise.all([...running.values()].map((server) => server.stop('SIGKILL')));
  running.clear();
  await rm(directory, { recursive: true, force: true });
});

async function start(nodeId: number, flags: readonly string[] = []): Promise<void> {
  running.set(nodeId, await startServerProcess(join(directory, String(nodeId)), flags));
}

interface Answer {
  readonly status: number;
  readonly body: { readonly data?: { readonly value?: string }; readonly error?: { readonly code: string } };
  /** The HTTP address of the leader that the request was passed on to. */
  readonly leader: string | null;
}

/** Asks a node; while it refuses for want of a leader, again. */
async function ask(nodeId: number, key: string, value?: string): Promise<Answer> {
  const url = `http://127.0.0.1:${running.get(nodeId)?.httpPort}/kv/${key}`;
  const headers = { 'Content-Type': 'application/json' };
  const put = { method: 'PUT', headers, body: JSON.stringify({ value }) };
  for (;;) {
    const response = await fetch(url, value === undefined ? {} : put);
    const body = (await response.json()) as Answer['body'];
    const answer = { status: response.status, body, leader: response.headers.get('X-Shanghai-Leader') };
    // Without a leader, before the cluster is made, and where the leader died with the question.
    if (!['CLUSTER_ERROR', 'SERVICE_UNAVAILABLE', 'OUTCOME_UNKNOWN'].includes(body.error?.code ?? '')) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function value(nodeId: number, key: string): Promise<string | undefined> {
  return (await ask(nodeId, key)).body.data?.value;
}

it('three processes take writes at every node, survive the death of their leader, and start again without flags', async () => {
  const peers = (await freePorts(3)).map((port, i) => `${i + 1}=127.0.0.1:${port}`).join(',');
  const ids = [1, 2, 3];
  await Promise.all(ids.map((id) => start(id, ['--node-id', String(id), '--initial-cluster', peers])));
  for (const id of ids) expect((await ask(id, `k${id}`, `v${id}`)).status).toBe(200);
  for (const id of ids) for (const other of ids) expect(await value(id, `k${other}`)).toBe(`v${other}`);
  const leaders = await Promise.all(ids.map(async (id) => (await ask(id, 'who', 'x')).leader));
  const port = Number(
    leaders
      .find((leader) => leader !== null)
      ?.split(':')
      .at(-1),
  );
  const leaderId = ids.find((id) => running.get(id)?.httpPort === port) as number;
  await running.get(leaderId)?.stop('SIGKILL');
  running.delete(leaderId);
  const [survivor, other] = [...running.keys()] as [number, number];
  await ask(survivor, 'after', 'y');
  expect(await value(other, 'after')).toBe('y');
  for (const id of ids) expect(await value(survivor, `k${id}`)).toBe(`v${id}`);
  await Promise.all([...running.values()].map((server) => server.stop()));
  running.clear();
  await Promise.all(ids.map((id) => start(id)));
  for (const id of ids) {
    expect(await value(id, 'after')).toBe('y');
    for (const one of ids) expect(await value(id, `k${one}`)).toBe(`v${one}`);
  }
});
