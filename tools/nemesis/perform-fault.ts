/** Does a fault to a cluster, and gives back what undoes it. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { changeMembers } from './change-members.js';
import type { ClusterUnderTest } from './cluster-under-test.js';
import { cutLinks, type Link } from './cut-links.js';
import { damageStream } from './many/damage-stream.js';
import { clientSide } from './network.js';
import type { Fault, Target } from './schedule.js';

/** A fault that was done. */
export interface DoneFault {
  /** In words, with the nodes it went to. */
  readonly what: string;
  readonly nodes: readonly number[];
  /** The node that led, where it was killed: from here a failover is counted. */
  readonly killedLeader?: number;
  /** Undoes it; resolves when that is done, not when the cluster has come to itself. */
  heal(): Promise<void>;
}

/** A node that is told to stop and has not after this time is killed. */
const stopMs = 15_000;
/** Slow disks answer in between. */
const slowPulseMs = 80;

/** Does it. `undefined`: nothing that could be done here. */
export async function performFault(cluster: ClusterUnderTest, fault: Fault): Promise<DoneFault | undefined> {
  const leader = 'target' in fault && fault.target === 'leader' ? await cluster.leader() : undefined;
  // A schedule speaks of as many nodes as there were first; others may have come for them.
  const drawn = [...new Set(fault.order.map((id) => cluster.members[id - 1] ?? id))];
  const order = leader === undefined ? drawn : [leader, ...drawn.filter((id) => id !== leader)];
  switch (fault.kind) {
    case 'kill':
      return await kill(cluster, targetsOf(fault.target, order));
    case 'restart':
      return restart(cluster, targetsOf(fault.target, order));
    case 'pause':
      return pause(cluster, targetsOf(fault.target, order));
    case 'partition':
      return await partition(cluster, fault.shape, order);
    case 'clients':
      return await cutClients(cluster, targetsOf(fault.target, order));
    case 'clock':
      return setClocks(cluster, targetsOf(fault.target, order), fault.byMs);
    case 'disk':
      return await hurtDisks(cluster, targetsOf(fault.target, order), fault.what);
    case 'change':
      return await changeMembers(cluster, fault);
    case 'damage':
      return await damage(cluster, order);
  }
}

/** Whom a target means; `order` begins with the leader where that is meant. */
export function targetsOf(target: Target, order: readonly number[]): readonly number[] {
  if (target === 'all') return order;
  return order.slice(0, target === 'minority' ? Math.floor((order.length - 1) / 2) : 1);
}

async function kill(cluster: ClusterUnderTest, nodes: readonly number[]): Promise<DoneFault> {
  const { leader, answering } = await cluster.look();
  const ends = nodes.map((id) => cluster.node(id).kill());
  const left = answering.filter((id) => !nodes.includes(id) && cluster.members.includes(id));
  // A failover is what happens where the others can go on.
  const isFailover = leader !== undefined && nodes.includes(leader) && left.length > cluster.members.length / 2;
  return {
    what: `kill -9 of ${nodes.join(', ')}${leader !== undefined && nodes.includes(leader) ? `; ${leader} led` : ''}`,
    nodes,
    ...(isFailover ? { killedLeader: leader } : {}),
    heal: async () => {
      await Promise.all(ends);
      await Promise.all(nodes.map((id) => cluster.node(id).restart()));
    },
  };
}

/** The node is killed, and comes back to a copy of another's entries of which some bytes are others. */
async function damage(cluster: ClusterUnderTest, order: readonly number[]): Promise<DoneFault | undefined> {
  // Who writes a frozen disk waits for the thaw, which is this process's to do.
  const mayBe = (one: number) => !cluster.leaving.has(one) && !cluster.disk(one).isFrozen;
  const id = order.find((one) => cluster.node(one).isRunning && mayBe(one));
  if (id === undefined) return undefined;
  await cluster.node(id).kill();
  const damaged = mayBe(id) ? damageStream(join(cluster.disk(id).path, 'data'), id) : undefined;
  return {
    what: `kill -9 of ${id}, ${damaged === undefined ? 'nothing to damage' : `and damage of ${damaged.name} at ${damaged.offset}`}`,
    nodes: [id],
    heal: () => cluster.node(id).restart(),
  };
}

function restart(cluster: ClusterUnderTest, nodes: readonly number[]): DoneFault {
  const ends = nodes.map((id) => cluster.node(id).stop(stopMs));
  return {
    what: `SIGTERM of ${nodes.join(', ')}`,
    nodes,
    heal: async () => {
      await Promise.all(ends);
      await Promise.all(nodes.map((id) => cluster.node(id).restart()));
    },
  };
}

function pause(cluster: ClusterUnderTest, nodes: readonly number[]): DoneFault {
  for (const id of nodes) cluster.node(id).pause();
  return {
    what: `SIGSTOP of ${nodes.join(', ')}`,
    nodes,
    heal: async () => {
      for (const id of nodes) cluster.node(id).resume();
    },
  };
}

async function partition(
  cluster: ClusterUnderTest,
  shape: Extract<Fault, { kind: 'partition' }>['shape'],
  order: readonly number[],
): Promise<DoneFault> {
  const { network } = cluster;
  const [first = 1] = order;
  if (shape === 'slow') {
    await network.slow(first);
    return { what: `slow link of ${first}`, nodes: [first], heal: () => network.fast(first) };
  }
  const links = cutLinks(shape, order);
  await network.close(links);
  return { what: `partition ${shape} around ${first}`, nodes: [first], heal: () => network.open(links) };
}

async function cutClients(cluster: ClusterUnderTest, nodes: readonly number[]): Promise<DoneFault> {
  const { network } = cluster;
  const links = nodes.flatMap((id): Link[] => [
    { from: clientSide, to: id },
    { from: id, to: clientSide },
  ]);
  await network.close(links);
  return { what: `clients cut off from ${nodes.join(', ')}`, nodes, heal: () => network.open(links) };
}

function setClocks(cluster: ClusterUnderTest, nodes: readonly number[], byMs: number): DoneFault {
  for (const id of nodes) cluster.node(id).setClock(byMs);
  return {
    what: `wall clock of ${nodes.join(', ')} off by ${byMs} ms`,
    nodes,
    heal: async () => {
      for (const id of nodes) cluster.node(id).setClock(0);
    },
  };
}

async function hurtDisks(
  cluster: ClusterUnderTest,
  nodes: readonly number[],
  what: 'full' | 'silent' | 'slow',
): Promise<DoneFault | undefined> {
  const disks = nodes.map((id) => cluster.disk(id)).filter(({ isFaulty }) => isFaulty);
  if (disks.length === 0) return undefined;
  const done = { what: `disk ${what} at ${nodes.join(', ')}`, nodes };
  if (what === 'full') {
    await Promise.all(disks.map((disk) => disk.fill()));
    return {
      ...done,
      heal: async () => {
        for (const disk of disks) disk.empty();
      },
    };
  }
  if (what === 'silent') {
    await Promise.all(disks.map((disk) => disk.freeze()));
    return {
      ...done,
      heal: async () => {
        await Promise.all(disks.map((disk) => disk.thaw()));
      },
    };
  }
  let isOver = false;
  const pulses = disks.map(async (disk) => {
    while (!isOver) {
      await disk.freeze();
      await sleep(slowPulseMs);
      await disk.thaw();
      await sleep(slowPulseMs / 4);
    }
  });
  return {
    ...done,
    heal: async () => {
      isOver = true;
      await Promise.all(pulses);
    },
  };
}
