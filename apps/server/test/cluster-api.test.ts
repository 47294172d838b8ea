/** A cluster of whole servers on loopback, with their listeners, as clients of either API meet it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { freePorts } from '@shanghai/env/testing';
import { ClusterClient, KeyValueClient, LogClient, type PipelineResponse } from '@shanghai/proto';
import { createLogger } from '@shanghai/telemetry';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningServer, startServer } from '../src/compose.js';
import { loadConfig } from '../src/config/load-config.js';
import { group, isReady } from './cluster-harness.js';
import { call } from './grpc-fixture.js';
import { type HttpInput, type HttpResult, sendHttp } from './http-fixture.js';

interface Member {
  readonly nodeId: number;
  readonly server: RunningServer;
  readonly keyValue: KeyValueClient;
  readonly log: LogClient;
  readonly cluster: ClusterClient;
  send(method: string, path: string, input?: HttpInput): Promise<HttpResult>;
}

let directory: string;
const members: Member[] = [];

async function start(nodeId: number, initialCluster: string): Promise<Member> {
  const args = ['--data-dir', `${directory}/node-${nodeId}`, '--http-port', '0', '--grpc-port', '0'];
  const who = ['--node-id', String(nodeId), '--initial-cluster', initialCluster, '--election-ticks', '20'];
  const intention = loadConfig([...args, ...who], {}, '1.2.3');
  if (intention.type !== 'serve') throw new Error('the configuration was printed');
  const server = await startServer(intention.resolved.config, '1.2.3', createLogger({ write: () => {} }));
  const { grpc, http } = server.addresses;
  const insecure = credentials.createInsecure();
  return {
    nodeId,
    server,
    keyValue: new KeyValueClient(grpc, insecure),
    log: new LogClient(grpc, insecure),
    cluster: new ClusterClient(grpc, insecure),
    send: (method, path, input) => sendHttp(Number(http.split(':').at(-1)), method, path, input),
  };
}

async function until(claim: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error(`not in time: ${claim}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function stop(member: Member): Promise<void> {
  for (const client of [member.keyValue, member.log, member.cluster]) client.close();
  await member.server.close(1_000);
}

const leads = ({ server }: Member, groupId = 1) => group(server.node, groupId).role === 'leader';
const leader = () => members.find((member) => leads(member)) as Member;
const follower = () => members.find((member) => !leads(member) && !leads(member, 0)) as Member;
const bytes = (text: string) => Buffer.from(text);
const put = (key: string) => ({ options: undefined, key: bytes(key), value: bytes('v'), ttlMs: 0n });

beforeAll(async () => {
  directory = await mkdtemp(`${tmpdir()}/shanghai-cluster-`);
  const ports = await freePorts(3);
  const initialCluster = ports.map((port, i) => `${i + 1}=127.0.0.1:${port}`).join(',');
  for (let nodeId = 1; nodeId <= 3; nodeId++) members.push(await start(nodeId, initialCluster));
  const isKnown = ({ server }: Member) =>
    server.node.status().nodes?.filter(({ grpcAddress }) => grpcAddress !== '').length === 3;
  await until('every node is ready and known', () =>
    members.every((member) => isReady(member.server.node) && isKnown(member)),
  );
});

afterAll(async () => {
  await Promise.all(members.splice(0).map(stop));
  await rm(directory, { recursive: true });
});

describe('a cluster of servers', () => {
  it('is told of by every node: who is in it, who leads, what each replica has', async () => {
    for (const { cluster, nodeId } of members) {
      const { nodes } = await call(cluster.listNodes, cluster, {});
      const addresses = members.map(({ server, nodeId: id }) => [BigInt(id), server.addresses.grpc]);
      expect(nodes.map((node) => [node.nodeId, node.grpcAddress])).toEqual(addresses);
      expect(nodes.find((node) => node.nodeId === BigInt(nodeId))?.state).toBe('up');
    }
    const led = leader();
    const { groups } = await call(led.cluster.getStatus, led.cluster, {});
    const data = groups.find(({ groupId }) => groupId === 1n);
    expect(data).toMatchObject({ role: 'leader', state: 'open', leaderHeardMsAgo: 0n, isLearner: false });
    expect(data?.configuration?.voters).toEqual([1n, 2n, 3n]);
    const others = members.filter((member) => member !== led).map(({ nodeId }) => BigInt(nodeId));
    expect(data?.replicas.map(({ nodeId, state }) => [nodeId, state])).toEqual(others.map((id) => [id, 'replicate']));
    const { json } = await follower().send('GET', '/api/v1/status');
    expect(json).toMatchObject({ data: { node_count: 3, cluster: { leader: led.nodeId } } });
  });

  it('takes writes at any node, and names the leader where it was another', async () => {
    const [from, to] = [follower(), leader()];
    const stored = await from.send('PUT', '/kv/a?keyspace=made', { body: { value: 'x' } });
    expect(stored).toMatchObject({ code: 200, json: { data: { value: 'x' } } });
    expect(stored.headers['x-shanghai-leader']).toBe(to.server.addresses.http);
    expect((await to.send('PUT', '/kv/a', { body: { value: 'y' } })).headers['x-shanghai-leader']).toBeUndefined();
    const session = String(stored.headers['x-session-token']);
    for (const { send } of members) {
      expect(await send('GET', '/kv/a?keyspace=made')).toMatchObject({ json: { data: { value: 'x' } } });
      const seen = await send('GET', '/kv/a?keyspace=made&level=session', { headers: { 'x-session-token': session } });
      expect(seen).toMatchObject({ json: { data: { value: 'x' } } });
    }
    await call(from.log.createLog, from.log, { name: 'events', settings: undefined });
    const records = [{ key: bytes(''), value: bytes('one'), headers: [] }];
    const append = {
      log: 'events',
      records,
      acknowledgement: 0,
      producer: undefined,
      expectedLastSequence: 0n,
    } as const;
    expect(await call(from.log.append, from.log, append)).toMatchObject({ lastSequence: 1n });
    const read = { log: 'events', origin: 0n, start: undefined, limit: 0, maxBytes: 0 };
    for (const { log } of members) {
      expect((await call(log.read, log, read)).entries.map(({ value }) => value.toString())).toEqual(['one']);
    }
  });

  it('names the leader to streams, which are not passed on', async () => {
    const stream = follower().keyValue.pipeline();
    const answer = await new Promise<PipelineResponse>((resolve, reject) => {
      stream.on('error', (error: ServiceError) => reject(error));
      stream.on('data', resolve);
      stream.write({ id: 1n, request: { $case: 'put', value: put('p') } });
    });
    stream.end();
    expect(answer.response).toMatchObject({ $case: 'error', value: { code: 'CLUSTER_ERROR' } });
    const details = answer.response?.$case === 'error' ? JSON.parse(answer.response.value.detailsJson) : {};
    const { grpc, http } = leader().server.addresses;
    expect(details).toEqual({ leaderNodeId: leader().nodeId, leader: grpc, leaderHttp: http });
  });

  it('holds the same at every replica', async () => {
    await until('every replica has the same applied', async () => {
      const [first, ...others] = await Promise.all(members.map(({ server }) => server.node.checksums?.()));
      return others.every((other) => JSON.stringify(other) === JSON.stringify(first));
    });
  });

  it('is healthy at every node, and every node tells of every copy', async () => {
    await until('every node has heard of every copy', async () => {
      const answers = await Promise.all(members.map(({ send }) => send('GET', '/api/v1/replicas')));
      return answers.every(({ json }) => {
        const replicas = json['data']?.['replicas'] as unknown as { role: string | null; progress: string | null }[];
        const leading = replicas.filter(({ role }) => role === 'leader');
        return replicas.length === 6 && leading.length === 2 && replicas.every(({ role }) => role !== null);
      });
    });
    for (const { send, cluster } of members) {
      expect((await call(cluster.getStatus, cluster, {})).reasons).toEqual([]);
      expect(await send('GET', '/api/v1/status')).toMatchObject({ json: { data: { cluster_state: 'healthy' } } });
      const { json } = await send('GET', '/api/v1/groups');
      const group = { state: expect.stringMatching(/^(ok|asleep)$/), voters: [1, 2, 3], learners: [] };
      expect(json['data']?.['groups']).toMatchObject([
        { id: 0, ...group },
        { id: 1, ...group, leader: leader().nodeId },
      ]);
    }
  });

  it('goes on without its leader, and has what was acknowledged', async () => {
    const acknowledged: string[] = [];
    const gone = leader();
    const left = members.filter((member) => member !== gone);
    for (let i = 0; i < 5; i++) {
      const answer = await (left[i % 2] as Member).send('PUT', `/kv/before-${i}`, { body: { value: 'x' } });
      if (answer.code === 200) acknowledged.push(`before-${i}`);
    }
    members.splice(members.indexOf(gone), 1);
    await stop(gone);
    await until('a write is taken again', async () => {
      const answer = await (left[0] as Member).send('PUT', '/kv/after', { body: { value: 'x' } });
      return answer.code === 200;
    });
    expect(acknowledged).toHaveLength(5);
    const because = { state: 'degraded', group_id: null, node_id: gone.nodeId, text: `node ${gone.nodeId} is down` };
    await until('both that are left say that one is down', async () => {
      const answers = await Promise.all(left.map(({ send }) => send('GET', '/api/v1/status')));
      return answers.every(({ json }) => JSON.stringify(json['data']?.['reasons']) === JSON.stringify([because]));
    });
    for (const { send } of left) {
      for (const key of [...acknowledged, 'after']) expect((await send('GET', `/kv/${key}`)).code).toBe(200);
    }
  });
});
