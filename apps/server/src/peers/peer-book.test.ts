import { expect, test } from 'vitest';
import type { NodeEntry } from '../apply/catalogue-command.js';
import { PeerBook } from './peer-book.js';

const entry = (nodeId: number, instanceId: string, peerAddress: string): NodeEntry => ({
  nodeId,
  name: `node-${nodeId}`,
  instanceId,
  grpcAddress: '',
  httpAddress: '',
  peerAddress,
});

const firstMembers = [1, 2, 3].map((nodeId) => ({ nodeId, peerAddress: `h${nodeId}:1` }));

test('of a first member that is not registered the first instance is pinned, of a registered one the table counts', () => {
  const nodes: NodeEntry[] = [];
  const book = new PeerBook({ nodeId: 1, firstMembers, nodes: () => nodes });
  expect([book.check(2, 'a'), book.check(2, 'a'), book.check(2, 'b')]).toEqual(['known', 'known', 'otherInstance']);
  nodes.push(entry(2, 'b', 'h2:1'));
  expect([book.check(2, 'a'), book.check(2, 'b')]).toEqual(['otherInstance', 'known']);
});

test('a node of which nothing is known is refused until it is in the node table', () => {
  const nodes: NodeEntry[] = [];
  const book = new PeerBook({ nodeId: 1, firstMembers, nodes: () => nodes });
  expect(book.check(4, 'a')).toBe('unknown');
  nodes.push(entry(4, 'a', 'h4:1'));
  expect([book.check(4, 'a'), book.check(4, 'b')]).toEqual(['known', 'otherInstance']);
});

test('a node that was taken out is nobody’s peer, also one of the first, and an id that is only set aside is not yet', () => {
  const nodes = [entry(2, 'b', 'h2:1'), entry(5, '', 'h5:1')];
  const book = new PeerBook({ nodeId: 1, firstMembers, nodes: () => nodes, removed: () => [{ nodeId: 3 }] });
  expect([book.check(3, 'c'), book.check(5, '')]).toEqual(['removed', 'unknown']);
  expect(book.peers()).toEqual([{ nodeId: 2, peerAddress: 'h2:1' }]);
});

test('whom a node was told of when it joined, or since, are its peers as the instances that it was told', () => {
  const book = new PeerBook({
    nodeId: 4,
    firstMembers: [{ nodeId: 1, peerAddress: 'h1:1', instanceId: 'a' }],
    nodes: () => [],
  });
  expect([book.check(1, 'a'), book.check(1, 'x'), book.check(6, 'f')]).toEqual(['known', 'otherInstance', 'unknown']);
  book.learn([{ nodeId: 6, peerAddress: 'h6:1', instanceId: 'f' }]);
  expect([book.check(6, 'f'), book.check(6, 'g')]).toEqual(['known', 'otherInstance']);
  expect(book.peers().map(({ nodeId }) => nodeId)).toEqual([1, 6]);
});

test('peers are where the node table says, else where the first start said, and never this node', () => {
  const nodes = [entry(3, 'c', 'moved:9'), entry(4, 'd', 'h4:1'), entry(2, 'b', '')];
  const book = new PeerBook({ nodeId: 1, firstMembers, nodes: () => nodes });
  expect(book.peers()).toEqual([
    { nodeId: 2, peerAddress: 'h2:1' },
    { nodeId: 3, peerAddress: 'moved:9' },
    { nodeId: 4, peerAddress: 'h4:1' },
  ]);
});
