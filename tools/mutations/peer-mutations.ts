import type { Mutation } from './mutation.js';

const grpc = 'packages/raft/src/grpc';
const wire = 'packages/raft/src/wire';
const test = 'packages/raft/test';

/** Bugs in what goes between nodes. */
export const peerMutations: readonly Mutation[] = [
  {
    name: 'peer/another-instance-let-in',
    breaks: 'a copy of a node, or one whose directory was replaced, is no peer',
    file: `${grpc}/hello.ts`,
    find: "  if (known === 'otherInstance') {",
    replace: "  if (known === 'otherInstance' && instanceId === '') {",
    tests: [`${test}/grpc-hello.test.ts`],
    named: 'a stream of a copy',
  },
  {
    name: 'peer/another-cluster-let-in',
    breaks: 'nodes of different clusters do not talk',
    file: `${grpc}/hello.ts`,
    find: '  if (clusterId !== self.clusterId) {',
    replace: "  if (clusterId === '') {",
    tests: [`${test}/grpc-hello.test.ts`],
    named: 'a stream of another cluster',
  },
  {
    name: 'peer/whoever-listens-taken-for-the-node',
    breaks: 'a node that listens in the place of another one is not taken for it',
    file: `${grpc}/hello.ts`,
    find: 'if (outcome.refusal !== undefined || outcome.nodeId === nodeId) return outcome;',
    replace: 'if (outcome.refusal !== undefined || nodeId > 0) return outcome;',
    tests: [`${grpc}/hello.test.ts`],
  },
  {
    name: 'peer/fragments-of-different-messages-put-together',
    breaks: 'fragments of different wholes are never one',
    file: `${wire}/frame-codec.ts`,
    find: 'if (number !== this.#next) throw',
    replace: 'if (number > this.#next) throw',
    tests: [`${wire}/frame-codec.test.ts`],
    named: 'fragments',
  },
  {
    name: 'peer/frame-between-the-fragments-of-another',
    breaks: 'between the fragments of a whole nothing else comes',
    file: `${wire}/frame-codec.ts`,
    find: '      if (this.#whole !== undefined)\n',
    replace: '      if (frame.length === 0)\n',
    tests: [`${wire}/frame-codec.test.ts`],
    named: 'fragments',
  },
  {
    name: 'peer/checksum-of-a-chunk-not-compared',
    breaks: 'a chunk that is not what was sent is not taken',
    file: `${wire}/snapshot-codec.ts`,
    find: '  if (crc32(bytes) !== crc) {',
    replace: '  if (crc32(bytes) === -1) {',
    tests: [`${wire}/snapshot-codec.test.ts`],
    named: 'chunks give back',
  },
  {
    name: 'peer/messages-in-the-name-of-others',
    breaks: 'a node speaks for itself',
    file: `${wire}/message-codec.ts`,
    find: 'if (!isPassedOn) throw',
    replace: 'if (from < 0) throw',
    tests: [`${wire}/frame-codec.test.ts`],
    named: 'speak for another',
  },
  {
    name: 'peer/end-of-a-snapshot-before-its-files',
    breaks: 'a snapshot is complete only when all of its files are here',
    file: `${grpc}/snapshot-receiver.ts`,
    find: 'if (this.#file < this.#files.length) throw',
    replace: 'if (this.#file < 0) throw',
    tests: [`${test}/grpc-hello.test.ts`],
    named: 'ends before its files',
  },
  {
    name: 'peer/start-of-the-other-side-not-told',
    breaks: 'who was started anew is another process to those who hear it',
    file: `${grpc}/incoming-streams.ts`,
    find: 'handlers.onFrame(peer.nodeId, peer.startId, frame);',
    replace: 'handlers.onFrame(peer.nodeId, self.startId, frame);',
    tests: [`${test}/grpc-peers.test.ts`, `${test}/grpc-contract.test.ts`],
  },
];
