import { describe, expect, test } from 'vitest';
import { checkSameLogs, command, expectAllBehind, numberOf, VirtualGroup } from './virtual-group.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_911);
const isDeep = process.env['SHANGHAI_DEEP'] === '1';

describe(`what is durable (seed ${seed})`, () => {
  test('outlives the crash of everybody, of the leader, and of a follower', () => {
    const group = new VirtualGroup(3, seed);
    const all = [1, 2, 3];
    group.agree(11);
    group.crash(...all);
    group.restart(...all);
    group.agree(12);
    const first = group.waitForLeader();
    group.crash(first.id);
    group.agree(13);
    group.restart(first.id);
    group.agree(14);
    const second = group.waitForLeader();
    const follower = (second.id % 3) + 1;
    group.crash(follower);
    group.agree(15);
    group.restart(follower);
    const index = group.agree(16);
    group.run(30);
    expectAllBehind(group, index);
    expect([11, 12, 13, 14, 15, 16].map((number) => group.indexOf(number)).every((one) => one !== undefined)).toBe(
      true,
    );
    checkSameLogs(group.nodes);
  });

  test('outlives rounds in which each of five is gone in turn', () => {
    const group = new VirtualGroup(5, seed);
    let number = 1;
    for (let round = 0; round < 5; round++) {
      group.agree(number++);
      const leader = group.waitForLeader();
      const [a, b, c, d] = [1, 2, 3, 4].map((step) => ((leader.id - 1 + step) % 5) + 1) as [
        number,
        number,
        number,
        number,
      ];
      group.cut(a, b);
      group.agree(number++);
      group.crash(leader.id, c, d);
      group.reconnect(a, b);
      group.restart(leader.id, c);
      group.agree(number++);
      group.restart(d);
    }
    const index = group.agree(1000);
    group.run(30);
    for (let i = 1; i < number; i++) expect(group.indexOf(i), `${i}`).toBeDefined();
    expectAllBehind(group, index);
    checkSameLogs(group.nodes);
  });

  test('a leader and a follower that were apart from the third crash; the leader alone comes back, with the third', () => {
    const group = new VirtualGroup(3, seed);
    group.agree(101);
    const leader = group.waitForLeader();
    const [other, third] = [1, 2].map((step) => ((leader.id - 1 + step) % 3) + 1) as [number, number];
    group.cut(third);
    group.agree(102);
    group.crash(leader.id, other);
    group.reconnect(third);
    group.restart(leader.id);
    group.agree(103);
    group.restart(other);
    const index = group.agree(104);
    group.run(30);
    expectAllBehind(group, index);
    checkSameLogs(group.nodes);
  });
});

describe(`leaders that crash with entries on some nodes (seed ${seed})`, () => {
  test('whatever was committed is never lost or replaced', () => {
    const group = new VirtualGroup(5, seed);
    const rounds = isDeep ? 1000 : 200;
    let number = 1;
    for (let round = 0; round < rounds; round++) {
      for (const { id, raft } of group.nodes) if (group.isUp(id)) raft.propose(command(number++));
      group.run(group.random.float() < 0.1 ? group.random.below(8) : group.random.below(2));
      const leader = group.leader();
      if (leader !== undefined && group.random.float() < 0.7) group.crash(leader.id);
      if (group.nodes.filter(({ id }) => group.isUp(id)).length < 3) group.restart(1 + group.random.below(5));
      if (group.leader() === undefined) group.run(10);
    }
    group.restart(1, 2, 3, 4, 5);
    const index = group.agree(1_000_000);
    group.run(30);
    expectAllBehind(group, index);
    expect(group.waitForLeader().raft.marks().term).toBeGreaterThan(5);
    checkSameLogs(group.nodes);
  });

  test('neither on a network that loses, and then delivers long after', () => {
    const group = new VirtualGroup(5, seed);
    const rounds = isDeep ? 1000 : 250;
    let number = 1;
    for (let round = 0; round < rounds; round++) {
      group.conditions = { lostShare: 0.1, lateShare: round < rounds / 5 ? 0 : 0.3 };
      for (const { id, raft } of group.nodes) if (group.isUp(id)) raft.propose(command(number++));
      group.run(1 + group.random.below(4));
      const leader = group.leader();
      if (leader !== undefined && group.random.float() < 0.4) group.cut(leader.id);
      if (group.nodes.filter(({ id }) => group.isUp(id)).length < 3) group.reconnect(1 + group.random.below(5));
    }
    group.conditions = { lostShare: 0, lateShare: 0 };
    group.reconnect(1, 2, 3, 4, 5);
    const index = group.agree(1_000_000);
    group.run(60);
    expectAllBehind(group, index);
    checkSameLogs(group.nodes);
  });
});

describe(`clients while nodes come and go (seed ${seed})`, () => {
  test.each([
    { network: 'that is reliable', lostShare: 0, lateShare: 0 },
    { network: 'that is not', lostShare: 0.1, lateShare: 0.1 },
  ])(
    'every value that was acknowledged is in everybody’s log, once, on a network $network',
    ({ lostShare, lateShare }) => {
      const group = new VirtualGroup(5, seed);
      group.conditions = { lostShare, lateShare };
      const acknowledged = new Set<number>();
      let waiting: { readonly number: number; readonly at: number }[] = [];
      let number = 1;
      for (let round = 0; round < (isDeep ? 2000 : 300); round++) {
        // Three clients, each of whom asks whoever it takes for the leader.
        for (let client = 0; client < 3; client++) {
          const node = group.nodes[group.random.below(5)];
          if (node === undefined || !group.isUp(node.id) || node.raft.marks().state !== 'StateLeader') continue;
          if (node.raft.propose(command(number)) === undefined) waiting.push({ number: number++, at: node.id });
        }
        group.run(1);
        for (const { number: one, at } of waiting) {
          const isApplied = group.group.node(at).applied.some(({ data }) => data.length > 0 && numberOf(data) === one);
          if (isApplied) acknowledged.add(one);
        }
        waiting = waiting.filter(({ number: one }) => !acknowledged.has(one));
        const chance = group.random.float();
        const id = 1 + group.random.below(5);
        if (chance < 0.04) group.cut(id);
        else if (chance < 0.06) group.crash(id);
        else if (chance < 0.2) {
          group.restart(id);
          group.reconnect(id);
        }
      }
      group.conditions = { lostShare: 0, lateShare: 0 };
      group.restart(1, 2, 3, 4, 5);
      group.reconnect(1, 2, 3, 4, 5);
      group.agree(1_000_000);
      group.run(60);
      expect(acknowledged.size).toBeGreaterThan(20);
      for (const { id, applied } of group.nodes) {
        const numbers = applied.filter(({ data }) => data.length > 0).map(({ data }) => numberOf(data));
        expect(new Set(numbers).size, `${id}`).toBe(numbers.length);
        expect(
          [...acknowledged].filter((one) => !numbers.includes(one)),
          `${id}`,
        ).toEqual([]);
      }
      checkSameLogs(group.nodes);
    },
  );
});

describe(`snapshots (seed ${seed})`, () => {
  test('taken every ten entries keep the log short', () => {
    const group = new VirtualGroup(3, seed);
    for (let i = 1; i <= 50; i++) {
      group.agree(i);
      if (i % 10 !== 0) continue;
      for (const node of group.nodes) group.compact(node);
    }
    for (const { storage } of group.nodes) expect(storage.lastIndex() - storage.firstIndex()).toBeLessThan(10);
    checkSameLogs(group.nodes);
  });

  test.each([
    { how: 'was cut off', isLossy: false, crashes: false },
    { how: 'was cut off, on a network that loses', isLossy: true, crashes: false },
    { how: 'crashed', isLossy: false, crashes: true },
    { how: 'crashed, on a network that loses', isLossy: true, crashes: true },
  ])('catch up a follower that $how', ({ isLossy, crashes }) => {
    const group = new VirtualGroup(3, seed);
    if (isLossy) group.conditions = { lostShare: 0.1, lateShare: 0.05 };
    let number = 1;
    group.agree(number++);
    let installed = 0;
    for (let round = 0; round < (isDeep ? 100 : 15); round++) {
      const leader = group.waitForLeader();
      const victim = (leader.id % 3) + 1;
      if (crashes) group.crash(victim);
      else group.cut(victim);
      for (let i = 0; i < 8; i++) group.agree(number++);
      for (const node of group.nodes) if (group.isUp(node.id)) group.compact(node, 0);
      group.restart(victim);
      group.reconnect(victim);
      const before = group.group.node(victim).storage.firstIndex();
      const index = group.agree(number++);
      for (let i = 0; i < 200 && group.group.node(victim).raft.marks().applied < index; i++) group.run(1);
      expect(group.group.node(victim).raft.marks().applied, `round ${round}`).toBeGreaterThanOrEqual(index);
      if (group.group.node(victim).storage.firstIndex() > before) installed++;
    }
    expect(installed).toBeGreaterThan(5);
    checkSameLogs(group.nodes);
  });
});
