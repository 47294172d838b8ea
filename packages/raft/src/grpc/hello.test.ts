/** Who answers is judged by whom was dialled, whatever the other side thinks of it. */
import { expect, test } from 'vitest';
import type { PeerBook, PeerSelf } from './grpc-peers-options.js';
import { helloAnswer, judgeAnswer } from './hello.js';

const selfOf = (nodeId: number, more: Partial<PeerSelf> = {}): PeerSelf => ({
  clusterId: 'c',
  nodeId,
  instanceId: `instance-${nodeId}`,
  startId: `start-${nodeId}`,
  ...more,
});
const book: PeerBook = {
  check: (nodeId, instanceId) => {
    if (nodeId > 3) return 'unknown';
    return instanceId === `instance-${nodeId}` ? 'known' : 'otherInstance';
  },
};
const judged = (answer: PeerSelf) => judgeAnswer(helloAnswer(answer), 2, selfOf(1), book);

test('the node that was dialled is let in, with its instance and its start', () => {
  expect(judged(selfOf(2))).toEqual({ nodeId: 2, instanceId: 'instance-2', startId: 'start-2' });
});

test.each([
  ['another member', selfOf(3), 'node'],
  ['a copy of the node', selfOf(2, { instanceId: 'copy' }), 'instance'],
  ['a node of another cluster', selfOf(2, { clusterId: 'other' }), 'cluster'],
  ['a stranger', selfOf(4), 'unknown'],
  ['this node itself', selfOf(1), 'instance'],
])('%s in its place is refused', (_, answer, refusal) => {
  expect(judged(answer)).toMatchObject({ refusal, nodeId: answer.nodeId });
});
