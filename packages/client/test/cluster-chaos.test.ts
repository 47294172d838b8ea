// Everything at once, by chance: leaders change, nodes die, stop, are cut off, fall silent and lag; requests and answers
// are lost or come late. Whatever happens, every acknowledged write was applied exactly once, reads hold their level, and
// no call fails while its deadline is far. A seed replays: `SHANGHAI_SEED=7 npx vitest run packages/client/test/cluster-chaos.test.ts`.
import { createSeededRandom, delay, type Random } from '@shanghai/env';
import { expect, it } from 'vitest';
import { ClientError, textOf, type WatchPage } from '../src/index.js';
import type { RequestFate } from '../src/testing/index.js';
import { type ClusterTest, createClusterTest, settle } from '../src/testing/test-client.js';

const seeds =
  process.env.SHANGHAI_SEED !== undefined
    ? [Number(process.env.SHANGHAI_SEED)]
    : Array.from({ length: process.env.SHANGHAI_DEEP === '1' ? 300 : 8 }, (_, i) => i + 1);

const workers = 6;
const rounds = 40;
const chaosMs = 30_000;

/** What the workers know to be done. */
interface Acknowledged {
  /** Numbers appended to each worker's key. */
  readonly keys: number[];
  /** Entries appended to each worker's log. */
  readonly logs: number[];
}

it.each(seeds)(
  'seed %i: acknowledged writes are there once, reads hold their level, nothing fails',
  async (seed) => {
    const random = createSeededRandom(seed);
    const size = 3 + 2 * random.below(2);
    const test = createClusterTest(size, { timeoutMs: 300_000 }, seed);
    const done: Acknowledged = { keys: Array(workers).fill(0), logs: Array(workers).fill(0) };
    const watch = test.client.watch({ prefix: 'w' })[Symbol.asyncIterator]();
    await settle(test, watch.next());
    const running = Promise.all(Array.from({ length: workers }, (_, name) => work(test, done, name, random)));
    const watching = watchAll(watch);
    let finished = false;
    const end = () => {
      finished = true;
    };
    running.then(end, end);
    await chaos(test, random, () => finished);
    heal(test, size);
    await settle(test, running, 60_000);
    await settle(test, watching, 60_000);
    test.cluster.network.deliverLate();
    for (let name = 0; name < workers; name++) {
      expect(await settle(test, test.client.getText(`w${name}`))).toBe(numbersUpTo(rounds));
      const { entries } = await settle(test, test.client.log.read(`log${name}`));
      expect(entries.map(({ value }) => textOf(value))).toEqual(Array.from({ length: rounds }, (_, i) => `${i}`));
    }
    for (let nodeId = 1; nodeId <= size; nodeId++) test.cluster.restore(nodeId);
    await settle(test, test.client.close());
    expect(test.clock.pending).toBe(0);
  },
  60_000,
);

/** One worker: writes to its key and log, reads at every level, and checks what it reads. */
async function work({ client, clock }: ClusterTest, done: Acknowledged, name: number, random: Random): Promise<void> {
  await client.log.create(`log${name}`);
  for (let i = 0; i < rounds; i++) {
    await delay(clock, random.below(1_000));
    await client.append(`w${name}`, `${i},`);
    done.keys[name] = i + 1;
    const producer = { producerId: name + 1, epoch: 1, sequence: i + 1 };
    expect(await client.log.append(`log${name}`, `${i}`, { producer })).toMatchObject({ lastSequence: i + 1 });
    done.logs[name] = i + 1;
    expect(await client.getText(`w${name}`, { level: 'session' })).toBe(numbersUpTo(i + 1));
    const other = random.below(workers);
    const least = done.keys[other] ?? 0;
    const seen = (await client.getText(`w${other}`)) ?? '';
    expect(numbersUpTo(rounds).startsWith(seen)).toBe(true);
    expect(seen.length).toBeGreaterThanOrEqual(numbersUpTo(least).length);
    const stale = (await client.getText(`w${other}`, { level: 'stale' })) ?? '';
    expect(numbersUpTo(rounds).startsWith(stale)).toBe(true);
    const listed: string[] = [];
    for await (const { key } of client.range({ prefix: 'w', keysOnly: true })) listed.push(textOf(key));
    expect(listed).toEqual([...new Set(listed)].sort());
    expect(listed).toContain(`w${name}`);
  }
}

/** Watches every key, and sees every write once and in order. */
async function watchAll(watch: AsyncIterator<WatchPage>): Promise<void> {
  const seen = Array<string>(workers).fill('');
  let left = workers * rounds;
  while (left > 0) {
    const { events } = (await watch.next()).value as WatchPage;
    for (const { key, value } of events) {
      const name = Number(textOf(key).slice(1));
      const number = textOf(value).split(',').length - 2;
      expect(textOf(value)).toBe(`${seen[name]}${number},`);
      seen[name] = textOf(value);
      left--;
    }
  }
  await watch.return?.();
}

/** Moves the cluster at random until the workers are through or its time is over. */
async function chaos(test: ClusterTest, random: Random, isOver: () => boolean): Promise<void> {
  const { cluster, clock } = test;
  const size = cluster.endpoints.length;
  cluster.network.fate = () => fateOf(random);
  const startMs = clock.monotonicMs();
  const down = new Set<number>();
  while (!isOver() && clock.monotonicMs() - startMs < chaosMs) {
    await clock.advance(random.below(400));
    const nodeId = 1 + random.below(size);
    const up = [...cluster.endpoints.keys()].map((i) => i + 1).filter((id) => !down.has(id) && id !== nodeId);
    const heir = up[random.below(up.length)];
    switch (random.below(9)) {
      case 0:
        cluster.elect(heir);
        break;
      case 1:
        cluster.elect(undefined);
        break;
      case 2:
        cluster.kill(nodeId);
        down.add(nodeId);
        break;
      case 3:
        cluster.stop(nodeId, heir);
        down.add(nodeId);
        break;
      case 4:
        cluster.cutOff(nodeId);
        down.add(nodeId);
        break;
      case 5:
        cluster.silence(nodeId);
        down.add(nodeId);
        break;
      case 6:
        cluster.holdBack(nodeId);
        break;
      case 7:
        cluster.network.deliverLate();
        break;
      case 8:
        cluster.network.breakConnections();
        break;
    }
    // A minority may be away; who comes back may lead again.
    while (down.size * 2 >= size || (down.size > 0 && random.below(3) === 0)) {
      const back = [...down][random.below(down.size)] as number;
      down.delete(back);
      cluster.restore(back);
    }
    if (cluster.leaderId === undefined && random.below(2) === 0) {
      cluster.elect([...cluster.endpoints.keys()].map((i) => i + 1).find((id) => !down.has(id)));
    }
  }
}

function heal({ cluster }: ClusterTest, size: number): void {
  cluster.network.fate = () => 'deliver';
  for (let nodeId = 1; nodeId <= size; nodeId++) cluster.restore(nodeId);
  cluster.elect(size);
}

function fateOf(random: Random): RequestFate {
  const dice = random.below(100);
  if (dice < 2) return 'lose-request';
  if (dice < 4) return 'lose-answer';
  if (dice < 6) return 'late';
  if (dice < 8) return new ClientError('OUTCOME_UNKNOWN', 'who knows', { answered: true });
  if (dice < 10) return new ClientError('RESOURCE_EXHAUSTED', 'busy', { answered: true });
  return 'deliver';
}

function numbersUpTo(count: number): string {
  return Array.from({ length: count }, (_, i) => `${i},`).join('');
}
