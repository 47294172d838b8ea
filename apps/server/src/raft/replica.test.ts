/** What a replica answers for reads of each level when it does not lead, and what its tokens promise. */
import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { MapStore } from '../../test/core-map-store.js';
import type { ApplyResult } from '../apply/apply-result.js';
import { manySlots } from '../apply/command.js';
import { encodeCommand } from '../apply/command-codec.js';
import { StateMachine } from '../apply/state-machine.js';
import { decodeReadToken, encodeReadToken } from '../requests/read-token.js';
import { ServerError } from '../requests/server-error.js';
import type { CommandLog, CommandLogStatus } from './command-log.js';
import type { GroupState } from './group-state.js';
import { notLeader } from './proposal-refusals.js';
import { Replica, type TimeAtLeader } from './replica.js';

const linearizable = { keyspace: '', level: 'linearizable' } as const;
const stale = { keyspace: '', level: 'stale' } as const;
const session = (index: number, groupId = 1) =>
  ({ keyspace: '', level: 'session', token: encodeReadToken({ groupId, index }) }) as const;

async function follower(timeAtLeader?: TimeAtLeader) {
  const clock = createManualClock();
  const store = new MapStore();
  const machine = await StateMachine.open({
    store: store.asStore(),
    logWriter: { write: async () => undefined, writeRuns: async () => undefined },
    ring: { maxChanges: 100, maxBytes: 1 << 20 },
    clock,
  });
  const consensus = { leaderHeardMsAgo: 30 as number | undefined, role: 'follower' as CommandLogStatus['role'] };
  const read = { index: async () => 0 };
  const log = {
    groupId: 1,
    readIndex: () => read.index(),
    status: () => ({ ...consensus, firstIndex: 1, lastIndex: 4, state: 'open', raft: consensus }),
  } as unknown as CommandLog<ApplyResult>;
  const state = { groupId: 1, machine, store, changes: machine.changes } as unknown as GroupState;
  const replica = new Replica(state, log, clock, 1_000, timeAtLeader === undefined ? {} : { timeAtLeader });
  let index = 0;
  const apply = () => {
    const header = { logTimeMs: 1, sessionId: 0, requestNumber: 0, retry: false, slot: manySlots, epoch: 0 };
    return machine.apply([{ index: ++index, term: 1, command: encodeCommand(header, { kind: 'time' }) }]);
  };
  return { clock, store, consensus, read, log, replica, apply };
}

async function ended(promise: Promise<unknown>): Promise<boolean> {
  let isEnded = false;
  promise.then(
    () => {
      isEnded = true;
    },
    () => undefined,
  );
  await new Promise((resolve) => setImmediate(resolve));
  return isEnded;
}

test('a linearizable read waits until what the leader confirmed is applied here, and is not stale then', async () => {
  const { replica, read, apply } = await follower();
  read.index = async () => 2;
  const barrier = replica.readBarrier(linearizable);
  await apply();
  expect(await ended(barrier)).toBe(false);
  await apply();
  expect(await barrier).toBe(0);
});

test('a stuck apply does not hang reads for ever [T14c]', async () => {
  const { replica, read, apply, clock } = await follower();
  read.index = async () => 2;
  await apply();
  const waits = [replica.readBarrier(linearizable), replica.readBarrier(session(9))];
  const ends = Promise.allSettled(waits);
  await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(1_000);
  for (const end of await ends) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'CLUSTER_ERROR' } });
});

test('a key that should be gone is a matter of its leader, asked once a second at most', async () => {
  const asked: (readonly [string, number])[] = [];
  const { replica, log, clock, apply } = await follower(async (...leader) => asked.push(leader));
  const two = { nodeId: 2, name: '', instanceId: '', grpcAddress: 'two:1', httpAddress: '', peerAddress: '' };
  log.submit = (_, done) => done.reject(notLeader(1, 2, two));
  const advanced = replica.advanceTime();
  const also = replica.advanceTime();
  expect(await ended(advanced)).toBe(false);
  await apply();
  await Promise.all([advanced, also]);
  await replica.advanceTime();
  expect(asked).toEqual([['two:1', 1]]);
  await clock.advance(1_000);
  await apply();
  await replica.advanceTime();
  expect(asked).toHaveLength(2);
});

test('without a leader a linearizable read fails as the log says, at once', async () => {
  const { replica, read } = await follower();
  read.index = async () => {
    throw new ServerError('CLUSTER_ERROR', 'no leader');
  };
  await expect(replica.readBarrier(linearizable)).rejects.toMatchObject({ message: 'no leader' });
});

test('a session read waits for what its token has seen, whichever replica gave it', async () => {
  const { replica, apply, consensus } = await follower();
  const barrier = replica.readBarrier(session(2));
  await apply();
  expect(await ended(barrier)).toBe(false);
  await apply();
  expect(await barrier).toBe(30);
  expect(await replica.readBarrier(session(1))).toBe(30);
  expect(await replica.readBarrier(session(99, 5))).toBe(30);
  consensus.role = 'leader';
  await expect(replica.readBarrier(session(5))).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
});

test('a stale read says how long ago the leader was heard, and is refused where it never was', async () => {
  const { replica, consensus } = await follower();
  expect(await replica.readBarrier(stale)).toBe(30);
  consensus.role = 'leader';
  expect(await replica.readBarrier(stale)).toBe(0);
  consensus.role = 'follower';
  consensus.leaderHeardMsAgo = undefined;
  await expect(replica.readBarrier(stale)).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
});

test('a token names what the store may show already, not only what is applied for all', async () => {
  const { replica, store, apply } = await follower();
  await apply();
  expect(decodeReadToken(replica.token())).toEqual({ groupId: 1, index: 1 });
  const batch = store.batch.bind(store);
  let finish = () => {};
  const held = new Promise<void>((resolve) => {
    finish = resolve;
  });
  store.batch = async (operations) => {
    const done = await batch(operations);
    await held;
    return done;
  };
  const second = apply();
  await new Promise((resolve) => setImmediate(resolve));
  // A reader can see the second entry's effects in the store, although it is not applied yet.
  expect(replica.machine.visible.appliedIndex).toBe(1);
  expect(decodeReadToken(replica.token())).toEqual({ groupId: 1, index: 2 });
  const session = replica.readBarrier({ keyspace: '', level: 'session', token: replica.token() });
  expect(await ended(session)).toBe(false);
  finish();
  await Promise.all([second, session]);
});

test('the log is cut behind what the checkpoint made durable, not behind what is applied by then', async () => {
  const { replica, log, apply } = await follower();
  await apply();
  const cut: number[] = [];
  log.compact = async (index) => void cut.push(index);
  Object.assign(replica.state, {
    durableIndex: 0,
    checkpoint: async () => {
      await apply();
      return 1;
    },
  });
  await replica.checkpoint(async () => Number.POSITIVE_INFINITY);
  expect([cut, replica.machine.visible.appliedIndex]).toEqual([[1], 2]);
});
