/** Who answers is judged by whom was dialled, whatever the other side thinks of it. */
import { expect, test } from 'vitest';
import type { PeerBook, PeerSelf } from './grpc-peers-options.js';
import { helloAnswer, helloTo, judgeAnswer, judgeHello } from './hello.js';

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
const judged = (answer: PeerSelf) => judgeAnswer(helloAnswer(answer, 2), 2, selfOf(1), book);

test('the node that was dialled is let in, with its instance and its start', () => {
  expect(judged(selfOf(2))).toEqual({ nodeId: 2, instanceId: 'instance-2', startId: 'start-2', version: 2 });
});

test('two nodes speak the highest version that both know', () => {
  const hello = (versions: string) => {
    const metadata = helloTo(2, selfOf(1));
    metadata.set('shanghai-protocol', versions);
    return judgeHello(metadata, selfOf(2), book);
  };
  expect(hello('1-1')).toMatchObject({ nodeId: 1, version: 1 });
  expect(hello('1-2')).toMatchObject({ nodeId: 1, version: 2 });
  expect(hello('2-9')).toMatchObject({ nodeId: 1, version: 2 });
  expect(hello('3-9')).toMatchObject({ refusal: 'protocol' });
  expect(judgeAnswer(helloAnswer(selfOf(2), 1), 2, selfOf(1), book)).toMatchObject({ version: 1 });
  expect(judgeAnswer(helloAnswer(selfOf(2), 3), 2, selfOf(1), book)).toMatchObject({ refusal: 'protocol' });
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
