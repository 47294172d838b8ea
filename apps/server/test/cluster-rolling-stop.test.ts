/** A cluster of real processes whose leaders are stopped one after the other, while clients of both kinds go on. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@shanghai/client/grpc';
import { freePorts } from '@shanghai/env/testing';
import { afterEach, expect, it } from 'vitest';
import { type ServerProcess, startServerProcess } from './server-process.js';

const running = new Map<number, ServerProcess>();
let directory = '';

afterEach(async () => {
  await Promise.all([...running.values()].map((server) => server.stop('SIGKILL')));
  running.clear();
  await rm(directory, { recursive: true, force: true });
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const ids = [1, 2, 3];

async function untilReady(port: number): Promise<void> {
  while ((await fetch(`http://127.0.0.1:${port}/readyz`)).status !== 200) await pause(50);
}

/** Who leads the data group, as the node says to which a write is passed on, or that takes it itself. */
async function dataLeader(httpPort: (id: number) => number): Promise<number> {
  const options = { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: '{"value":"x"}' };
  const { headers } = await fetch(`http://127.0.0.1:${httpPort(1)}/kv/who`, options);
  const named = headers.get('X-Shanghai-Leader');
  return ids.find((id) => named?.endsWith(`:${httpPort(id)}`)) ?? 1;
}

it('each leader is stopped in turn, by a signal or over HTTP, and no request fails, of our client or a plain one', async () => {
  directory = await mkdtemp(join(tmpdir(), 'shanghai-stop-'));
  const ports = await freePorts(9);
  const port = (id: number, which: number) => ports[(id - 1) * 3 + which] as number;
  const httpPort = (id: number) => port(id, 1);
  const initial = ids.map((id) => `${id}=127.0.0.1:${port(id, 0)}`).join(',');
  const start = async (id: number) => {
    const listeners = ['--http-port', String(port(id, 1)), '--grpc-port', String(port(id, 2))];
    const flags = ['--node-id', String(id), '--initial-cluster', initial, ...listeners];
    running.set(id, await startServerProcess(join(directory, String(id)), flags));
  };
  await Promise.all(ids.map(start));
  for (const id of ids) await untilReady(httpPort(id));
  const client = connect({ endpoints: ids.map((id) => `127.0.0.1:${port(id, 2)}`), timeoutMs: 30_000 });
  const failures: string[] = [];
  let isOver = false;
  let done = 0;
  const ours = async () => {
    for (let i = 0; !isOver; i++) {
      await client
        .append('ours', `${i},`)
        .then(() => client.getText('ours'))
        .then(
          (list) => list?.endsWith(`,${i},`) || i === 0 || failures.push(`ours ${i}: read ${list?.slice(-20)}`),
          (error: unknown) => failures.push(`ours ${i}: ${error}`),
        );
      done++;
    }
  };
  const plain = async (worker: number) => {
    for (let i = 0, at = worker; !isOver; i++) {
      const url = `http://127.0.0.1:${httpPort(ids[at % 3] as number)}/kv/plain-${worker}`;
      const body = JSON.stringify({ value: String(i) });
      const put = { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body };
      const answer = await fetch(url, i % 2 === 0 ? put : {}).catch((error: Error) => error);
      // Where nobody listens a balancer goes on to the next: nothing was sent.
      const isRefused = answer instanceof Error && (answer.cause as { code?: string }).code === 'ECONNREFUSED';
      if (isRefused) at++;
      else if (answer instanceof Error) failures.push(`plain ${worker}/${i}: ${answer} ${answer.cause}`);
      else if (answer.status !== 200) failures.push(`plain ${worker}/${i} at ${url}: ${await answer.text()}`);
      else await answer.arrayBuffer();
      done++;
    }
  };
  const work = [ours(), plain(0), plain(1), plain(2)];
  const untilDone = async (more: number) => {
    const wanted = done + more;
    while (done < wanted) await pause(10);
  };
  const stops = [
    (id: number) => running.get(id)?.process.kill('SIGTERM'),
    (id: number) =>
      fetch(`http://127.0.0.1:${httpPort(id)}/api/v1/shutdown`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{}',
      }),
  ];
  for (const [i, stop] of stops.entries()) {
    await untilDone(40);
    const id = await dataLeader(httpPort);
    const stopped = running.get(id) as ServerProcess;
    await stop(id);
    expect(await stopped.ended).toMatchObject({ code: 0, signal: null });
    await untilDone(40);
    if (i === stops.length - 1) break;
    await start(id);
    await untilReady(httpPort(id));
  }
  isOver = true;
  await Promise.all(work);
  await client.close();
  expect(failures).toEqual([]);
});
