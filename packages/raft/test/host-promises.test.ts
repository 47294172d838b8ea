/** What a node must not say before its disk has answered, and what it must not do while the disk is silent. */
import { expect, test } from 'vitest';
import type { Message } from '../src/core/message.js';
import type { PeerFrame } from '../src/ports/peer-transport.js';
import { command, HostCluster, watched } from './host-cluster.js';

const others = (id: number) => [1, 2, 3].filter((other) => other !== id) as [number, number];

/** Notes what a node sends from now on. */
function sentBy(cluster: HostCluster, nodeId: number): Message[] {
  const sent: Message[] = [];
  cluster.network.filter = (from, _to, frame: PeerFrame) => {
    if (from === nodeId) sent.push(...frame.messages.map(({ message }) => message));
    return true;
  };
  return sent;
}

test('[T9] a follower acknowledges nothing that is not durable there', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const [slow, away] = others(leader);
  cluster.network.cut(away);
  cluster.node(slow).log.stall();
  const result = watched(cluster.group(leader).propose(command(1)));
  await cluster.ticks(3);
  // It is here, and not durable: neither a crash nor its leader may count on it.
  expect(cluster.group(slow).status().lastIndex).toBe(cluster.group(leader).status().lastIndex);
  expect(result).toEqual({ value: undefined, error: undefined });
  cluster.node(slow).log.resume();
  await cluster.ticks(1);
  expect(result.value).toBe(1);
  await cluster.close();
});

test('a vote is given only when it is durable', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const [voter, candidate] = others(leader);
  await cluster.crash(leader);
  cluster.node(voter).log.stall();
  const sent = sentBy(cluster, voter);
  // Before the candidate's term is known to be worth a vote nothing has to be written.
  await cluster.until(() => cluster.group(voter).status().term > 2 && cluster.group(voter).status().leaderId === 0, 40);
  await cluster.settle();
  expect(sent.filter(({ type, reject }) => type === 'MsgVoteResp' && !reject)).toEqual([]);
  expect(cluster.group(candidate).status().role).not.toBe('StateLeader');
  cluster.node(voter).log.resume();
  expect([voter, candidate]).toContain(await cluster.elected(1, [voter, candidate]));
  await cluster.close();
});

test('[T24] a node whose disk is silent asks for no votes', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const [stalled, away] = others(leader);
  cluster.node(stalled).log.stall();
  watched(cluster.group(leader).propose(command(1)));
  await cluster.until(() => cluster.group(stalled).status().state === 'stalled', 40);
  cluster.network.cut(leader, away);
  const sent = sentBy(cluster, stalled);
  await cluster.ticks(30);
  expect(sent.map(({ type }) => type)).toEqual([]);
  cluster.network.heal();
  cluster.node(stalled).log.resume();
  await cluster.elected();
  await cluster.close();
});

test('[T24] a node whose disk is silent takes no leadership over', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const [stalled] = others(leader);
  await cluster.ticks(2);
  // Its own log waits for something, although it lacks nothing that its leader has.
  const { log } = cluster.node(stalled);
  log.waitingSinceMs = () => 0;
  await cluster.until(() => cluster.group(stalled).status().state === 'stalled', 40);
  const moved = watched(cluster.group(leader).transferLeadership(stalled));
  const { term } = cluster.group(leader).status();
  await cluster.ticks(15);
  expect(moved.error).toMatchObject({ code: 'REFUSED' });
  expect(cluster.group(leader).status()).toMatchObject({ role: 'StateLeader', term });
  await cluster.close();
});

test('[T50] a follower agrees to rest only where it has its leader’s last entry and no other', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const [follower] = others(leader);
  await Promise.all([cluster.group(leader).propose(command(1)), cluster.ticks(2)]);
  const agreed: number[] = [];
  cluster.network.filter = (from, _to, { signals }) => {
    for (const { type, index } of signals) if (from === follower && type === 'asleep') agreed.push(index);
    return true;
  };
  const { term, lastIndex } = cluster.group(leader).status();
  const transport = cluster.network.transport(leader);
  // As the leader would say it; the transport is another one of its node.
  transport.open({
    onFrame: () => {},
    onUnreachable: () => {},
    onGone: () => {},
    onSnapshot: () => Promise.reject(new Error('none')),
  });
  for (const index of [lastIndex - 1, lastIndex + 1, lastIndex]) {
    transport.send(follower, { messages: [], signals: [{ groupId: 1, type: 'sleep', term, index }] });
    await cluster.settle();
  }
  expect(agreed).toEqual([lastIndex]);
  await cluster.close();
});
