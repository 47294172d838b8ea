import { expect, test } from 'vitest';
import { clusterIdOf, firstMembersText, hostOf, parseFirstMembers, portOf } from './first-members.js';

test('members are read in the order of their ids, and are written as they are read', () => {
  const members = parseFirstMembers(' 10=[::1]:9192, 2=node-b:9190,');
  expect(members).toEqual([
    { nodeId: 2, peerAddress: 'node-b:9190' },
    { nodeId: 10, peerAddress: '[::1]:9192' },
  ]);
  expect(parseFirstMembers(firstMembersText(members))).toEqual(members);
  expect(members.map(({ peerAddress }) => [hostOf(peerAddress), portOf(peerAddress)])).toEqual([
    ['node-b', 9190],
    ['::1', 9192],
  ]);
});

test('a cluster id depends on members and token, not on their order', () => {
  const members = parseFirstMembers('1=h:1,2=h:2');
  const id = clusterIdOf(members, 'a');
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(clusterIdOf([...members].reverse(), 'a')).toBe(id);
  const others = [clusterIdOf(members, 'b'), clusterIdOf(parseFirstMembers('1=h:1,2=h:3'), 'a')];
  expect(new Set([id, ...others]).size).toBe(3);
});

test.each([
  ['1=h:70000', 'is no host:port'],
  ['1=h h:7', 'is no host:port'],
  ['1=:7', 'is no host:port'],
  ['4294967296=h:7', 'no whole number'],
  [Array.from({ length: 16 }, (_, i) => `${i + 1}=h:${i + 1}`).join(), 'at most 15'],
])('%s is refused', (text, says) => {
  expect(() => parseFirstMembers(text)).toThrow(says);
});
