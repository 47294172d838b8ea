/** Logs that are cut, and snapshots for those who need what is not there any more. */
import { crc32 } from '@shanghai/env';
import { expect, test } from 'vitest';
import type { Entry, Snapshot, SnapshotMetadata } from '../src/core/entry.js';
import type { SnapshotEvent } from '../src/host/host-listener.js';
import type { SnapshotSink, StateMachine, StateSnapshot } from '../src/ports/state-machine.js';
import { MemoryStateMachine } from '../src/testing/memory-state-machine.js';
import { command, HostCluster, numbersOf, watched } from './host-cluster.js';

const small = { compactBytes: 2_000, trailingEntries: 5, trailingBytes: 1_000 };
const others = (id: number) => [1, 2, 3].filter((other) => other !== id);

/** A state machine whose snapshots are files. */
class FileStateMachine extends MemoryStateMachine implements StateMachine<number> {
  static released = 0;
  takes = 0;
  completed = 0;
  hold: Promise<void> | undefined;
  beforeComplete: Promise<void> | undefined;
  /** Calls that began while another one was under way. */
  overlaps = 0;
  #running = 0;
  #gathered = new Uint8Array(0);

  override async apply(entries: readonly Entry[]): Promise<readonly (number | undefined)[]> {
    await this.#alone();
    return super.apply(entries);
  }

  override async snapshot(): Promise<StateSnapshot> {
    this.takes++;
    const { data } = await super.snapshot();
    const source = {
      files: async () => [{ name: 'state', bytes: data.length, crc: crc32(data) }],
      read: async (_name: string, offset: number, length: number) => data.slice(offset, offset + length),
      release: async () => {
        FileStateMachine.released++;
      },
    };
    return { data: Uint8Array.of(1), source };
  }

  async receive(): Promise<SnapshotSink> {
    let crc = 0;
    return {
      begin: async (files) => {
        this.#gathered = new Uint8Array(files[0]?.bytes ?? 0);
        crc = files[0]?.crc ?? 0;
        return [0];
      },
      write: async (_name, offset, bytes) => this.#gathered.set(bytes, offset),
      complete: async () => {
        await this.beforeComplete;
        if (crc32(this.#gathered) !== crc) throw new Error('the file is damaged');
        this.completed++;
      },
      abandon: async () => {},
    };
  }

  override async restore({ metadata }: Snapshot): Promise<void> {
    await this.#alone();
    await super.restore({ metadata, data: this.#gathered });
  }

  /** Takes as long as it is held. */
  async #alone(): Promise<void> {
    if (this.#running++ > 0) this.overlaps++;
    await this.hold;
    this.#running--;
  }
}

async function proposeAll(cluster: HostCluster, leader: number, from: number, to: number, bytes = 50): Promise<void> {
  for (let number = from; number <= to; number++) {
    await Promise.all([cluster.group(leader).propose(command(number, bytes)), cluster.settle()]);
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test('a log is cut behind what is durable elsewhere, and keeps an end for those a little behind', async () => {
  const cluster = await HostCluster.open({ limits: small });
  const leader = await cluster.elected();
  const group = cluster.group(leader);
  await proposeAll(cluster, leader, 1, 10);
  await Promise.all([group.compact(group.status().appliedIndex), cluster.settle()]);
  expect(group.status().firstIndex).toBe(2);
  await proposeAll(cluster, leader, 11, 40);
  const { appliedIndex } = group.status();
  await Promise.all([group.compact(appliedIndex), cluster.settle()]);
  expect(group.status()).toMatchObject({ firstIndex: appliedIndex - 4, lastIndex: appliedIndex });
  expect(group.status().logBytes).toBe(5 * 50);
  await cluster.close();
});

test('a follower that was away gets a snapshot while writing goes on, and then the log', async () => {
  const sent: (SnapshotEvent & { to: number })[] = [];
  const received: SnapshotEvent[] = [];
  const listener = () => ({
    snapshotSent: (event: SnapshotEvent & { to: number }) => void sent.push(event),
    snapshotReceived: (event: SnapshotEvent) => void received.push(event),
  });
  const cluster = await HostCluster.open({ limits: small, machine: () => new FileStateMachine(), listener });
  const leader = await cluster.elected();
  const away = others(leader)[0] as number;
  cluster.network.cut(away);
  await proposeAll(cluster, leader, 1, 100);
  await Promise.all([cluster.group(leader).compact(cluster.group(leader).status().appliedIndex), cluster.settle()]);
  FileStateMachine.released = 0;
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  cluster.network.beforeChunk = () => held;
  cluster.network.heal();
  const isSending = () =>
    cluster
      .group(leader)
      .status()
      .replicas.some(({ snapshotSent }) => snapshotSent !== undefined);
  await cluster.until(isSending);
  await proposeAll(cluster, leader, 101, 200);
  await Promise.all([cluster.group(leader).compact(cluster.group(leader).status().appliedIndex), cluster.settle()]);
  release();
  await cluster.until(() => cluster.machine(away).commands.length === 200);
  expect(numbersOf(cluster.machine(away).commands)).toEqual(range(1, 200));
  // Once: the log behind the snapshot was kept while it was on its way.
  expect(sent).toMatchObject([{ to: away, bytes: 5_401 }]);
  expect([sent[0]?.error, received.length, (cluster.machine(away) as FileStateMachine).completed]).toEqual([
    undefined,
    1,
    1,
  ]);
  await cluster.ticks(25);
  expect(FileStateMachine.released).toBe(1);
  await cluster.close();
});

test('[T34] a snapshot that was broken off is sent again, and does not leave the follower in limbo', async () => {
  const sent: SnapshotEvent[] = [];
  const listener = () => ({ snapshotSent: (event: SnapshotEvent) => void sent.push(event) });
  const cluster = await HostCluster.open({ limits: small, machine: () => new FileStateMachine(), listener });
  const leader = await cluster.elected();
  const away = others(leader)[0] as number;
  cluster.network.cut(away);
  await proposeAll(cluster, leader, 1, 100);
  await Promise.all([cluster.group(leader).compact(cluster.group(leader).status().appliedIndex), cluster.settle()]);
  let failures = 3;
  cluster.network.beforeChunk = async () => {
    if (failures-- > 0) throw new Error('the stream broke');
  };
  cluster.network.heal();
  await cluster.until(() => cluster.machine(away).commands.length === 100);
  expect(sent.map(({ error }) => error !== undefined)).toEqual([true, true, true, false]);
  await cluster.close();
});

test('a new member without any log gets everything by a snapshot, though the log was never cut', async () => {
  const cluster = await HostCluster.open({ nodes: 4, voters: [1, 2, 3] });
  const leader = await cluster.elected(1, [1, 2, 3]);
  await proposeAll(cluster, leader, 1, 3);
  expect(cluster.group(4).status()).toMatchObject({ lastIndex: 0, role: 'StateFollower', leaderId: 0 });
  const changed = watched(
    cluster.group(leader).changeConfiguration({ transition: 'auto', changes: [{ type: 'addLearner', nodeId: 4 }] }),
  );
  await cluster.until(() => cluster.machine(4).commands.length === 3);
  expect(changed.value).toMatchObject({ voters: [1, 2, 3], learners: [4] });
  expect(cluster.group(4).status()).toMatchObject({ isLearner: true, leaderId: leader, configuration: changed.value });
  await cluster.close();
});

test('[T33] nothing is applied while a snapshot is put in, and what was being applied is finished before', async () => {
  const cluster = await HostCluster.open({ limits: small, machine: () => new FileStateMachine() });
  const leader = await cluster.elected();
  const away = others(leader)[0] as number;
  await proposeAll(cluster, leader, 1, 5);
  await cluster.ticks(2);
  const machine = cluster.machine(away) as FileStateMachine;
  let release: () => void = () => {};
  machine.hold = new Promise<void>((resolve) => {
    release = resolve;
  });
  // It has entries to apply, and does not get done with them.
  await proposeAll(cluster, leader, 6, 8);
  await cluster.ticks(1);
  cluster.network.cut(away);
  await proposeAll(cluster, leader, 9, 100);
  await Promise.all([cluster.group(leader).compact(cluster.group(leader).status().appliedIndex), cluster.settle()]);
  cluster.network.heal();
  await cluster.until(() => cluster.group(away).status().state === 'restoring');
  expect(machine.commands.length).toBe(5);
  await proposeAll(cluster, leader, 101, 105);
  await cluster.ticks(2);
  machine.hold = undefined;
  release();
  await cluster.until(() => machine.commands.length === 105);
  expect(numbersOf(machine.commands)).toEqual(range(1, 105));
  expect(machine.overlaps).toBe(0);
  expect(cluster.group(away).status().state).toBe('open');
  await cluster.close();
});

test('a crash between putting a snapshot in and cutting the log is mended at the next start', async () => {
  const cluster = await HostCluster.open({ limits: small });
  const leader = await cluster.elected();
  const away = others(leader)[0] as number;
  cluster.network.cut(away);
  await proposeAll(cluster, leader, 1, 100);
  await Promise.all([cluster.group(leader).compact(cluster.group(leader).status().appliedIndex), cluster.settle()]);
  cluster.node(away).log.stall();
  cluster.network.heal();
  await cluster.until(() => cluster.machine(away).commands.length === 100, 15);
  const restored = cluster.machine(away).restored as SnapshotMetadata;
  await cluster.crash(away);
  await cluster.startNode(away);
  expect(cluster.group(away).status()).toMatchObject({ firstIndex: restored.index + 1, appliedIndex: restored.index });
  await proposeAll(cluster, leader, 101, 103);
  await cluster.until(() => cluster.machine(away).commands.length === 103);
  await cluster.close();
});

test('[T29] entries that the state holds already after a restart are not applied twice', async () => {
  const cluster = await HostCluster.open({ nodes: 1 });
  await proposeAll(cluster, 1, 1, 20);
  await cluster.crash(1);
  await cluster.startNode(1);
  expect(numbersOf(cluster.machine(1).commands)).toEqual(range(1, 20));
  await proposeAll(cluster, 1, 21, 22);
  expect(numbersOf(cluster.machine(1).commands)).toEqual(range(1, 22));
  await cluster.close();
});

test('a state that is ahead of its log is damage, unless the log of an only voter may lack its end', async () => {
  const cluster = await HostCluster.open({ nodes: 1 });
  await proposeAll(cluster, 1, 1, 20);
  const machine = cluster.machine(1);
  await cluster.group(1).close(0);
  const { host } = cluster.node(1);
  const initial = cluster.initial;
  await expect(host.openGroup({ groupId: 2, machine, initial })).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
  const opening = host.openGroup({ groupId: 2, machine, initial, mayLackEnd: true });
  await cluster.settle();
  const group = await opening;
  await Promise.all([group.propose(command(21)), cluster.settle()]);
  expect(numbersOf(machine.commands)).toEqual(range(1, 21));
  await cluster.close();
});

test('a log that begins behind what the state holds is damage', async () => {
  const cluster = await HostCluster.open({ nodes: 1, limits: small });
  await proposeAll(cluster, 1, 1, 100);
  await Promise.all([cluster.group(1).compact(90), cluster.settle()]);
  await cluster.group(1).close(0);
  const opening = cluster
    .node(1)
    .host.openGroup({ groupId: 1, machine: new MemoryStateMachine(), initial: cluster.initial });
  await expect(opening).rejects.toMatchObject({ code: 'LOG_DAMAGED' });
  await cluster.close();
});

test('a snapshot carries the configuration at its entry', async () => {
  const cluster = await HostCluster.open({ limits: small });
  const leader = await cluster.elected();
  const away = others(leader)[0] as number;
  cluster.network.cut(away);
  const changes = [{ type: 'addLearner' as const, nodeId: 9 }];
  await Promise.all([cluster.group(leader).changeConfiguration({ transition: 'auto', changes }), cluster.ticks(1)]);
  await proposeAll(cluster, leader, 1, 100);
  await Promise.all([cluster.group(leader).compact(cluster.group(leader).status().appliedIndex), cluster.settle()]);
  cluster.network.heal();
  await cluster.until(() => cluster.machine(away).commands.length === 100);
  expect(cluster.machine(away).restored?.confState).toMatchObject({ voters: [1, 2, 3], learners: [9] });
  expect(cluster.group(away).status().configuration).toMatchObject({ voters: [1, 2, 3], learners: [9] });
  await cluster.close();
});

test('a log is never cut beyond what is durable elsewhere', async () => {
  const cluster = await HostCluster.open({ limits: { ...small, trailingEntries: 0 } });
  const leader = await cluster.elected();
  const group = cluster.group(leader);
  await proposeAll(cluster, leader, 1, 100);
  const durableIndex = group.status().appliedIndex - 50;
  await Promise.all([group.compact(durableIndex), cluster.settle()]);
  expect(group.status().firstIndex).toBe(durableIndex + 1);
  await cluster.close();
});

test('a snapshot is put in only when it is complete', async () => {
  const cluster = await HostCluster.open({ limits: small, machine: () => new FileStateMachine() });
  const leader = await cluster.elected();
  const away = others(leader)[0] as number;
  const machine = cluster.machine(away) as FileStateMachine;
  let release: () => void = () => {};
  machine.beforeComplete = new Promise<void>((resolve) => {
    release = resolve;
  });
  let arrived = 0;
  cluster.network.beforeChunk = async () => void arrived++;
  cluster.network.cut(away);
  await proposeAll(cluster, leader, 1, 100);
  await Promise.all([cluster.group(leader).compact(cluster.group(leader).status().appliedIndex), cluster.settle()]);
  cluster.network.heal();
  await cluster.until(() => arrived > 0);
  await cluster.ticks(5);
  expect([machine.completed, machine.commands.length, cluster.group(away).status().state]).toEqual([0, 0, 'open']);
  release();
  await cluster.until(() => machine.commands.length === 100);
  await cluster.close();
});
