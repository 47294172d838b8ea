/** Whole servers over real sockets, and the real client: every node is restarted in turn while a client writes and reads. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@shanghai/client/grpc';
import { freePorts } from '@shanghai/env/testing';
import { createLogger } from '@shanghai/telemetry';
import { afterEach, expect, test } from 'vitest';
import { type RunningServer, startServer } from '../src/compose.js';
import { resolveConfig } from '../src/config/resolve-config.js';

const running = new Map<number, RunningServer>();
let directory = '';

afterEach(async () => {
  await Promise.all([...running.values()].map((server) => server.close(0).catch(() => undefined)));
  running.clear();
  await rm(directory, { recursive: true, force: true });
});

async function start(nodeId: number, flags: Readonly<Record<string, string>>): Promise<void> {
  const dataDir = join(directory, String(nodeId));
  const { config } = resolveConfig({ flags: { dataDir, nodeId: String(nodeId), ...flags } });
  running.set(nodeId, await startServer(config, '0.0.0', createLogger({ level: 'silent', format: 'json' })));
}

async function untilReady(nodeId: number): Promise<void> {
  while (
    running
      .get(nodeId)
      ?.node.readiness()
      .every(({ ok }) => ok) !== true
  ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test.each([5000, 0])(
  'a rolling restart under load, drained for %i ms, fails no call and loses no write',
  async (drainMs) => {
    directory = await mkdtemp(join(tmpdir(), 'shanghai-rolling-'));
    const ids = [1, 2, 3];
    const ports = await freePorts(9);
    const port = (id: number, which: number) => String(ports[(id - 1) * 3 + which]);
    const initialCluster = ids.map((id) => `${id}=127.0.0.1:${port(id, 0)}`).join(',');
    const own = (id: number) => ({ httpPort: port(id, 1), grpcPort: port(id, 2), drainMs: '5000' });
    await Promise.all(ids.map((id) => start(id, { ...own(id), initialCluster })));
    for (const id of ids) await untilReady(id);
    const client = connect({ endpoints: ids.map((id) => `127.0.0.1:${port(id, 2)}`), timeoutMs: 30_000 });
    let isOver = false;
    let written = 0;
    const failures: string[] = [];
    const work = Array.from({ length: 8 }, async (_, worker) => {
      let i = 0;
      for (; !isOver; i++) {
        try {
          await client.append(`list-${worker}`, `${i},`);
          written++;
          const list = await client.getText(`list-${worker}`);
          if (list?.endsWith(`,${i},`) !== true && list !== '0,')
            failures.push(`${worker}/${i}: read ${list?.slice(-20)}`);
        } catch (error) {
          failures.push(`${worker}/${i}: ${String(error)}`);
        }
      }
      return i;
    });
    const untilWritten = async (more: number) => {
      const wanted = written + more;
      while (written < wanted) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    for (const id of ids) {
      await untilWritten(20);
      await running.get(id)?.close(drainMs);
      await start(id, own(id));
      await untilReady(id);
    }
    isOver = true;
    const counts = await Promise.all(work);
    expect(failures).toEqual([]);
    for (const [worker, count] of counts.entries()) {
      const list = ((await client.getText(`list-${worker}`)) ?? '').split(',').slice(0, -1).map(Number);
      expect(list).toEqual(Array.from({ length: count }, (_, i) => i));
    }
    await client.close();
  },
);
