import { expect, test } from 'vitest';
import { MemoryLogStorage } from '../testing/memory-log-storage.js';
import { type RaftOptions, resolveRaftOptions } from './options.js';

const base: RaftOptions = {
  id: 1,
  storage: new MemoryLogStorage(),
  electionTick: 10,
  heartbeatTick: 1,
  random: () => 0,
};

test('defaults are what the README says', () => {
  expect(resolveRaftOptions(base)).toMatchObject({
    preVote: false,
    checkQuorum: false,
    readOnly: 'safe',
    maxSizePerMessage: Number.POSITIVE_INFINITY,
    maxInflightMessages: 256,
    maxInflightBytes: 0,
    maxUncommittedBytes: Number.POSITIVE_INFINITY,
    asyncStorageWrites: false,
    stepDownOnRemoval: false,
    disableProposalForwarding: false,
    disableConfChangeValidation: false,
  });
  expect(resolveRaftOptions({ ...base, maxSizePerMessage: 99 }).maxCommittedSizePerReady).toBe(99);
});

test('what is out of range is refused, with its name', () => {
  const bad: readonly (readonly [Partial<RaftOptions>, string])[] = [
    [{ id: 0 }, 'id must'],
    [{ id: 1.5 }, 'id must'],
    [{ id: 2 ** 53 }, 'id must'],
    [{ id: -1 }, 'id must'],
    [{ heartbeatTick: 0 }, 'heartbeatTick'],
    [{ heartbeatTick: 0.5 }, 'heartbeatTick'],
    [{ electionTick: 1 }, 'electionTick'],
    [{ electionTick: Number.NaN }, 'electionTick'],
    [{ maxInflightMessages: 0 }, 'maxInflightMessages'],
    [{ maxInflightMessages: 1.5 }, 'maxInflightMessages'],
    [{ maxSizePerMessage: -1 }, 'maxSizePerMessage'],
    [{ maxSizePerMessage: Number.NaN }, 'maxSizePerMessage'],
    [{ maxSizePerMessage: 100, maxInflightBytes: 99 }, 'maxInflightBytes'],
    [{ maxInflightBytes: -1, maxSizePerMessage: 10 }, 'maxInflightBytes'],
    [{ maxUncommittedBytes: Number.NaN }, 'maxUncommittedBytes'],
    [{ maxUncommittedBytes: -1 }, 'maxUncommittedBytes'],
    [{ maxCommittedSizePerReady: 0 }, 'maxCommittedSizePerReady'],
    [{ applied: -1 }, 'applied'],
    [{ applied: 0.5 }, 'applied'],
    [{ readOnly: 'leaseBased' }, 'checkQuorum'],
  ];
  for (const [options, name] of bad) {
    const resolve = () => resolveRaftOptions({ ...base, ...options });
    expect(resolve, JSON.stringify(options)).toThrow(RangeError);
    expect(resolve).toThrow(name);
  }
});

test('what is at the edge of its range is taken', () => {
  const good: readonly Partial<RaftOptions>[] = [
    { id: 2 ** 53 - 1 },
    { electionTick: 2 },
    { maxInflightMessages: 1 },
    { maxSizePerMessage: 0, maxCommittedSizePerReady: 1 },
    { maxSizePerMessage: 100, maxInflightBytes: 100 },
    { maxUncommittedBytes: 0 },
    { readOnly: 'leaseBased', checkQuorum: true },
    { applied: 0 },
  ];
  for (const options of good) expect(resolveRaftOptions({ ...base, ...options })).toMatchObject(options);
});
