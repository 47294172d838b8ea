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

test('peers are where the node table says, else where the first start said, and never this node', () => {
  const nodes = [entry(3, 'c', 'moved:9'), entry(4, 'd', 'h4:1'), entry(2, 'b', '')];
  const book = new PeerBook({ nodeId: 1, firstMembers, nodes: () => nodes });
  expect(book.peers()).toEqual([
    { nodeId: 2, peerAddress: 'h2:1' },
    { nodeId: 3, peerAddress: 'moved:9' },
    { nodeId: 4, peerAddress: 'h4:1' },
  ]);
});
