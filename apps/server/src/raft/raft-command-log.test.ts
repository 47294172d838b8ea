import {
  emptyConfState,
  type GroupStatus,
  ProposalError,
  type ProposalErrorCode,
  type RaftGroup,
  type ReplicaStatus,
} from '@shanghai/raft';
import { expect, test } from 'vitest';
import type { NodeEntry } from '../apply/catalogue-command.js';
import type { ServerError } from '../requests/server-error.js';
import { leaderNamedBy } from './proposal-refusals.js';
import { RaftCommandLog } from './raft-command-log.js';

const limits = { maxProposals: 100, maxProposalBytes: 1 << 20, maxEntryBytes: 1 << 20 };

const status: GroupStatus = {
  groupId: 1,
  role: 'StateLeader',
  isLearner: false,
  leaderId: 1,
  term: 3,
  firstIndex: 5,
  lastIndex: 9,
  commitIndex: 9,
  appliedIndex: 8,
  logBytes: 100,
  configuration: { ...emptyConfState, voters: [1, 2, 3] },
  replicas: [],
  proposalsInFlight: 4,
  isAsleep: false,
  awaits: [],
  leaderHeardMsAgo: 0,
  state: 'open',
};

const leader: NodeEntry = {
  nodeId: 2,
  name: 'b',
  instanceId: 'i',
  grpcAddress: 'host-b:9090',
  httpAddress: 'host-b:8080',
  peerAddress: 'host-b:9190',
};

/** A group of which every call fails with `code`, and the log over it. */
function failing(code: ProposalErrorCode, leaderId = 0, more: Partial<GroupStatus> = {}) {
  const transferred: number[] = [];
  const error = () => new ProposalError(code, 'why', { leaderId, stage: 'appended' });
  const fail = () => Promise.reject(error());
  const group: RaftGroup<number> = {
    committedEntries: () => [],
    groupId: 1,
    propose: fail,
    submit: (_, done) => done.reject(error()),
    readIndex: fail,
    changeConfiguration: fail,
    transferLeadership: (to) => {
      transferred.push(to);
      return fail();
    },
    compact: () => Promise.resolve(),
    status: () => ({ ...status, ...more }),
    close: () => Promise.resolve(),
  };
  let isWaiting = false;
  const log = new RaftCommandLog({
    group,
    nodes: () => [leader],
    waitsForSpace: () => isWaiting,
    isStalled: () => false,
    failure: () => undefined,
    limits,
  });
  return {
    log,
    transferred,
    wait: () => {
      isWaiting = true;
    },
  };
}

async function failureOf(promise: Promise<unknown>): Promise<ServerError> {
  return promise.then(
    () => {
      throw new Error('nothing failed');
    },
    (error: ServerError) => error,
  );
}

test('who does not lead says who does and where, so that nobody has to ask for it', async () => {
  const { log } = failing('NOT_LEADER', 2);
  for (const error of [await failureOf(log.propose(new Uint8Array())), await failureOf(log.readIndex())]) {
    expect(error).toMatchObject({
      code: 'CLUSTER_ERROR',
      message: expect.stringContaining('nothing was done'),
      details: { leaderNodeId: 2, leader: 'host-b:9090', leaderHttp: 'host-b:8080' },
    });
    expect(leaderNamedBy(error)).toEqual({ leaderNodeId: 2, leader: 'host-b:9090', leaderHttp: 'host-b:8080' });
  }
});

test('without a leader none is named, and an unknown one by its id alone', async () => {
  const nobody = await failureOf(failing('NOT_LEADER', 0).log.propose(new Uint8Array()));
  expect([nobody.code, leaderNamedBy(nobody)]).toEqual(['CLUSTER_ERROR', undefined]);
  const unlisted = await failureOf(failing('NOT_LEADER', 3).log.propose(new Uint8Array()));
  expect(leaderNamedBy(unlisted)).toEqual({ leaderNodeId: 3, leader: '', leaderHttp: '' });
});

test.each([
  ['BUSY', 'RESOURCE_EXHAUSTED', 'nothing was done'],
  ['TOO_LARGE', 'INVALID_REQUEST', 'nothing was done'],
  ['FULL', 'CLUSTER_ERROR', 'the disk of this node is full'],
  ['SUPERSEDED', 'CLUSTER_ERROR', 'nothing was done'],
  ['REFUSED', 'CLUSTER_ERROR', 'nothing was done'],
  ['CLOSED', 'SERVICE_UNAVAILABLE', 'takes no requests'],
  ['UNKNOWN', 'OUTCOME_UNKNOWN', 'was written and not confirmed by a majority'],
] as const)('a proposal that is %s is %s to the caller', async (code, expected, says) => {
  const error = await failureOf(failing(code).log.propose(new Uint8Array()));
  expect(error).toMatchObject({ code: expected, message: expect.stringContaining(says) });
});

test('a full disk is the end of it only where nobody else could lead', async () => {
  const { log } = failing('FULL', 0, { configuration: { ...emptyConfState, voters: [1] } });
  expect(await failureOf(log.propose(new Uint8Array()))).toMatchObject({ code: 'STORAGE_FULL' });
});

test('a read of which nobody knows is no unknown outcome: nothing was written', async () => {
  expect(await failureOf(failing('UNKNOWN').log.readIndex())).toMatchObject({ code: 'CLUSTER_ERROR' });
});

test('while applying waits for space the log counts as full, and takes nothing', async () => {
  const { log, wait } = failing('CLOSED', 0, { configuration: { ...emptyConfState, voters: [1] } });
  expect(log.status().state).toBe('open');
  wait();
  expect(log.status().state).toBe('full');
  expect(await failureOf(log.propose(new Uint8Array()))).toMatchObject({ code: 'STORAGE_FULL' });
  // Others may have space: the caller is to ask again.
  const several = failing('CLOSED');
  several.wait();
  expect(await failureOf(several.log.propose(new Uint8Array()))).toMatchObject({ code: 'CLUSTER_ERROR' });
});

test('stepping aside chooses the other voter that is there and has most of the log', async () => {
  const replica = (nodeId: number, matchIndex: number, more: Partial<ReplicaStatus> = {}): ReplicaStatus => ({
    nodeId,
    state: 'StateReplicate',
    matchIndex,
    isLearner: false,
    isActive: true,
    snapshotSent: undefined,
    ...more,
  });
  const replicas = [
    replica(2, 7),
    replica(3, 8),
    replica(4, 9, { isActive: false }),
    replica(5, 9, { isLearner: true }),
  ];
  const { log, transferred } = failing('REFUSED', 0, { replicas });
  expect(await log.stepAside()).toBe(3);
  expect(await log.stepAside(3)).toBe(2);
  expect(transferred).toEqual([3, 2]);
  const alone = failing('REFUSED', 0, { replicas: replicas.slice(1) });
  expect(await alone.log.stepAside(3)).toBe(3);
  const follower = failing('REFUSED', 0, { replicas, role: 'StateFollower' });
  await follower.log.stepAside();
  expect(follower.transferred).toEqual([]);
});

test('a stalled disk shows as such, and the log as open', () => {
  expect(failing('CLOSED', 0, { state: 'stalled' }).log.status()).toMatchObject({ state: 'open', isStalled: true });
  expect(failing('CLOSED', 0, { state: 'restoring' }).log.status()).toMatchObject({ state: 'restoring' });
});
