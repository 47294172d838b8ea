import { describe, expect, test } from 'vitest';
import { checkSameLogs, command, expectAllBehind, numberOf, VirtualGroup } from './virtual-group.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_910);
const isDeep = process.env['SHANGHAI_DEEP'] === '1';

describe(`elections (seed ${seed})`, () => {
  test('three nodes elect one leader, agree on its term, and keep it as long as nothing fails', () => {
    const group = new VirtualGroup(3, seed);
    const leader = group.waitForLeader();
    const { term } = leader.raft.marks();
    expect(term).toBeGreaterThanOrEqual(1);
    group.run(200);
    expect(group.nodes.map(({ raft }) => raft.marks().term)).toEqual([term, term, term]);
    expect(group.leader()?.id).toBe(leader.id);
  });

  test('a lost leader is replaced, comes back as a follower, and without a quorum there is none', () => {
    const group = new VirtualGroup(3, seed);
    const first = group.waitForLeader();
    group.cut(first.id);
    const second = group.waitForLeader();
    expect(second.id).not.toBe(first.id);
    group.reconnect(first.id);
    group.run(20);
    expect(group.leader()?.id).toBe(second.id);
    expect(first.raft.marks()).toMatchObject({ state: 'StateFollower', lead: second.id });
    const other = group.nodes.find(({ id }) => id !== first.id && id !== second.id)?.id ?? 0;
    group.cut(second.id, other);
    group.run(100);
    expect(group.leader()).toBeUndefined();
    group.reconnect(other);
    expect([first.id, other]).toContain(group.waitForLeader().id);
    group.reconnect(second.id);
    group.waitForLeader();
  });

  test('seven nodes, of which three at a time are cut off, always come to one leader', () => {
    const group = new VirtualGroup(7, seed);
    group.waitForLeader();
    for (let round = 0; round < 9; round++) {
      const gone = [1, 2, 3].map(() => 1 + group.random.below(7));
      group.cut(...gone);
      group.waitForLeader();
      const leaders = group.nodes.filter(({ id, raft }) => group.isUp(id) && raft.marks().state === 'StateLeader');
      expect(new Set(leaders.map(({ raft }) => raft.marks().term)).size, `round ${round}`).toBe(leaders.length);
      group.reconnect(...gone);
      group.waitForLeader();
    }
  });
});

describe(`agreement (seed ${seed})`, () => {
  test('commands are applied in the order they were taken, behind each other, and none before', () => {
    const group = new VirtualGroup(3, seed);
    group.waitForLeader();
    group.run(5);
    expect([1, 2, 3].map((number) => group.indexOf(number))).toEqual([undefined, undefined, undefined]);
    const indexes = [1, 2, 3].map((number) => group.agree(number));
    expect(indexes).toEqual([3, 4, 5]);
    group.run(5);
    for (const { applied } of group.nodes)
      expect(applied.slice(-3).map(({ data }) => numberOf(data))).toEqual([1, 2, 3]);
  });

  test('each command goes to each follower about once', () => {
    const group = new VirtualGroup(3, seed);
    group.waitForLeader();
    group.agree(0);
    const before = group.sentBytes;
    for (let i = 1; i <= 10; i++) group.agree(i, 5000);
    expect(group.sentBytes - before).toBeLessThanOrEqual(2 * 10 * 5000);
  });

  test('goes on with one follower gone, which catches up when it is back', () => {
    const group = new VirtualGroup(3, seed);
    group.agree(1);
    const gone = ((group.leader()?.id ?? 0) % 3) + 1;
    group.cut(gone);
    for (let i = 2; i < 6; i++) group.agree(i);
    group.run(30);
    group.agree(6);
    group.reconnect(gone);
    const index = group.agree(7);
    group.run(20);
    expectAllBehind(group, index);
    checkSameLogs(group.nodes);
  });

  test('with three of five gone nothing is committed; with them back it goes on, and what was not committed may be lost', () => {
    const group = new VirtualGroup(5, seed);
    const index = group.agree(1);
    const leader = group.waitForLeader();
    const gone = [1, 2, 3].map((step) => ((leader.id - 1 + step) % 5) + 1);
    group.cut(...gone);
    expect(leader.raft.propose(command(2))).toBeUndefined();
    group.run(60);
    expect(group.indexOf(2)).toBeUndefined();
    expect(leader.raft.marks().commit).toBe(index);
    group.reconnect(...gone);
    expect(group.agree(3)).toBeLessThanOrEqual(index + 4);
    checkSameLogs(group.nodes);
  });

  test('commands that are proposed together are all committed, each once', () => {
    const group = new VirtualGroup(3, seed);
    const leader = group.waitForLeader();
    group.run(3);
    for (let i = 1; i <= 5; i++) expect(leader.raft.propose(command(i))).toBeUndefined();
    group.run(5);
    const numbers = leader.applied.filter(({ data }) => data.length > 0).map(({ data }) => numberOf(data));
    expect(numbers).toEqual([1, 2, 3, 4, 5]);
  });

  test('what a leader took while it was cut off is replaced when it is back', () => {
    const group = new VirtualGroup(3, seed);
    group.agree(101);
    const first = group.waitForLeader();
    group.cut(first.id);
    for (const number of [102, 103, 104]) first.raft.propose(command(number));
    group.run(3);
    const index = group.agree(203);
    const second = group.waitForLeader();
    group.cut(second.id);
    group.reconnect(first.id);
    group.agree(204);
    group.reconnect(second.id);
    group.agree(205);
    group.run(30);
    expect([102, 103, 104].map((number) => group.indexOf(number))).toEqual([undefined, undefined, undefined]);
    const [entry] = first.applied.filter((one) => one.index === index);
    expect(entry && numberOf(entry.data)).toBe(203);
    checkSameLogs(group.nodes);
  });

  test('logs that differ by fifty entries, twice, come together in few messages', () => {
    const group = new VirtualGroup(5, seed);
    group.agree(1);
    const first = group.waitForLeader();
    const [a, b, c, d] = [1, 2, 3, 4].map((step) => ((first.id - 1 + step) % 5) + 1) as [
      number,
      number,
      number,
      number,
    ];
    group.cut(b, c, d);
    for (let i = 0; i < 50; i++) first.raft.propose(command(1000 + i));
    group.run(3);
    group.cut(first.id, a);
    group.reconnect(b, c, d);
    for (let i = 0; i < 50; i++) group.agree(2000 + i);
    const second = group.waitForLeader();
    const other = [b, c, d].find((id) => id !== second.id) ?? 0;
    group.cut(other);
    for (let i = 0; i < 50; i++) second.raft.propose(command(3000 + i));
    group.run(3);
    group.cut(b, c, d);
    group.reconnect(first.id, a, other);
    for (let i = 0; i < 50; i++) group.agree(4000 + i);
    group.reconnect(b, c, d);
    const before = group.sentMessages;
    const index = group.agree(5000);
    group.run(30);
    expectAllBehind(group, index);
    expect(group.sentMessages - before).toBeLessThan(700);
    expect([1000, 3000].map((number) => group.indexOf(number))).toEqual([undefined, undefined]);
    checkSameLogs(group.nodes);
  });

  test('an election, entries and idle time cost few messages', () => {
    const group = new VirtualGroup(3, seed);
    group.waitForLeader();
    expect(group.sentMessages).toBeLessThanOrEqual(30);
    group.run(10);
    const leader = group.waitForLeader();
    const before = group.sentMessages;
    for (let i = 1; i <= 10; i++) leader.raft.propose(command(i));
    group.run(2);
    expect(group.indexOf(10)).toBeDefined();
    // To each of two followers an append and the news of its commit, both answered; and three heartbeats.
    expect(group.sentMessages - before).toBeLessThanOrEqual(10 * 2 * 4 + 3 * 4);
    const idle = group.sentMessages;
    group.run(10);
    // A heartbeat and its answer, to and from two, in every tick.
    expect(group.sentMessages - idle).toBeLessThanOrEqual(44);
  });
});

test(`on a network that loses and delays, five nodes agree on everything that is proposed at once (seed ${seed})`, () => {
  const group = new VirtualGroup(5, seed);
  group.conditions = { lostShare: 0.1, lateShare: 0.05 };
  const rounds = isDeep ? 200 : 50;
  for (let round = 1; round < rounds; round++) {
    const leader = group.waitForLeader();
    for (let i = 1; i < 5; i++) leader.raft.propose(command(10_000 + 100 * round + i));
    group.agree(round);
  }
  group.conditions = { lostShare: 0, lateShare: 0 };
  group.agree(9999);
  group.run(50);
  for (let round = 1; round < rounds; round++) expect(group.indexOf(round), `${round}`).toBeDefined();
  expect(new Set(group.nodes.map(({ raft }) => raft.marks().applied)).size).toBe(1);
  checkSameLogs(group.nodes);
});
