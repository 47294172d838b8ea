/** Nodes that join, leave and are replaced while other things happen. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterUnderTest } from './cluster-under-test.js';
import type { Fault } from './schedule.js';

/** What became of a change: in words, and what comes when its time is over. */
export interface DoneChange {
  readonly what: string;
  readonly nodes: readonly number[];
  heal(): Promise<void>;
}

/** How long a cluster that is hurt too may take to answer. */
const lookMs = 500;

/**
 * Begins a change; it goes on by itself. The cluster stays about as large as it was: where there are nodes enough, one
 * leaves instead of another one joining, and the other way round. What is refused, as with no majority, changes nothing.
 */
export async function changeMembers(
  cluster: ClusterUnderTest,
  { what, order }: Extract<Fault, { kind: 'change' }>,
): Promise<DoneChange | undefined> {
  const victim = cluster.members[(order[0] as number) - 1] as number;
  const isLarge = cluster.members.length > order.length;
  if (what !== 'replace' && isLarge) return await leave(cluster, victim);
  const place = cluster.takePlace();
  if (place === undefined) return undefined;
  cluster.node(place).start();
  cluster.members.push(place);
  if (what === 'join') return { what: `node ${place} joins`, nodes: [place], heal: async () => undefined };
  // By chance of the seed, the one that goes is dead already.
  const isDead = (order[1] as number) % 2 === 0;
  if (isDead) {
    cluster.leaving.add(victim);
    await cluster.node(victim).kill();
  }
  const result = await ask(cluster, victim, ['node', 'replace', `${victim}`]);
  return {
    what: `node ${place} is to replace ${isDead ? 'the dead ' : ''}node ${victim}${result}`,
    nodes: [place, victim],
    heal: async () => undefined,
  };
}

/** Waits until nobody joins or leaves any more, and gives who belongs to the cluster then. */
export async function settleMembers(cluster: ClusterUnderTest, isOverdue: () => boolean): Promise<readonly number[]> {
  for (;;) {
    const rows = await cluster.table().catch((error: Error) => error.message);
    if (typeof rows !== 'string' && rows.every(({ membership }) => membership === 'member')) {
      return rows.map(({ nodeId }) => nodeId);
    }
    if (isOverdue()) throw new Error(`changes of the members do not come to an end: ${JSON.stringify(rows)}`);
    await sleep(lookMs);
  }
}

async function leave(cluster: ClusterUnderTest, victim: number): Promise<DoneChange> {
  const result = await ask(cluster, victim, ['node', 'leave', `${victim}`]);
  return { what: `node ${victim} is to leave${result}`, nodes: [victim], heal: async () => undefined };
}

/** Tells the cluster; what it refuses is said, and what it did not answer may come true. */
async function ask(cluster: ClusterUnderTest, victim: number, args: readonly string[]): Promise<string> {
  const isFirst = !cluster.leaving.has(victim);
  cluster.leaving.add(victim);
  try {
    await cluster.ctl(args);
    cluster.members.splice(cluster.members.indexOf(victim), 1);
    return '';
  } catch (error) {
    const [line = ''] = (error as Error).message.split('\n').slice(-1);
    const isRefused = /CONFLICT|no majority|is leaving/.test((error as Error).message);
    if (isRefused && isFirst) {
      cluster.leaving.delete(victim);
      await cluster.node(victim).restart();
    }
    return `: ${line}`;
  }
}
