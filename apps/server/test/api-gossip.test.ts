import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeGossip } from '../src/membership/node-gossip.js';
import { call, type GrpcFixture, openGrpcFixture } from './grpc-fixture.js';
import { type HttpFixture, openHttpFixture } from './http-fixture.js';

let http: HttpFixture;
let grpc: GrpcFixture;
const waited: unknown[] = [];

const said = { address: 'h:9192', instanceId: 'i2', incarnation: 7, tags: { name: 'two' } };
const event = { atMs: 5, name: 'two', address: 'h:9192', before: 'up', detail: '' };
const gossip: NodeGossip = {
  members: () => [
    { nodeId: 2, name: 'two', state: 'suspect', heardAgoMs: 12_000.4, isObserved: true, ...said },
    { nodeId: 3, name: 'three', state: 'left', heardAgoMs: undefined, isObserved: false, ...said },
  ],
  view: () => ({ isIsolated: true, viewHash: 99 }),
  events: (after, limit) => ({
    events: [{ number: after + 1, type: 'suspect', nodeId: 2, ...event }].slice(0, limit),
    last: 8,
  }),
  async waitForEvent(after, waitMs) {
    waited.push([after, waitMs]);
  },
};

beforeAll(async () => {
  http = await openHttpFixture();
  grpc = await openGrpcFixture();
});
afterAll(() => Promise.all([http.close(), grpc.close()]));

test('a node alone shows itself, and has nothing to tell', async () => {
  const { json } = await http.send('GET', '/api/v1/members');
  expect(json['data']).toMatchObject({
    node_id: 1,
    isolated: false,
    members: [{ id: 1, state: 'up', heard_ms_ago: 0 }],
  });
  const events = await http.send('GET', '/api/v1/events');
  expect([events.code, events.json['data']]).toEqual([200, { events: [], last: 0 }]);
});

test('over HTTP members and events are shown as this node sees them, and events can be waited for', async () => {
  http.node.gossip = gossip;
  const { json } = await http.send('GET', '/api/v1/members');
  expect(json['data']).toEqual({
    node_id: 1,
    isolated: true,
    view_hash: 99,
    members: [
      {
        ...{ id: 2, name: 'two', state: 'suspect', peer_address: 'h:9192', instance_id: 'i2', incarnation: 7 },
        ...{ tags: { name: 'two' }, heard_ms_ago: 12_000, observed: true },
      },
      {
        ...{ id: 3, name: 'three', state: 'left', peer_address: 'h:9192', instance_id: 'i2', incarnation: 7 },
        ...{ tags: { name: 'two' }, heard_ms_ago: null, observed: false },
      },
    ],
  });
  const events = await http.send('GET', '/api/v1/events?after=4&limit=1&wait_ms=20000');
  const shown = { type: 'suspect', node_id: 2, name: 'two', peer_address: 'h:9192', before: 'up', detail: '' };
  expect(events.json['data']).toEqual({ events: [{ number: 5, at_ms: 5, ...shown }], last: 8 });
  expect(waited).toEqual([[4, 20_000]]);
  const status = await http.send('GET', '/api/v1/status');
  expect(status.json['data']).toMatchObject({ nodes_suspect: 1 });
  for (const query of ['after=-1', 'limit=0', 'limit=1001', 'wait_ms=30001', 'other=1']) {
    expect([query, (await http.send('GET', `/api/v1/events?${query}`)).code]).toEqual([query, 400]);
  }
});

test('over gRPC too', async () => {
  grpc.node.gossip = gossip;
  const { cluster } = grpc;
  const seen = await call(cluster.listMembers, cluster, {});
  expect(seen).toMatchObject({ nodeId: 1n, isolated: true, viewHash: 99 });
  expect(seen.members.map(({ heardMsAgo, observed }) => [heardMsAgo, observed])).toEqual([
    [12_000n, true],
    [undefined, false],
  ]);
  waited.length = 0;
  const request = { after: 6n, limit: 0, waitMs: 2 ** 31 };
  const { events, last } = await call(cluster.listMemberEvents, cluster, request);
  expect([events[0]?.number, events[0]?.type, last, waited]).toEqual([7n, 'suspect', 8n, [[6, 30_000]]]);
});
