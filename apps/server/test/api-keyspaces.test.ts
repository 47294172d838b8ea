import { credentials } from '@grpc/grpc-js';
import { KeyspaceMode, KeyspacesClient, VerdictDecision } from '@shanghai/proto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KeyspaceRequests, Verdict } from '../src/keyspaces/keyspace-requests.js';
import { ServerError } from '../src/requests/server-error.js';
import { call, type GrpcFixture, openGrpcFixture } from './grpc-fixture.js';
import { type HttpFixture, openHttpFixture } from './http-fixture.js';

let http: HttpFixture;
let grpc: GrpcFixture;
let client: KeyspacesClient;
const verdicts: Verdict[] = [];
const carts = {
  name: 'carts',
  keyspaceId: 3,
  mode: 'multi-master',
  conflictsListed: 1,
  conflictsFound: 2,
  held: 1,
} as const;
const key = Buffer.from('k');
const loser = {
  ...{ stamp: { origin: 1, epoch: 1, sequence: 7, hlc: { ms: 1000, counter: 2 } }, seen: [] },
  ...{ value: Buffer.from('old'), expiresAtMs: 0 },
};
const winner = { stamp: { ...loser.stamp, origin: 2 }, seen: [], expiresAtMs: 0 };

const keyspaces: KeyspaceRequests = {
  async create(name, mode) {
    if (name === 'taken') throw new ServerError('CONFLICT', 'it is of mode quorum');
    return { ...carts, name, mode };
  },
  async delete(name) {
    if (name !== 'carts') throw new ServerError('NOT_FOUND', `there is no keyspace '${name}'`);
  },
  list: () => [carts],
  conflicts(keyspace) {
    if (keyspace !== 'carts') throw new ServerError('NOT_FOUND', `there is no keyspace '${keyspace}'`);
    return { conflicts: [{ key, lost: { loser, winner }, loserBytes: 5000, winnerBytes: undefined }], found: 2 };
  },
  held: () => ({
    entries: [
      { entry: { stamp: loser.stamp, operation: { type: 'put', key, ...loser } }, version: loser, aheadMs: 12_000 },
    ],
    held: 1,
  }),
  totals: () => ({ conflictsFound: 2, held: 1, folded: 5, unreadable: 0, stableAgeMs: undefined }),
  async giveVerdict(verdict) {
    verdicts.push(verdict);
    return 3;
  },
};

beforeAll(async () => {
  http = await openHttpFixture();
  grpc = await openGrpcFixture();
  client = new KeyspacesClient(grpc.address, credentials.createInsecure());
  http.node.keyspaces = keyspaces;
  grpc.node.keyspaces = keyspaces;
});
afterAll(() => {
  client.close();
  return Promise.all([http.close(), grpc.close()]);
});

test('over HTTP keyspaces are made and listed, conflicts and held entries shown, verdicts given', async () => {
  const made = await http.send('POST', '/api/v1/keyspaces', { body: { name: 'carts', mode: 'multi-master' } });
  const shown = { name: 'carts', id: 3, mode: 'multi-master', conflicts_listed: 1, conflicts_found: 2, held: 1 };
  expect([made.code, made.json['data']]).toEqual([201, shown]);
  expect((await http.send('GET', '/api/v1/keyspaces')).json['data']).toEqual({ keyspaces: [shown] });
  const conflicts = await http.send('GET', '/api/v1/conflicts?keyspace=carts');
  const stamp = { epoch: 1, sequence: 7, time_ms: 1000, counter: 2 };
  expect(conflicts.json['data']).toEqual({
    keyspace: 'carts',
    conflicts: [
      {
        key: 'k',
        lost: { origin: 1, ...stamp, deleted: false, value: 'old', value_bytes: 5000, expires_at_ms: 0 },
        won: { origin: 2, ...stamp, deleted: true },
      },
    ],
    found: 2,
  });
  const held = await http.send('GET', '/api/v1/held?keyspace=carts&limit=5');
  expect(held.json['data']).toMatchObject({
    held: 1,
    entries: [{ key: 'k', ahead_ms: 12_000, origin: 1, sequence: 7 }],
  });
  const verdict = { keyspace: 'carts', decision: 'drop', origin: 1, epoch: 1, first_sequence: 7 };
  const given = await http.send('POST', '/api/v1/held/verdict', { body: verdict });
  expect([given.code, given.json['data']]).toEqual([200, { entries: 3 }]);
  expect(verdicts).toMatchObject([{ decision: 'drop', firstSequence: 7, lastSequence: 7 }]);
});

test('over HTTP nonsense is refused', async () => {
  const codes = [
    await http.send('POST', '/api/v1/keyspaces', { body: { name: 'taken' } }),
    await http.send('POST', '/api/v1/keyspaces', { body: { name: 'x', mode: 'other' } }),
    await http.send('GET', '/api/v1/conflicts?keyspace=nothing'),
    await http.send('GET', '/api/v1/conflicts?limit=0'),
    await http.send('POST', '/api/v1/held/verdict', { body: { keyspace: 'carts', decision: 'perhaps' } }),
  ].map(({ code }) => code);
  expect(codes).toEqual([409, 400, 404, 400, 400]);
});

test('over gRPC the same', async () => {
  const request = { name: 'carts', mode: KeyspaceMode.KEYSPACE_MODE_MULTI_MASTER };
  const made = await call(client.createKeyspace, client, request);
  expect(made.keyspace).toMatchObject({ name: 'carts', mode: KeyspaceMode.KEYSPACE_MODE_MULTI_MASTER });
  const conflicts = await call(client.listConflicts, client, { keyspace: 'carts', limit: 0 });
  expect(conflicts.conflicts[0]).toMatchObject({
    lost: { origin: 1n, sequence: 7n, counter: 2, valueBytes: 5000n },
    won: { deleted: true },
  });
  const held = await call(client.listHeld, client, { keyspace: 'carts', limit: 0 });
  expect(held.entries[0]).toMatchObject({ aheadMs: 12_000n });
  const verdict = { keyspace: 'carts', origin: 1n, epoch: 1n, firstSequence: 7n, lastSequence: 9n };
  const accept = { ...verdict, decision: VerdictDecision.VERDICT_DECISION_ACCEPT };
  expect((await call(client.giveVerdict, client, accept)).entries).toBe(3n);
  const unsaid = { ...verdict, decision: VerdictDecision.VERDICT_DECISION_UNSPECIFIED };
  await expect(call(client.giveVerdict, client, unsaid)).rejects.toBeDefined();
});
