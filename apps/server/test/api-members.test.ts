import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { askOverGrpc } from '../src/forward/ask-over-grpc.js';
import { grpcLeaderCalls } from '../src/forward/grpc-leader-calls.js';
import type { NodeMembers } from '../src/members/node-members.js';
import { ServerError } from '../src/requests/server-error.js';
import { call, type GrpcFixture, openGrpcFixture } from './grpc-fixture.js';
import { type HttpFixture, openHttpFixture } from './http-fixture.js';

let http: HttpFixture;
let grpc: GrpcFixture;
const calls: unknown[] = [];
const address = { nodeId: 1, instanceId: 'i1', peerAddress: 'p:1', grpcAddress: 'g:1' };

beforeAll(async () => {
  http = await openHttpFixture();
  grpc = await openGrpcFixture();
  http.node.members = members;
  grpc.node.members = members;
});
afterEach(() => {
  calls.length = 0;
});
afterAll(() => Promise.all([http.close(), grpc.close()]));

const members: NodeMembers = {
  settings: () => ({ replicationFactor: 3, removedNodeIds: [2] }),
  async join(request) {
    calls.push(request);
    if (request.instanceId === 'gone') throw new ServerError('PERMISSION_DENIED', 'it was taken out');
    return { clusterId: 'c', nodeId: 4, members: [address] };
  },
  async reserve(request) {
    calls.push(request);
    return { clusterId: 'c', nodeId: 4, joinAddresses: ['g:1'] };
  },
  async leave(nodeId, force) {
    calls.push(['leave', nodeId, force]);
    if (nodeId === 9) throw new ServerError('NOT_FOUND', 'there is no node 9');
  },
  async replace(nodeId, replacedBy, force) {
    calls.push(['replace', nodeId, replacedBy, force]);
  },
  async setReplicationFactor(factor) {
    calls.push(['factor', factor]);
  },
  check: (nodeId, instanceId) => ({
    verdict: nodeId === 2 ? 'removed' : 'member',
    members: [{ ...address, instanceId }],
  }),
};

test('a node that is to leave when it stops is taken out, and ends by itself when it is out', async () => {
  const { code, json } = await http.send('POST', '/api/v1/shutdown', { body: { leave: true } });
  expect([code, json['data']]).toEqual([202, { message: 'leaving', node_id: 1 }]);
  expect(calls).toEqual([['leave', 1, false]]);
});

test('over HTTP an id is reserved, a node leaves, is replaced, and the factor is set', async () => {
  const reserved = await http.send('POST', '/api/v1/nodes', {
    body: { name: 'spare', peer_address: 'h:1', reservation: 'r' },
  });
  expect([reserved.code, reserved.json['data']]).toEqual([
    201,
    { node_id: 4, cluster_id: 'c', join_addresses: ['g:1'] },
  ]);
  const codes = [
    await http.send('DELETE', '/api/v1/nodes/3?force=true'),
    await http.send('DELETE', '/api/v1/nodes/9'),
    await http.send('DELETE', '/api/v1/nodes/x'),
    await http.send('POST', '/api/v1/nodes/3/replace', { body: { by: 4 } }),
    await http.send('POST', '/api/v1/nodes/3/replace', { body: { by: 0 } }),
    await http.send('PUT', '/api/v1/replication', { body: { replication_factor: 5 } }),
    await http.send('PUT', '/api/v1/replication', { body: { replication_factor: 16 } }),
  ].map(({ code }) => code);
  expect(codes).toEqual([202, 404, 400, 202, 400, 200, 400]);
  expect(calls).toEqual([
    { name: 'spare', peerAddress: 'h:1', reservation: 'r' },
    ['leave', 3, true],
    ['leave', 9, false],
    ['replace', 3, 4, false],
    ['factor', 5],
  ]);
  const { json } = await http.send('GET', '/api/v1/nodes');
  expect(json['data']).toMatchObject({ replication_factor: 3, removed_node_ids: [2] });
});

test('a reservation without a name of its own is another one each time', async () => {
  await http.send('POST', '/api/v1/nodes', { body: {} });
  await http.send('POST', '/api/v1/nodes', { body: {} });
  const [first, second] = calls as { reservation: string }[];
  expect(first?.reservation).not.toBe(second?.reservation);
});

test('over gRPC a new node is told its id and the members, or why it is refused', async () => {
  const request = { instanceId: 'new', peerAddress: 'p:4', name: '', nodeId: 4 };
  expect(await askOverGrpc(grpc.address, request)).toEqual({ clusterId: 'c', nodeId: 4, members: [address] });
  expect(calls).toEqual([request]);
  const refused = askOverGrpc(grpc.address, { ...request, instanceId: 'gone' });
  await expect(refused).rejects.toMatchObject({ code: 'PERMISSION_DENIED', message: 'it was taken out' });
});

test('over gRPC the same changes are made, and the table is shown', async () => {
  const { cluster } = grpc;
  await call(cluster.leaveNode, cluster, { nodeId: 3n, force: false });
  await call(cluster.replaceNode, cluster, { nodeId: 3n, replacementNodeId: 0n, force: true });
  await call(cluster.setReplicationFactor, cluster, { replicationFactor: 5 });
  expect(calls).toEqual([
    ['leave', 3, false],
    ['replace', 3, 0, true],
    ['factor', 5],
  ]);
  expect(await call(cluster.listNodes, cluster, {})).toMatchObject({
    replicationFactor: 3,
    removedNodeIds: [2n],
    nodes: [{ membership: 'member' }],
  });
});

test('a node is told by another one of its cluster whether it still belongs', async () => {
  const { clusterId } = grpc.node.status();
  const own = grpcLeaderCalls({ clusterId, nodeId: 2 });
  expect(await own.checkMember(grpc.address, 2, 'mine')).toEqual({
    verdict: 'removed',
    members: [{ ...address, instanceId: 'mine' }],
  });
  own.close();
  const other = grpcLeaderCalls({ clusterId: 'another', nodeId: 2 });
  await expect(other.checkMember(grpc.address, 2, 'mine')).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  other.close();
});
