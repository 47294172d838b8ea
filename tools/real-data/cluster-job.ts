/**
 * `pnpm real-data:cluster`: the world's cities into a cluster of three through one command, while the leader is killed with
 * -9 and started again three times. Then every city is verified, ranges agree at every node, and the replicas are the same
 * by checksum at one place of the log. Ends with exit code 1 at the first thing that is not as it must be.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { citiesFile, cityKeyTemplate, expectedCityKeys } from './cities.js';
import { ctlAt, finished, killAll, startCtlAt } from './processes.js';
import { ThreeNodes } from './three-nodes.js';

const scratch = mkdtempSync(join(tmpdir(), 'shanghai-real-cluster-'));
const acknowledgedFile = join(scratch, 'acknowledged.jsonl');
const importFlags = ['--key-template', cityKeyTemplate, '--batch', '50', '--concurrency', '8'];
const kills = 3;
const dataGroup = 1;

interface ReplicaRow {
  readonly groupId: number;
  readonly nodeId: number;
  readonly role: string;
  readonly term: number;
  readonly appliedIndex: number;
  readonly checksum?: string;
}

function say(text: string): void {
  console.log(`real data, cluster: ${text}`);
}

async function replicas(cluster: ThreeNodes, ...flags: readonly string[]): Promise<readonly ReplicaRow[]> {
  const { code, stdout, stderr } = await ctlAt(cluster.endpoints, ['replicas', '--output', 'json', ...flags]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as ReplicaRow[];
}

/** Who leads the group of the keys. */
async function leaderOf(cluster: ThreeNodes): Promise<number> {
  for (;;) {
    const rows = (await replicas(cluster)).filter(({ groupId, role }) => groupId === dataGroup && role === 'leader');
    const [leader] = rows.sort((a, b) => b.term - a.term);
    if (leader !== undefined) return leader.nodeId;
    await sleep(100);
  }
}

function acknowledgedRecords(): number {
  return existsSync(acknowledgedFile) ? readFileSync(acknowledgedFile, 'utf8').split('\n').length - 1 : 0;
}

/** One command, and a leader killed and started again whenever another quarter is there. */
async function importThroughKills(cluster: ThreeNodes, total: number): Promise<void> {
  const args = ['kv', 'import', citiesFile, ...importFlags, '--acknowledged-file', acknowledgedFile];
  const child = startCtlAt(cluster.endpoints, args);
  const result = finished(child);
  for (let kill = 1; kill <= kills; kill++) {
    while (acknowledgedRecords() < (total * kill) / (kills + 1)) {
      assert.equal(
        child.exitCode,
        null,
        `the import ended before kill ${kill}: ${(await Promise.race([result, sleep(1)]))?.stderr}`,
      );
      await sleep(20);
    }
    const leader = await leaderOf(cluster);
    await cluster.kill(leader);
    say(`killed node ${leader}, the leader, with -9 at ${acknowledgedRecords()} acknowledged records`);
    await cluster.start(leader);
  }
  const { code, stdout, stderr } = await result;
  assert.equal(code, 0, `the import failed:\n${stdout}${stderr}`);
  say(`the one import command ended well: ${acknowledgedRecords()} records, ${kills} leaders killed`);
}

/** All replicas have applied the same entries and hold the same state. */
async function compareReplicas(cluster: ThreeNodes): Promise<void> {
  const deadlineMs = Date.now() + 60_000;
  for (;;) {
    const rows = (await replicas(cluster, '--checksum')).filter(({ groupId }) => groupId === dataGroup);
    const places = new Set(rows.map(({ appliedIndex }) => appliedIndex));
    if (rows.length === 3 && places.size === 1) {
      const sums = new Set(rows.map(({ checksum }) => checksum));
      assert.ok(!sums.has(undefined), 'a replica has no checksum');
      assert.equal(sums.size, 1, `the replicas differ: ${JSON.stringify(rows)}`);
      say(`all three replicas are the same at entry ${[...places][0]}: checksum ${[...sums][0]}`);
      return;
    }
    assert.ok(Date.now() < deadlineMs, `the replicas do not come together: ${JSON.stringify(rows)}`);
    await sleep(200);
  }
}

async function countByHttp(http: string, prefix: string): Promise<number> {
  let count = 0;
  let next: string | undefined;
  do {
    const query = new URLSearchParams({ prefix, ...(next === undefined ? {} : { next }) });
    const answer = await fetch(`${http}/kv/range?${query}`);
    assert.equal(answer.status, 200);
    const { data } = (await answer.json()) as { data: { pairs: unknown[]; next?: string } };
    count += data.pairs.length;
    next = data.next;
  } while (next !== undefined);
  return count;
}

async function run(): Promise<void> {
  const keys = expectedCityKeys();
  const cluster = await ThreeNodes.at(scratch);
  await Promise.all([1, 2, 3].map((id) => cluster.start(id)));
  say(`three nodes run; node ${await leaderOf(cluster)} leads`);
  await importThroughKills(cluster, keys.length);
  const whole = await ctlAt(cluster.endpoints, ['kv', 'import', citiesFile, ...importFlags, '--verify-only']);
  assert.equal(whole.code, 0, `${whole.stdout}${whole.stderr}`);
  say(`all ${keys.length} cities verified`);
  const expected = keys.filter((key) => key.startsWith('city:NL:')).length;
  for (const id of [1, 2, 3])
    assert.equal(await countByHttp(`http://${cluster.http(id)}`, 'city:NL:'), expected, `node ${id}`);
  say(`city:NL:* is the same ${expected} cities at every node`);
  await compareReplicas(cluster);
  await cluster.stop();
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
