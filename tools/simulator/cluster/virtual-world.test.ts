import { type Clock, delay, ensureDirectory, loopTurn, readWholeFile, replaceFile } from '@shanghai/env';
import { clockContract, diskContract } from '@shanghai/env/testing';
import type { GroupMessage, PeerFrame, PeerHandlers, SnapshotSink } from '@shanghai/raft';
import { createMessage } from '@shanghai/raft';
import { peerTransportContract } from '@shanghai/raft/testing';
import { describe, expect, test } from 'vitest';
import { type FaultKind, Faults, faultKinds } from './faults.js';
import { Machine, type MachineRoom, type ProcessPlace } from './machine.js';
import { VirtualClock } from './virtual-clock.js';
import { calmDisk, VirtualDisk } from './virtual-disk.js';
import { calmNetwork, VirtualNetwork } from './virtual-network.js';
import { VirtualTransport } from './virtual-transport.js';
import { VirtualWorld } from './virtual-world.js';

const right = { rate: 1, wallOffsetMs: 0 };

describe('the clock contract holds for virtual clocks', () => {
  for (const conditions of [right, { rate: 0.7, wallOffsetMs: -5000 }, { rate: 1.9, wallOffsetMs: 1e9 }]) {
    for (const { name, run } of clockContract) {
      test(`${name} (${conditions.rate})`, async () => {
        const world = new VirtualWorld({ seed: 1 });
        const clock = new VirtualClock(world.queue, conditions);
        const pass = (ms: number) => world.runUntil(world.nowMs + (ms + 1) / conditions.rate);
        await run(async () => ({ clock, pass }));
      });
    }
  }
});

describe('a virtual clock', () => {
  test('holds its callbacks while its process is paused, and calls none once it is stopped', async () => {
    const world = new VirtualWorld({ seed: 1 });
    const clock = new VirtualClock(world.queue, right);
    const called: string[] = [];
    clock.setTimer(10, () => called.push(`timer ${clock.monotonicMs()}`));
    clock.setTimer(100, () => called.push('never'));
    clock.pause();
    clock.soon(() => called.push('soon'));
    await world.runUntil(30);
    expect(called).toEqual([]);
    clock.resume();
    await world.runUntil(31);
    expect(called).toEqual(['soon', 'timer 30']);
    clock.stop();
    await world.runUntil(200);
    expect(called).toHaveLength(2);
  });

  test('a change of its rate moves the timers that wait', async () => {
    const world = new VirtualWorld({ seed: 1 });
    const conditions = { ...right };
    const clock = new VirtualClock(world.queue, conditions);
    const called: number[] = [];
    clock.setTimer(100, () => called.push(world.nowMs));
    await world.runUntil(50);
    conditions.rate = 2;
    clock.adjust();
    await world.runUntil(200);
    expect(called[0]).toBeCloseTo(75, 3);
  });
});

describe('the disk contract holds for virtual disks', () => {
  const conditions = { ...calmDisk, maxWriteMs: 0, maxSyncMs: 0, shortShare: 0.3 };
  for (const { name, run } of diskContract) {
    test(name, async () => {
      const world = new VirtualWorld({ seed: 1 });
      const clock = new VirtualClock(world.queue, right);
      const machine = new VirtualDisk(1, clock, world.randomFor('disk'));
      machine.conditions = { ...conditions, shortShare: 0 };
      await machine.disk.makeDirectory('/data');
      await run(async () => ({ disk: machine.disk, directory: '/data' }));
    });
  }
});

/** A machine with a process that keeps on writing a counter. */
function counters(seed: number, kinds: readonly FaultKind[], onTrace?: (line: string) => void) {
  const world = new VirtualWorld({ seed, onTrace });
  const network = new VirtualNetwork(world);
  const room: MachineRoom = { world, network, directory: new Map() };
  const acknowledged = [0, 0, 0];
  const boot = async ({ disk, clock, nodeId, exit, transport }: ProcessPlace) => {
    transport.open({
      onFrame: () => {},
      onUnreachable: () => {},
      onGone: () => {},
      onSnapshot: () => Promise.reject(new Error('none')),
    });
    transport.setPeers([1, 2, 3].map((id) => ({ nodeId: id, address: '' })));
    await ensureDirectory(disk, '/data');
    const path = '/data/count';
    const kept = await readWholeFile(disk, path, 8);
    let count = kept === undefined ? 0 : new DataView(kept.buffer).getFloat64(0);
    if (count < (acknowledged[nodeId - 1] as number))
      throw new Error(`${nodeId} has lost ${acknowledged} for ${count}`);
    const write = async () => {
      for (;;) {
        const bytes = new Uint8Array(8);
        new DataView(bytes.buffer).setFloat64(0, ++count);
        await replaceFile(disk, path, bytes);
        acknowledged[nodeId - 1] = count;
        transport.send(1 + (nodeId % 3), { messages: [], signals: [] });
        world.trace(() => `${nodeId} counts ${count}`);
        await delay(clock, 20);
      }
    };
    write().catch(exit);
    return { nodeId };
  };
  const machines = [1, 2, 3].map((id) => new Machine(id, room, boot));
  const nothing = () => {};
  const place = {
    world,
    network,
    machines,
    clientIds: [],
    leaders: () => [1],
    transfer: nothing,
    compact: nothing,
    reconfigure: nothing,
  };
  const faults = new Faults(place, kinds);
  return { world, network, machines, faults, acknowledged };
}

async function run(seed: number, kinds: readonly FaultKind[], onTrace?: (line: string) => void) {
  const simulation = counters(seed, kinds, onTrace);
  const { world, machines, faults, acknowledged, network } = simulation;
  for (const machine of machines) machine.start();
  faults.start();
  await world.runUntil(60_000);
  faults.stop();
  await world.runUntil(70_000);
  const { digest } = world;
  return { digest, acknowledged, network: network.counts, crashes: machines.map((one) => [one.crashes, one.exits]) };
}

describe('a world', () => {
  test('repeats to the last bit by its seed, watched or not, and another seed is another world', async () => {
    const lines: string[][] = [[], [], []];
    const first = await run(5, faultKinds, (line) => lines[0]?.push(line));
    const again = await run(5, faultKinds, (line) => lines[1]?.push(line));
    expect(lines[1]).toEqual(lines[0]);
    expect(again).toEqual(first);
    expect(await run(5, faultKinds)).toEqual(first);
    const other = await run(6, faultKinds, (line) => lines[2]?.push(line));
    expect(other.digest).not.toBe(first.digest);
    expect(lines[2]).not.toEqual(lines[0]);
  });

  test('goes through every kind of fault, and what was acknowledged is there afterwards', async () => {
    const made = new Set<string>();
    for (let seed = 1; seed <= 5; seed++) {
      const { acknowledged, crashes } = await run(seed, faultKinds, (line) => {
        if (line.includes('fault:')) made.add(line.split('fault: ')[1]?.split(' ')[0] as string);
      });
      expect(Math.min(...acknowledged)).toBeGreaterThan(200);
      expect(crashes.flat().some((count) => count > 0)).toBe(true);
    }
    expect([...made].sort()).toEqual([...faultKinds].sort());
  });

  test('a disk that says it has synced, and has not, is found out', async () => {
    const simulation = counters(1, ['power']);
    for (const machine of simulation.machines) {
      machine.disk.isLying = true;
      machine.start();
    }
    simulation.faults.start();
    await expect(simulation.world.runUntil(60_000)).rejects.toThrow(/has lost|nothing was wrong with its disk/);
  });

  test('a rejection in a process is told, and ends it; without a fault of the disk it is a violation', async () => {
    const world = new VirtualWorld({ seed: 1 });
    const room = { world, network: new VirtualNetwork(world), directory: new Map() };
    const machine = new Machine(1, room, async ({ clock, exit }) => {
      clock.setTimer(10, () => exit(new Error('cannot go on')));
    });
    machine.start();
    await expect(world.runUntil(100)).rejects.toThrow('cannot go on');
  });
});

/** Two processes that are connected. */
function pair(conditions = calmNetwork) {
  const world = new VirtualWorld({ seed: 3 });
  const network = new VirtualNetwork(world);
  network.conditions = conditions;
  const directory = new Map();
  const received: { from: number; startId: string; frame: PeerFrame }[] = [];
  const lost: number[] = [];
  const clocks: VirtualClock[] = [];
  const sunk: { name: string; offset: number; bytes: Uint8Array }[] = [];
  const state = { complete: 0, abandoned: 0 };
  const sink: SnapshotSink = {
    begin: async (files) =>
      files.map(({ name }) =>
        sunk.filter((one) => one.name === name).reduce((sum, { bytes }) => sum + bytes.length, 0),
      ),
    write: async (name, offset, bytes) => void sunk.push({ name, offset, bytes }),
    complete: async () => void state.complete++,
    abandon: async () => void state.abandoned++,
  };
  const open = (nodeId: number, life: number) => {
    const clock = new VirtualClock(world.queue, right);
    clocks[nodeId] = clock;
    const transport = new VirtualTransport({ nodeId, startId: `${nodeId}.${life}`, clock }, network, directory);
    const handlers: PeerHandlers = {
      onFrame: (from, startId, frame) => received.push({ from, startId, frame }),
      onUnreachable: (id) => lost.push(id),
      onGone: () => {},
      onSnapshot: async () => sink,
    };
    transport.open(handlers);
    transport.setPeers([1, 2].map((id) => ({ nodeId: id, address: '' })));
    return transport;
  };
  return { world, network, received, lost, open, clocks, sunk, state };
}

const message = (index: number, type: 'MsgApp' | 'MsgHeartbeat'): GroupMessage => {
  const entries =
    type === 'MsgApp' ? [{ term: 1, index, type: 'EntryNormal' as const, data: Uint8Array.of(index) }] : [];
  return { groupId: 1, message: createMessage({ type, to: 2, from: 1, index, entries }) };
};

describe('the contract of peer transports holds for virtual ones', () => {
  for (const { name, run } of peerTransportContract) {
    test(name, async () => {
      const world = new VirtualWorld({ seed: 1 });
      const network = new VirtualNetwork(world);
      const directory = new Map();
      const open = (nodeId: number) => {
        const owner = { nodeId, startId: `${nodeId}.1`, clock: new VirtualClock(world.queue, right) };
        return new VirtualTransport(owner, network, directory);
      };
      const peers = [1, 2, 3].map((nodeId) => ({ nodeId, address: `node-${nodeId}:1` }));
      const pass = () => world.runUntil(world.nowMs + 1);
      const until = async (isDone: () => boolean) => {
        while (!isDone()) await loopTurn();
      };
      let isOver = false;
      const subject = { first: open(1), second: open(2), peers, until };
      const done = run(async () => subject).finally(() => {
        isOver = true;
      });
      done.catch(() => {});
      while (!isOver) await pass();
      await done;
    });
  }
});

describe('the transport', () => {
  test('keeps the order of a lane, hands what comes to a paused process when it goes on, and names the start', async () => {
    const { world, open, received, clocks } = pair();
    const one = open(1, 7);
    open(2, 1);
    for (let i = 1; i <= 50; i++) one.send(2, { messages: [message(i, 'MsgApp')], signals: [] });
    (clocks[2] as Clock & VirtualClock).pause();
    await world.runUntil(100);
    expect(received).toEqual([]);
    (clocks[2] as VirtualClock).resume();
    await world.runUntil(101);
    expect(received.map(({ frame }) => frame.messages[0]?.message.index)).toEqual([...Array(50)].map((_, i) => i + 1));
    expect(new Set(received.map(({ startId }) => startId))).toEqual(new Set(['1.7']));
  });

  test('what is cut off, or sent to nobody, is lost, and often told', async () => {
    const { world, open, network, received, lost } = pair();
    const one = open(1, 1);
    open(2, 1);
    network.cut(1, 2);
    for (let i = 1; i <= 50; i++) one.send(2, { messages: [message(i, 'MsgHeartbeat')], signals: [] });
    await world.runUntil(100);
    expect(received).toEqual([]);
    expect(lost.length).toBeGreaterThan(20);
    expect(lost.length).toBeLessThan(50);
  });

  test('a snapshot broken off goes on where it was, and arrives whole', async () => {
    const { world, open, received, sunk, state } = pair({ ...calmNetwork, breakShare: 0.05 });
    const one = open(1, 1);
    open(2, 1);
    const bytes = world.randomFor('snapshot').bytes(500_000);
    const source = {
      files: async () => [{ name: 'a', bytes: bytes.length, crc: 0 }],
      read: async (_: string, offset: number, length: number) => bytes.subarray(offset, offset + length),
      release: async () => {},
    };
    let attempts = 0;
    for (let isSent = false; !isSent; attempts++) {
      const sent = one.sendSnapshot(2, message(9, 'MsgHeartbeat'), source, new AbortController().signal);
      isSent = await world.runThrough(
        'sending',
        sent.then(
          () => true,
          () => false,
        ),
        60_000,
      );
    }
    expect(attempts).toBeGreaterThan(1);
    expect(state.abandoned).toBeGreaterThan(0);
    expect(Buffer.concat(sunk.map((part) => part.bytes)).equals(bytes)).toBe(true);
    expect([state.complete, received]).toEqual([1, []]);
  });
});
