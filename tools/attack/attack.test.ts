/** The attacks that need no cluster, small, on a node in this process; `pnpm attack` makes all of them on three real ones. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSeededRandom } from '@shanghai/env';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loggerOf, type RunningServer, startServer } from '../../apps/server/src/compose.js';
import { resolveConfig } from '../../apps/server/src/config/resolve-config.js';
import { attacks } from './all-attacks.js';
import type { Target } from './attack.js';

const scale = 0.01;
const alone = ['rubbish', 'half-open', 'frames without end', 'compressed bombs', 'bodies', 'slow pipeline', 'pages'];

let server: RunningServer;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'shanghai-attacked-'));
  const flags = { dataDir: directory, httpPort: '0', grpcPort: '0', logLevel: 'silent' };
  const { config } = resolveConfig({ flags });
  server = await startServer(config, '1.0.0', loggerOf(config));
});
afterAll(async () => {
  await server.close(0);
  rmSync(directory, { recursive: true, force: true });
});

test.each(alone)('an attacked node answers what is right, and serves on: %s', async (name) => {
  const attack = attacks.find((one) => one.name === name);
  if (attack === undefined) throw new Error(`there is no attack '${name}'`);
  const { clusterId } = server.node.status();
  const target: Target = { nodeId: 1, ...server.addresses, clusterId, instanceId: '' };
  const { peer: _none, ...withoutPeers } = target;
  const answers = new Set<string>();
  const told = (answer: string) => void answers.add(answer);
  await attack.run({ targets: [withoutPeers], random: createSeededRandom(7), scale, told });
  expect(answers.size).toBeGreaterThan(0);
  for (const answer of answers) expect(answer).toMatch(attack.answers);
  const url = `http://${server.addresses.http}/kv?key=after`;
  const headers = { 'content-type': 'application/json', connection: 'close' };
  expect((await fetch(url, { method: 'PUT', headers, body: '{"value":"v"}' })).status).toBe(200);
});
