import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as env from '@shanghai/env';
import { freePorts } from '@shanghai/env/testing';
import * as wal from '@shanghai/wal';
import { expect, test } from 'vitest';
import * as grpc from '../src/grpc/index.js';
import { defaultGrpcReplicationLimits } from '../src/grpc/index.js';
import * as root from '../src/index.js';
import * as testing from '../src/testing/index.js';
import * as walStore from '../src/wal/index.js';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
const modules: Readonly<Record<string, unknown>> = {
  '@shanghai/env': env,
  '@shanghai/wal': wal,
  '@shanghai/replication': root,
  '@shanghai/replication/grpc': grpc,
  '@shanghai/replication/testing': testing,
  '@shanghai/replication/wal': walStore,
};
const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<unknown>;

function example(heading: string): string {
  const section = readme.slice(readme.indexOf(`\n## ${heading}\n`));
  return (/```ts\n([\s\S]*?)```/.exec(section)?.[1] ?? '')
    .replaceAll(/^import \{ (.+) \} from '(.+)';$/gm, "const { $1 } = modules['$2'];")
    .replace('export async function openNode', 'return async function openNode');
}

test('the example prints what it says', async () => {
  const printed: string[] = [];
  const shown = (value: unknown) =>
    JSON.stringify(value).replaceAll('"', "'").replace('[', '[ ').replace(']', ' ]').replaceAll(',', ', ');
  const fakeConsole = {
    log: (value: unknown) => printed.push(shown(value)),
    error: (error: unknown) => printed.push(String(error)),
  };
  const code = example('Example');
  await new AsyncFunction('modules', 'console', code)(modules, fakeConsole);
  expect(printed).toEqual([...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].map((match) => match[1]));
  expect(printed.length).toBeGreaterThan(1);
});

test('three nodes made as the README makes them hold what each of them wrote, on disks of their own', async () => {
  type OpenNode = (options: object) => Promise<{
    store: walStore.WalEntryStore;
    replicator: root.Replicator;
    close(): Promise<void>;
  }>;
  const openNode = (await new AsyncFunction('modules', 'console', example('On a disk, over gRPC'))(
    modules,
    console,
  )) as OpenNode;
  const directory = await mkdtemp(join(tmpdir(), 'shanghai-replication-'));
  const ports = await freePorts(3);
  const members = ports.map((port, at) => ({ nodeId: at + 1, address: `127.0.0.1:${port}` }));
  const nodes = await Promise.all(
    members.map(({ nodeId }, at) =>
      openNode({ nodeId, directory: join(directory, `${nodeId}`), port: ports[at], members }),
    ),
  );
  await Promise.all(
    nodes.map(async ({ store, replicator }, at) => {
      const data = Array.from({ length: 500 }, (_, i) => new TextEncoder().encode(`${at} ${i}`));
      const first = await store.append(7, data);
      await replicator.whenHeldBy({ logId: 7, origin: at + 1, epoch: store.ownEpoch() }, first + 499, 'all');
    }),
  );
  for (const { store } of nodes)
    expect(store.positions().map(({ lastSequence }) => lastSequence)).toEqual([500, 500, 500]);
  for (const { close } of nodes) await close();
  await rm(directory, { recursive: true });
});

test('the README has every limit', () => {
  for (const name of [...Object.keys(root.defaultReplicatorLimits), ...Object.keys(defaultGrpcReplicationLimits)]) {
    expect(readme, name).toContain(`\`${name}\``);
  }
});
