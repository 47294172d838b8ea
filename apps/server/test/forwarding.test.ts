import { createServer } from 'node:net';
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { Acknowledgement, CleanupPolicy, LogMode, type PipelineResponse, wireMetadata } from '@shanghai/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CatalogueCommand } from '../src/apply/catalogue-command.js';
import { hereOrAtLeader } from '../src/forward/here-or-at-leader.js';
import { notLeader } from '../src/raft/proposal-refusals.js';
import type { RequestContext } from '../src/requests/request-context.js';
import { ServerError } from '../src/requests/server-error.js';
import { type Follower, leaderHttp, openFollower } from './forward-fixture.js';
import { call, failureOf, type GrpcFixture, openGrpcFixture } from './grpc-fixture.js';

let leader: GrpcFixture;
let follower: Follower;
let leaderAddress: () => string;

beforeEach(async () => {
  leader = await openGrpcFixture();
  leaderAddress = () => leader.address;
  follower = await openFollower(() => leaderAddress());
});
afterEach(async () => {
  await follower.close();
  await leader.close();
});

const nowhere = { nodeId: 2, name: '', instanceId: '', grpcAddress: '', httpAddress: '', peerAddress: '' };
const bytes = (text: string) => Buffer.from(text);
const put = (key: string, value: string, options?: object) => ({
  options: {
    keyspace: '',
    sessionId: 0n,
    requestNumber: 0n,
    retry: false,
    slot: undefined,
    epoch: undefined,
    ...options,
  },
  key: bytes(key),
  value: bytes(value),
  ttlMs: 0n,
});
const written = (key: string) => leader.node.data.get(key)?.value.toString();

/** Waits until the leader holds so many requests. */
async function held(count: number): Promise<void> {
  while (leader.node.held < count) await new Promise((resolve) => setImmediate(resolve));
}

/** A port on which nobody listens. */
async function closedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

describe('a node that does not lead passes on', () => {
  it('every write of the key-value service, and answers as the leader did', async () => {
    const { keyValue } = follower;
    const session = { sessionId: 5n, requestNumber: 9n, retry: true, slot: 3, epoch: 2n, keyspace: 'ks' };
    const stored = await call(keyValue.put, keyValue, put('a', 'x', session));
    expect(stored).toMatchObject({ revision: 1n, header: { token: bytes('token'), staleMs: 0n } });
    expect(leader.node.seen.write).toEqual({
      keyspace: 'ks',
      session: { sessionId: 5, requestNumber: 9, retry: true },
      routed: { slot: 3, epoch: 2 },
    });
    const options = undefined;
    const appended = await call(keyValue.append, keyValue, { options, key: bytes('a'), value: bytes('yz') });
    expect(appended).toMatchObject({ revision: 2n, valueBytes: 3n });
    const deleted = await call(keyValue.delete, keyValue, { options, key: bytes('a') });
    expect(deleted).toMatchObject({ revision: 3n, deleted: true });
    const value = Buffer.alloc(1_000_001);
    const operations = [
      { operation: { $case: 'put' as const, value: { key: bytes('b'), value: bytes('1'), ttlMs: 70n } } },
      { operation: { $case: 'append' as const, value: { key: bytes('c'), value } } },
      { operation: { $case: 'delete' as const, value: { key: bytes('nobody') } } },
    ];
    const batch = await call(keyValue.batch, keyValue, { options, atomic: false, operations });
    expect(batch.results).toMatchObject([
      { error: undefined, revision: 4n },
      { error: { code: 'INVALID_REQUEST', message: 'the value is too large' } },
      { error: undefined, revision: 5n, deleted: false },
    ]);
    expect(leader.node.data.get('b')).toMatchObject({ revision: 4, expiresAtMs: 70 });
    const conditions = [
      { key: bytes('b'), requirement: { $case: 'exists' as const, value: true } },
      { key: bytes('b'), requirement: { $case: 'revision' as const, value: 4n } },
      { key: bytes('b'), requirement: { $case: 'value' as const, value: bytes('1') } },
    ];
    const last = operations.slice(0, 1);
    const transact = await call(keyValue.transact, keyValue, { options, conditions, operations: last });
    expect(transact.results).toMatchObject([{ revision: 6n }]);
    expect(await call(keyValue.openSession, keyValue, { ttlMs: 500n })).toMatchObject({ sessionId: 1n, ttlMs: 500n });
  });

  it('what changes named logs', async () => {
    const { log } = follower;
    const settings = {
      mode: LogMode.LOG_MODE_QUORUM,
      acknowledgement: Acknowledgement.ACKNOWLEDGEMENT_QUORUM,
      retentionMs: 1_000n,
      retentionBytes: 0n,
      cleanupPolicy: CleanupPolicy.CLEANUP_POLICY_DELETE,
      retentionEntries: 0n,
      tombstoneRetentionMs: 0n,
    };
    const created = await call(log.createLog, log, { name: 'l', settings });
    expect(created.log).toMatchObject({ name: 'l', settings });
    const producer = { producerId: 4n, epoch: 1n, sequence: 1n };
    const records = [{ key: bytes('k'), value: bytes('v'), headers: [{ name: 'h', value: bytes('w') }] }];
    const acknowledgement = Acknowledgement.ACKNOWLEDGEMENT_ALL;
    const append = { log: 'l', records, acknowledgement, producer, expectedLastSequence: 0n };
    expect(await call(log.append, log, append)).toMatchObject({ firstSequence: 1n, lastSequence: 1n });
    const read = { log: 'l', origin: 0n, start: undefined, limit: 0, maxBytes: 0 };
    const { entries } = await call(leader.log.read, leader.log, read);
    expect(entries).toMatchObject([{ key: bytes('k'), value: bytes('v'), headers: [{ name: 'h' }], producer }]);
    await call(log.deleteLog, log, { name: 'l' });
    expect(await failureOf(call(leader.log.describeLog, leader.log, { name: 'l' }))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('what comes over HTTP, and names the leader in a header', async () => {
    const stored = await follower.send('PUT', '/kv/a', { body: { value: 'x' } });
    expect(stored).toMatchObject({ code: 200, json: { data: { key: 'a', value: 'x', offset: 1 } } });
    expect(stored.headers['x-shanghai-leader']).toBe(leaderHttp);
    const body = { operations: [{ type: 'delete', key: 'a' }] };
    expect((await follower.send('POST', '/kv/batch', { body })).json).toMatchObject({ data: { successful: 1 } });
    expect((await follower.send('POST', '/sessions', { body: {} })).json).toMatchObject({ data: { session_id: 1 } });
    const missing = await follower.send('DELETE', '/kv/a');
    expect([missing.code, missing.headers['x-shanghai-leader']]).toEqual([404, leaderHttp]);
    expect(await follower.metrics()).toContain('shanghai_requests_passed_on_total{api="http"} 4');
  });

  it('with the correlation id, the trace and the deadline', async () => {
    const release = leader.node.hold();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const metadata = { [wireMetadata.correlationId]: 'mine', traceparent };
    const begun = Date.now();
    const answer = call(follower.keyValue.put, follower.keyValue, put('a', 'x'), metadata, 60_000);
    await held(1);
    const { context } = leader.node.seen;
    expect(context?.correlationId).toBe('mine');
    expect(context?.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-01$/);
    expect(context?.mayForward).toBe(false);
    // Without the caller's deadline the leader would see the ten minutes that this node would wait.
    expect(context?.deadlineMs).toBeGreaterThan(begun);
    expect(context?.deadlineMs).toBeLessThan(begun + 300_000);
    release();
    await answer;
  });

  it('and the answer names the leader behind it', async () => {
    const trailers = new Promise<Metadata>((resolve, reject) => {
      const started = follower.keyValue.put(put('a', 'x'), new Metadata(), (error) => error && reject(error));
      started.on('status', ({ metadata }) => resolve(metadata));
    });
    expect((await trailers).get(wireMetadata.leader)).toEqual([leader.address]);
  });
});

describe('a request that was passed on', () => {
  it('is served here where it only reads', async () => {
    const { keyValue } = follower;
    expect(await call(keyValue.get, keyValue, { options: undefined, key: bytes('a') })).toMatchObject({ found: false });
    expect(follower.refusals).toBe(0);
    expect(leader.node.seen.read).toBeUndefined();
  });

  it("ends with the leader's own failure, unchanged", async () => {
    const failure = new ServerError('CONFLICT', 'revision is 7 – not 3', { details: { key: 'a', revision: 7 } });
    leader.node.failNext(failure);
    expect(await failureOf(call(follower.keyValue.put, follower.keyValue, put('a', 'x')))).toMatchObject({
      grpc: status.ABORTED,
      code: 'CONFLICT',
      message: 'revision is 7 – not 3',
      details: { key: 'a', revision: 7 },
    });
    leader.node.failNext(failure);
    const answer = await follower.send('PUT', '/kv/a', { body: { value: 'x' } });
    expect(answer).toMatchObject({ code: 409, json: { error: { code: 'CONFLICT', details: { revision: 7 } } } });
  });

  it('is not passed on again by a node that does not lead either', async () => {
    const other = await openFollower(() => follower.grpcAddress);
    leaderAddress = () => other.grpcAddress;
    const failure = await failureOf(call(follower.keyValue.put, follower.keyValue, put('a', 'x')));
    expect([follower.refusals, other.refusals]).toEqual([1, 1]);
    expect(failure).toMatchObject({
      code: 'CLUSTER_ERROR',
      leader: follower.grpcAddress,
      details: { leader: follower.grpcAddress, leaderNodeId: 2, leaderHttp },
    });
    await other.close();
  });

  it('was not done where the leader cannot be reached', async () => {
    const nobody = await closedPort();
    leaderAddress = () => nobody;
    expect(await failureOf(call(follower.keyValue.put, follower.keyValue, put('a', 'x')))).toMatchObject({
      code: 'CLUSTER_ERROR',
      message: `the leader at '${nobody}' cannot be reached; nothing was done, try again`,
    });
  });

  it('has an unknown outcome where the connection is lost behind it', async () => {
    leader.node.hold();
    const answer = failureOf(call(follower.keyValue.put, follower.keyValue, put('a', 'x')));
    const viaHttp = follower.send('PUT', '/kv/b', { body: { value: 'x' } });
    await held(2);
    await leader.api.close(0);
    expect(await answer).toMatchObject({ grpc: status.UNKNOWN, code: 'OUTCOME_UNKNOWN' });
    expect(await viaHttp).toMatchObject({ code: 504, json: { error: { code: 'OUTCOME_UNKNOWN' } } });
  });

  it('is asked once: what became of it nobody here can tell', async () => {
    const asked: string[] = [];
    const context = { mayForward: true } as RequestContext;
    const refuse = () => Promise.reject(notLeader(1, 2, { ...nowhere, grpcAddress: 'two:1' }));
    const lost = (address: string) => {
      asked.push(address);
      return Promise.reject(new ServerError('OUTCOME_UNKNOWN', 'no answer'));
    };
    await expect(hereOrAtLeader(context, refuse, lost)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    const notHere = () => Promise.reject(new ServerError('OUTCOME_UNKNOWN', 'nor here'));
    await expect(hereOrAtLeader(context, notHere, lost)).rejects.toMatchObject({ message: 'nor here' });
    expect(asked).toEqual(['two:1']);
    // One that came from another node is not passed on at all.
    await expect(hereOrAtLeader({} as RequestContext, refuse, lost)).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
    expect(asked).toEqual(['two:1']);
  });

  it('has an unknown outcome where the leader does not answer in time', async () => {
    const hasty = await openFollower(() => leader.address, 'c1', 100);
    const release = leader.node.hold();
    expect(await hasty.send('PUT', '/kv/b', { body: { value: 'x' } })).toMatchObject({
      code: 504,
      json: { error: { code: 'OUTCOME_UNKNOWN' } },
    });
    release();
    await hasty.close();
  });

  it("ends with the caller's deadline, and with its patience", async () => {
    leader.node.hold();
    const late = failureOf(call(follower.keyValue.put, follower.keyValue, put('a', 'x'), {}, 150));
    await held(1);
    const { context } = leader.node.seen;
    expect(await late).toMatchObject({ grpc: status.DEADLINE_EXCEEDED });
    const given = call(follower.keyValue.put, follower.keyValue, put('b', 'x'));
    const failure = failureOf(given);
    while (leader.node.seen.context === context) await new Promise((resolve) => setImmediate(resolve));
    const { signal } = leader.node.seen.context as { signal: AbortSignal };
    given.cancel();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    expect(await failure).toMatchObject({ grpc: status.CANCELLED });
    expect(written('b')).toBeUndefined();
  });

  it('is refused by a node of another cluster that has the address by now', async () => {
    const stranger = await openFollower(() => leader.address, 'another');
    expect(await failureOf(call(stranger.keyValue.put, stranger.keyValue, put('a', 'x')))).toMatchObject({
      code: 'CLUSTER_ERROR',
      message: "this is cluster 'c1', not 'another'; nothing was done",
    });
    expect(written('a')).toBeUndefined();
    await stranger.close();
  });

  it('is refused as not done by a node that is closing', async () => {
    follower.calls.close();
    const failure = await failureOf(call(follower.keyValue.put, follower.keyValue, put('a', 'x')));
    expect(failure).toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(written('a')).toBeUndefined();
  });
});

describe('a stream', () => {
  it('is not passed on: each write names the leader, and reads are served', async () => {
    const stream = follower.keyValue.pipeline();
    const answers = new Map<bigint, PipelineResponse['response']>();
    const done = new Promise<void>((resolve, reject) => {
      stream.on('error', (error: ServiceError) => reject(error));
      stream.on('data', (message: PipelineResponse) => {
        const group = message.response?.$case === 'answers' ? message.response.value.responses : [message];
        for (const { id, response } of group) answers.set(id, response);
        if (answers.size === 2) resolve();
      });
    });
    stream.write({ id: 1n, request: { $case: 'put', value: put('a', 'x') } });
    stream.write({ id: 2n, request: { $case: 'get', value: { options: undefined, key: bytes('a') } } });
    await done;
    stream.end();
    const refusal = answers.get(1n);
    expect(refusal).toMatchObject({ $case: 'error', value: { code: 'CLUSTER_ERROR' } });
    const details = refusal?.$case === 'error' ? JSON.parse(refusal.value.detailsJson) : {};
    expect(details).toEqual({ leader: leader.address, leaderNodeId: 2, leaderHttp });
    expect(answers.get(2n)).toMatchObject({ $case: 'get', value: { found: false } });
    expect(written('a')).toBeUndefined();
  });
});

describe('a change of the catalogue', () => {
  const known = { nodeId: 2, name: 'two', instanceId: 'i2', httpAddress: '', peerAddress: '' };
  const at = (grpcAddress: string) => ({ ...known, grpcAddress });

  it('is proposed at the leader of the system group, which says how far it got', async () => {
    const changes: CatalogueCommand[] = [];
    leader.services.node.proposeCatalogue = async (change) => changes.push(change) + 41;
    const change = { type: 'createKeyspace', name: 'ä' } as const;
    expect(await follower.calls.proposeCatalogue(at(leader.address), change)).toBe(42);
    expect(changes).toEqual([change]);
  });

  it('and so is the passing of time, for keys that should be gone', async () => {
    const asked: number[] = [];
    leader.services.node.advanceTime = async (groupId) => asked.push(groupId) + 9;
    expect(await follower.calls.advanceTime(leader.address, 5)).toBe(10);
    expect(asked).toEqual([5]);
  });

  it('is refused with the words of the leader, by other clusters, and where it would make a cluster', async () => {
    const changes: CatalogueCommand[] = [];
    leader.services.node.proposeCatalogue = async (change) => {
      changes.push(change);
      throw new ServerError('ALREADY_EXISTS', 'there is one', { details: { log: 'l' } });
    };
    const change = { type: 'deleteLog', name: 'l' } as const;
    const refused = follower.calls.proposeCatalogue(at(leader.address), change);
    await expect(refused).rejects.toMatchObject({ code: 'ALREADY_EXISTS', details: { log: 'l' } });
    expect(changes).toEqual([change]);
    const stranger = await openFollower(() => leader.address, 'another');
    const foreign = stranger.calls.proposeCatalogue(at(leader.address), change);
    await expect(foreign).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
    const cluster = { clusterId: 'c1', clusterVersion: 1, slots: 8, maxValueBytes: 1 };
    const made = follower.calls.proposeCatalogue(at(leader.address), { type: 'bootstrap', ...cluster });
    await expect(made).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(changes).toEqual([change]);
    await stranger.close();
  });
});
