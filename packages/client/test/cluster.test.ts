import { delay } from '@shanghai/env';
import { describe, expect, it } from 'vitest';
import { ClientError, type LogEntry, textOf, type WatchPage } from '../src/index.js';
import type { RequestOnTheWay } from '../src/testing/index.js';
import { type ClusterTest, createClusterTest, settle } from '../src/testing/test-client.js';

/** Endpoints that requests of a kind went to, in order. */
function trace({ cluster }: ClusterTest, kind: RequestOnTheWay['kind']): string[] {
  const seen: string[] = [];
  cluster.network.fate = (request) => {
    if (request.kind === kind) seen.push(request.endpoint);
    return 'deliver';
  };
  return seen;
}

const refused = (code: ClientError['code']) => new ClientError(code, 'refused', { answered: true });

describe('the leader of the group', () => {
  it('is found from any node, and remembered', async () => {
    const test = createClusterTest(3);
    test.cluster.elect(3);
    const seen = trace(test, 'pipeline');
    await settle(test, test.client.put('a', '1'));
    for (let i = 0; i < 5; i++) await settle(test, test.client.append('a', 'x'));
    expect(await settle(test, test.client.getText('a'))).toBe('1xxxxx');
    expect(seen.filter((endpoint) => endpoint !== 'node-3:9090').length).toBeLessThanOrEqual(1);
  });

  it('is followed to without waiting and without using up an attempt', async () => {
    const test = createClusterTest(3, { maxAttempts: 1, sessions: false });
    await settle(test, test.client.put('a', '1'));
    for (const leader of [2, 3, 1, 3]) {
      test.cluster.elect(leader);
      const before = test.clock.monotonicMs();
      const call = test.client.append('a', 'x');
      await test.clock.advance(0);
      await call;
      expect(test.clock.monotonicMs()).toBe(before);
    }
  });

  it('that is not there is asked for by one call at a time, with pauses, and all go on when there is one', async () => {
    const test = createClusterTest(3);
    await settle(test, test.client.put('a', '1'));
    test.cluster.elect(undefined);
    const seen = trace(test, 'pipeline');
    const calls = Promise.all(Array.from({ length: 500 }, (_, i) => test.client.put(`k${i}`, 'x')));
    await test.clock.advance(2_000);
    // The first message holds many; from then on one call at a time looks for a leader.
    expect(seen.length - 500).toBeLessThan(100);
    test.cluster.elect(2);
    const electedMs = test.clock.monotonicMs();
    await settle(test, calls);
    expect(test.clock.monotonicMs() - electedMs).toBeLessThanOrEqual(260);
  });

  it('that does not come is said at the deadline: nothing was done, and nobody led', async () => {
    for (const sessions of [true, false]) {
      const test = createClusterTest(3, { sessions });
      await settle(test, test.client.put('a', '1'));
      test.cluster.elect(undefined);
      const failure = { code: 'CLUSTER_ERROR', retryable: true, waitedIn: 'leader' };
      await expect(settle(test, test.client.put('a', '2'))).rejects.toMatchObject(failure);
      test.cluster.elect(1);
      expect(await settle(test, test.client.getText('a'))).toBe('1');
    }
  });

  it('that two nodes see in each other is not run after for ever', async () => {
    const test = createClusterTest(2, { timeoutMs: 3_000 });
    await settle(test, test.client.put('a', '1'));
    test.cluster.elect(undefined);
    let asked = 0;
    test.cluster.network.fate = ({ endpoint, kind }) => {
      if (kind !== 'pipeline') return 'deliver';
      asked++;
      const other = endpoint === 'node-1:9090' ? 2 : 1;
      const details = { leader: `node-${other}:9090`, leaderNodeId: other };
      return new ClientError('CLUSTER_ERROR', 'the other one leads', { answered: true, details });
    };
    await expect(settle(test, test.client.put('a', '2'))).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
    expect(asked).toBeLessThan(120);
  });

  it('is found although a node names one that is gone', async () => {
    const test = createClusterTest(3);
    test.cluster.elect(2);
    await settle(test, test.client.put('a', '1'));
    // Node 1 still believes in 2 and hears nothing; 3 leads.
    test.cluster.cutOff(1);
    test.cluster.kill(2);
    test.cluster.elect(3);
    await settle(test, test.client.append('a', '2'));
    expect(await settle(test, test.client.getText('a'))).toBe('12');
  });

  it('is found through the node that is named although it was never heard of', async () => {
    const test = createClusterTest(5, { endpoints: ['node-2:9090'] });
    test.cluster.elect(5);
    test.cluster.network.fate = ({ kind }) => (kind === 'unary' ? refused('UNSUPPORTED') : 'deliver');
    const plain = test.connect({ sessions: false });
    await settle(test, plain.put('a', '1'));
    expect(await settle(test, plain.getText('a'))).toBe('1');
  });

  it('is found by asking every endpoint where advertised addresses are not to be used', async () => {
    const endpoints = ['node-1:9090', 'node-2:9090', 'node-3:9090'];
    const test = createClusterTest(3, { endpoints, discover: false });
    test.cluster.elect(3);
    await settle(test, test.client.put('a', '1'));
    const partly = createClusterTest(3, { endpoints: endpoints.slice(0, 2), discover: false });
    partly.cluster.elect(3);
    await expect(settle(partly, partly.client.put('a', '1'))).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
    expect(partly.cluster.network.connections).not.toContain('node-3:9090');
  });
});

describe('a change of the leader', () => {
  it('moves what was sent and not answered: numbered writes go again, marked, and are done once', async () => {
    for (const fate of ['lose-request', 'lose-answer', 'late'] as const) {
      const test = createClusterTest(3);
      await settle(test, test.client.put('a', '.'));
      let left = 1;
      test.cluster.network.fate = ({ kind }) => (kind === 'pipeline' && left-- > 0 ? fate : 'deliver');
      const calls = ['1', '2', '3', '4'].map((text) => test.client.append('a', text));
      await test.clock.advance(0);
      test.cluster.elect(2);
      await settle(test, Promise.all(calls));
      test.cluster.network.deliverLate();
      expect([fate, await settle(test, test.client.getText('a'))]).toEqual([fate, '.1234']);
    }
  });

  it('leaves a write without session that may have been done as OUTCOME_UNKNOWN, and others are done', async () => {
    const test = createClusterTest(3, { sessions: false });
    await settle(test, test.client.put('a', '.'));
    let left = 1;
    test.cluster.network.fate = ({ kind }) => (kind === 'pipeline' && left-- > 0 ? 'lose-answer' : 'deliver');
    const doubtful = test.client.append('a', '1');
    doubtful.catch(() => {});
    await test.clock.advance(0);
    test.cluster.elect(2);
    await expect(doubtful).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await settle(test, test.client.append('a', '2'));
    expect(await settle(test, test.client.getText('a'))).toBe('.12');
  });

  it('gives the old leader a moment to answer what it has, and takes no longer than that', async () => {
    const test = createClusterTest(3);
    await settle(test, test.client.put('a', '.'));
    // One write is swallowed by the old leader; the next is told who leads now.
    let swallowed = false;
    test.cluster.network.fate = ({ kind, endpoint }) => {
      if (kind !== 'pipeline' || swallowed || endpoint !== 'node-1:9090') return 'deliver';
      swallowed = true;
      return 'stall';
    };
    const first = test.client.append('a', '1');
    await test.clock.advance(0);
    test.cluster.elect(2);
    const startMs = test.clock.monotonicMs();
    await settle(test, test.client.append('a', '2'));
    expect(test.clock.monotonicMs() - startMs).toBeLessThan(100);
    await settle(test, first);
    expect(test.clock.monotonicMs() - startMs).toBeLessThanOrEqual(600);
    expect(await settle(test, test.client.getText('a'))).toBe('.21');
  });

  it('says of a write without session that the old leader swallowed that its outcome is unknown', async () => {
    const test = createClusterTest(3, { sessions: false });
    await settle(test, test.client.put('a', '.'));
    await test.clock.advance(10);
    test.cluster.silence(1);
    const doubtful = test.client.append('a', '1');
    doubtful.catch(() => {});
    await test.clock.advance(500);
    test.cluster.elect(2);
    await expect(settle(test, doubtful)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await settle(test, test.client.append('a', '2'));
    expect(await settle(test, test.client.getText('a'))).toBe('.2');
  });

  it('is noticed although the old leader has gone without a word', async () => {
    const test = createClusterTest(3);
    await settle(test, test.client.put('a', '.'));
    await test.clock.advance(10);
    test.cluster.silence(1);
    const calls = Promise.all(['1', '2', '3'].map((text) => test.client.append('a', text)));
    await test.clock.advance(500);
    test.cluster.elect(2);
    const startMs = test.clock.monotonicMs();
    await settle(test, calls);
    expect(test.clock.monotonicMs() - startMs).toBeLessThanOrEqual(1_600);
    expect(await settle(test, test.client.getText('a'))).toBe('.123');
  });

  it('is noticed by a call to a log that the old leader swallowed', async () => {
    const test = createClusterTest(3);
    await settle(test, test.client.log.create('events'));
    await settle(test, test.client.put('a', '.'));
    await test.clock.advance(10);
    test.cluster.silence(1);
    test.cluster.elect(2);
    const startMs = test.clock.monotonicMs();
    const producer = { producerId: 1, epoch: 1, sequence: 1 };
    const calls = [test.client.log.describe('events'), test.client.log.append('events', 'x', { producer })] as const;
    expect(await settle(test, Promise.all(calls))).toMatchObject([{ name: 'events' }, { lastSequence: 1 }]);
    expect(test.clock.monotonicMs() - startMs).toBeLessThanOrEqual(1_100);
  });
});

describe('a rolling restart', () => {
  it('fails no call at all, with and without session, on keys and logs, reads and writes', async () => {
    for (const sessions of [true, false]) {
      const test = createClusterTest(3, { sessions });
      const { client, cluster, clock } = test;
      await settle(test, client.log.create('events'));
      let stopped = false;
      let done = 0;
      const worker = async (name: string) => {
        for (let i = 0; !stopped; i++, done++) {
          await delay(clock, 1);
          await client.append(name, `${i},`);
          await client.get(name, { level: 'session' });
          await client.get(name, { level: 'stale' });
          await client.get(name);
          await client.log.describe('events');
        }
      };
      const workers = Promise.all(Array.from({ length: 8 }, (_, i) => worker(`w${i}`)));
      const someWork = async () => {
        const target = done + 100;
        for (let i = 0; i < 2_000 && done < target; i++) await clock.advance(1);
        expect(done).toBeGreaterThanOrEqual(target);
      };
      for (const nodeId of [1, 2, 3, 1, 2, 3]) {
        await someWork();
        cluster.stop(nodeId, cluster.leaderId === nodeId ? (nodeId % 3) + 1 : cluster.leaderId);
        await someWork();
        cluster.restore(nodeId);
      }
      stopped = true;
      await settle(test, workers);
      const numbers = ((await settle(test, client.getText('w0'))) ?? '').split(',').slice(0, -1).map(Number);
      expect(numbers).toEqual(Array.from(numbers, (_, i) => i));
      expect(numbers.length).toBeGreaterThan(100);
    }
  });
});

describe('reads that any replica may answer', () => {
  /** How many reads went to each node. */
  function counts(test: ClusterTest): Map<string, number> {
    const reads = new Map<string, number>();
    test.cluster.network.fate = ({ kind, endpoint }) => {
      if (kind === 'pipeline') reads.set(endpoint, (reads.get(endpoint) ?? 0) + 1);
      return 'deliver';
    };
    return reads;
  }

  it('are spread over all of them, and linearizable ones are not', async () => {
    const test = createClusterTest(3);
    await settle(test, test.client.put('a', '1'));
    await test.clock.advance(10);
    const reads = counts(test);
    const read = (level: 'stale' | 'session') => test.client.getText('a', { level });
    await settle(test, Promise.all(Array.from({ length: 300 }, () => read('stale'))));
    await settle(test, Promise.all(Array.from({ length: 300 }, () => read('session'))));
    expect([...reads.keys()].sort()).toEqual(['node-1:9090', 'node-2:9090', 'node-3:9090']);
    for (const count of reads.values()) expect(count).toBeGreaterThan(120);
    reads.clear();
    await settle(test, Promise.all(Array.from({ length: 100 }, () => test.client.get('a'))));
    expect([...reads]).toEqual([['node-1:9090', 100]]);
  });

  it('leave out a replica that fails, for a while', async () => {
    const test = createClusterTest(3);
    await settle(test, test.client.put('a', '1'));
    await test.clock.advance(10);
    test.cluster.kill(3);
    const many = () =>
      settle(test, Promise.all(Array.from({ length: 100 }, () => test.client.getText('a', { level: 'stale' }))));
    expect(new Set(await many())).toEqual(new Set(['1']));
    const before = test.cluster.network.connections.length;
    await many();
    expect(test.cluster.network.connections.slice(before)).not.toContain('node-3:9090');
    test.cluster.restore(3);
    await test.clock.advance(10_000);
    const reads = counts(test);
    await many();
    expect(reads.get('node-3:9090')).toBeGreaterThan(10);
  });

  it('of level session never go back, whichever replica answers and however far it lies behind', async () => {
    const test = createClusterTest(3);
    await settle(test, test.client.append('a', 'x'));
    await test.clock.advance(10);
    for (let length = 2; length < 30; length++) {
      test.cluster.holdBack(2 + (length % 2));
      await settle(test, test.client.append('a', 'x'));
      for (let i = 0; i < 10; i++) {
        // A stale answer from a replica that lies behind takes nothing away from what was seen before.
        await settle(test, test.client.getText('a', { level: 'stale' }));
        expect(await settle(test, test.client.getText('a', { level: 'session' }))).toHaveLength(length);
      }
      test.cluster.restore(2 + (length % 2));
    }
  });

  it('of level session see what earlier ones have seen, also of what others wrote', async () => {
    const test = createClusterTest(3);
    const writer = test.connect();
    // It has a token of its own, which says nothing of what comes.
    await settle(test, test.client.put('b', '1'));
    await settle(test, writer.append('a', 'x'));
    await test.clock.advance(10);
    for (let length = 2; length < 12; length++) {
      test.cluster.holdBack(2 + (length % 2));
      await settle(test, writer.append('a', 'x'));
      let seen = 0;
      for (let i = 0; i < 20; i++) {
        const value = await settle(test, test.client.getText('a', { level: 'session' }));
        expect(value?.length).toBeGreaterThanOrEqual(seen);
        seen = value?.length ?? 0;
      }
      test.cluster.restore(2 + (length % 2));
    }
  });

  it('of level session see the newest state where nothing was seen before', async () => {
    const test = createClusterTest(3);
    test.cluster.holdBack(2);
    test.cluster.holdBack(3);
    await settle(test, test.client.put('a', '1'));
    const fresh = test.connect({ endpoints: test.cluster.endpoints });
    const reads = Array.from({ length: 30 }, () => fresh.getText('a', { level: 'session' }));
    expect(new Set(await settle(test, Promise.all(reads)))).toEqual(new Set(['1']));
  });

  it('go on while nobody leads', async () => {
    const test = createClusterTest(3);
    await settle(test, test.client.put('a', '1'));
    await test.clock.advance(10);
    test.cluster.kill(1);
    const reads = Array.from({ length: 50 }, (_, i) =>
      test.client.getText('a', { level: i % 2 === 0 ? 'stale' : 'session' }),
    );
    expect(new Set(await settle(test, Promise.all(reads)))).toEqual(new Set(['1']));
  });

  it('that a silent replica swallowed are answered by another', async () => {
    const test = createClusterTest(3);
    await settle(test, test.client.put('a', '1'));
    await test.clock.advance(10);
    const many = () => Array.from({ length: 60 }, () => test.client.getText('a', { level: 'stale' }));
    await settle(test, Promise.all(many()));
    test.cluster.silence(3);
    expect(new Set(await settle(test, Promise.all(many()), 2_000))).toEqual(new Set(['1']));
  });
});

describe('ranges, tails and watches', () => {
  it('go on at another node without gap or duplicate, however often theirs dies', async () => {
    const test = createClusterTest(3);
    const { client, cluster } = test;
    await settle(test, client.log.create('events'));
    await test.clock.advance(10);
    const watch = client.watch({ prefix: 'k' })[Symbol.asyncIterator]();
    expect((await settle(test, watch.next())).value).toMatchObject({ events: [] });
    const tail = client.log.tail('events')[Symbol.asyncIterator]();
    const watched: string[] = [];
    const tailed: number[] = [];
    for (let i = 1; i <= 12; i++) {
      const victim = (i % 3) + 1;
      const heir = (victim % 3) + 1;
      if (i % 2 === 0) cluster.stop(victim, heir);
      else cluster.kill(victim);
      cluster.elect(heir);
      await settle(test, client.put(`k${i}`, 'x'));
      await settle(test, client.log.append('events', `${i}`));
      while (watched.length < i) {
        const page = (await settle(test, watch.next())).value as WatchPage;
        watched.push(...page.events.map(({ key }) => textOf(key)));
      }
      while (tailed.length < i) tailed.push(((await settle(test, tail.next())).value as LogEntry).sequence);
      cluster.restore(victim);
      await test.clock.advance(600);
    }
    const expected = Array.from({ length: 12 }, (_, i) => i + 1);
    expect(watched).toEqual(expected.map((i) => `k${i}`));
    expect(tailed).toEqual(expected);
    await watch.return?.();
    await tail.return?.();
  });

  it('wait for a replica that lies behind the position they come with', async () => {
    const test = createClusterTest(2);
    const { client, cluster } = test;
    await settle(test, client.put('k0', 'x'));
    await settle(test, client.log.create('events'));
    await test.clock.advance(10);
    cluster.holdBack(2);
    const seen: string[] = [];
    const watches = Array.from({ length: 6 }, () => client.watch({ prefix: 'k' })[Symbol.asyncIterator]());
    for (const watch of watches) await settle(test, watch.next());
    // Whoever watches at node 1 sees this at once, and must then go on at node 2, which is behind.
    await settle(test, client.put('k1', 'x'));
    const firsts = watches.map(async (watch) => {
      const page = (await watch.next()).value as WatchPage;
      seen.push(...page.events.map(({ key }) => textOf(key)));
    });
    await test.clock.advance(10);
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.length).toBeLessThan(6);
    cluster.kill(1);
    const seconds = watches.map((watch, i) => firsts[i]?.then(() => watch.next()));
    await test.clock.advance(3_000);
    cluster.elect(2);
    cluster.restore(2);
    await settle(test, client.put('k2', 'x'));
    const pages = (await settle(test, Promise.all(seconds))) as IteratorResult<WatchPage>[];
    expect(seen).toEqual(Array(6).fill('k1'));
    expect(pages.flatMap(({ value }) => (value as WatchPage).events.map(({ key }) => textOf(key)))).toEqual(
      Array(6).fill('k2'),
    );
    for (const watch of watches) await watch.return?.();
  });

  it('ask the others before they say that something is not there', async () => {
    const test = createClusterTest(3);
    const { client, cluster } = test;
    await settle(test, client.log.create('events'));
    await settle(test, client.log.append('events', 'x'));
    await test.clock.advance(10);
    for (const code of ['OUT_OF_RANGE', 'NOT_FOUND'] as const) {
      for (const last of [1, 2, 3]) {
        cluster.network.fate = ({ kind, endpoint }) =>
          kind === 'stream' && endpoint !== cluster.endpoints[last - 1] ? refused(code) : 'deliver';
        const tail = client.log.tail('events')[Symbol.asyncIterator]();
        expect((await settle(test, tail.next(), 100)).value).toMatchObject({ sequence: 1 });
        await tail.return?.();
      }
      cluster.network.fate = ({ kind }) => (kind === 'stream' ? refused(code) : 'deliver');
      const none = client.log.tail('events')[Symbol.asyncIterator]();
      await expect(settle(test, none.next(), 100)).rejects.toMatchObject({ code });
    }
  });

  it('give every key once although nodes die while a range is read', async () => {
    const test = createClusterTest(3);
    const { client, cluster } = test;
    const keys = Array.from({ length: 500 }, (_, i) => `k${String(i).padStart(3, '0')}`);
    await settle(test, client.batch(keys.map((put) => ({ put, value: put }))));
    await test.clock.advance(10);
    for (const level of ['linearizable', 'session', 'stale'] as const) {
      const seen: string[] = [];
      const entries = client.range({ level })[Symbol.asyncIterator]();
      for (;;) {
        const { done, value } = await settle(test, entries.next());
        if (done) break;
        seen.push(textOf((value as { key: Uint8Array }).key));
        if (seen.length % 150 !== 75) continue;
        const victim = ((seen.length / 75) % 3) + 1;
        cluster.kill(victim);
        cluster.elect((victim % 3) + 1);
        for (const nodeId of [1, 2, 3]) if (nodeId !== victim) cluster.restore(nodeId);
      }
      expect([level, seen]).toEqual([level, keys]);
      for (const nodeId of [1, 2, 3]) cluster.restore(nodeId);
      await test.clock.advance(1_000);
    }
  });
});

describe('a range', () => {
  it('goes on elsewhere when its node falls silent in the middle, well within its time', async () => {
    for (const level of ['linearizable', 'stale'] as const) {
      const test = createClusterTest(3);
      const keys = Array.from({ length: 250 }, (_, i) => `k${String(i).padStart(3, '0')}`);
      await settle(test, test.client.batch(keys.map((put) => ({ put, value: put }))));
      await test.clock.advance(10);
      let serving = 0;
      test.cluster.network.fate = ({ kind, endpoint }) => {
        if (kind === 'stream' && serving === 0) serving = test.cluster.endpoints.indexOf(endpoint) + 1;
        return kind === 'stream' && test.cluster.endpoints[serving - 1] === endpoint ? 'stall' : 'deliver';
      };
      const seen: string[] = [];
      const entries = test.client.range({ level })[Symbol.asyncIterator]();
      const first = entries.next();
      await test.clock.advance(0);
      if (level === 'linearizable') test.cluster.elect((serving % 3) + 1);
      for (let entry = await settle(test, first, 1_200); !entry.done; entry = await settle(test, entries.next())) {
        seen.push(textOf(entry.value.key));
      }
      expect([level, seen]).toEqual([level, keys]);
    }
  });
});

describe('the nodes', () => {
  it('that joined are learned, and those that left are forgotten', async () => {
    const test = createClusterTest(3);
    await settle(test, test.client.put('a', '1'));
    await test.clock.advance(10);
    const stale = () => test.client.getText('a', { level: 'stale' });
    await settle(test, Promise.all(Array.from({ length: 60 }, stale)));
    const { network } = test.cluster;
    expect(new Set(network.connections)).toEqual(new Set(test.cluster.endpoints));
  });

  it('that requests about a node are for are those that the caller named', async () => {
    const test = createClusterTest(3);
    test.cluster.elect(3);
    await settle(test, test.client.put('a', '1'));
    const seen = trace(test, 'unary');
    await settle(test, test.client.admin.shutdown());
    expect(await settle(test, test.client.status())).toMatchObject({ node: { nodeId: 1 } });
    expect(await settle(test, test.client.nodes())).toHaveLength(3);
    expect(new Set(seen)).toEqual(new Set(['node-1:9090']));
    test.cluster.kill(1);
    await expect(settle(test, test.client.status({ timeoutMs: 500 }))).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
    });
  });
});
