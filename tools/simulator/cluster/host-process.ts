/** A process that is a raft host, on a real write-ahead log, with a digest for each group's state. */
import { ensureDirectory } from '@shanghai/env';
import { type HostLimits, type HostListener, openRaftHost, type RaftGroup, type RaftHost } from '@shanghai/raft';
import { openWalHostLog } from '@shanghai/raft/wal';
import { openWal } from '@shanghai/wal';
import type { Truth } from '../raft/truth.js';
import { DigestMachine, type Place } from './digest-machine.js';
import type { ProcessPlace } from './machine.js';
import { ObservedLog } from './observed-log.js';
import type { VirtualWorld } from './virtual-world.js';

/** What hosts of a simulation have in common. */
export interface HostRoom {
  readonly world: VirtualWorld;
  readonly truthOf: (groupId: number) => Truth;
  readonly groups: readonly number[];
  /** Every node, and those that are members from the start. */
  readonly nodeIds: readonly number[];
  readonly voters: readonly number[];
  readonly limits: Partial<HostLimits>;
  count(what: string): void;
  /** A node has forgotten of a group what was not durable, as after a crash: it may know less than before. */
  onForgotten(nodeId: number, groupId: number): void;
  /** A node has applied a command of a group. */
  onApplied(groupId: number, data: Uint8Array): void;
}

/** A group and its state. */
export interface HostedGroup {
  readonly group: RaftGroup<Place>;
  readonly machine: DigestMachine;
}

/** A running host. */
export interface HostProcess {
  readonly host: RaftHost;
  readonly groups: ReadonlyMap<number, HostedGroup>;
}

/** Opens everything as a server would. */
export async function openHostProcess(place: ProcessPlace, room: HostRoom): Promise<HostProcess> {
  const { disk, clock, random, nodeId } = place;
  const directory = '/data/wal';
  await ensureDirectory(disk, directory);
  const sizes = { segmentBytes: 256 * 1024, firstSegmentBytes: 64 * 1024, segmentsAhead: 1, segmentAgeMs: 60_000 };
  const wal = await openWal({ directory, lock: false, disk, clock, random, ...sizes });
  const log = new ObservedLog(await openWalHostLog({ wal, loneVoter: nodeId, clock }), nodeId, room);
  const terms = new Map<number, number>();
  const host = await openRaftHost({
    nodeId,
    log,
    transport: place.transport,
    clock,
    random,
    limits: room.limits,
    listener: listenerOf(place, room, terms, log),
    onFatal: place.exit,
  });
  host.setPeers(room.nodeIds.filter((id) => id !== nodeId).map((id) => ({ nodeId: id, address: `node-${id}:1` })));
  const groups = new Map<number, HostedGroup>();
  for (const groupId of room.groups) groups.set(groupId, await openGroup(host, groupId, place, room, terms));
  return { host, groups };
}

async function openGroup(
  host: RaftHost,
  groupId: number,
  place: ProcessPlace,
  room: HostRoom,
  terms: ReadonlyMap<number, number>,
): Promise<HostedGroup> {
  const { disk, clock, random, nodeId } = place;
  const truth = room.truthOf(groupId);
  const machine = await DigestMachine.open({
    disk,
    directory: `/data/groups/${groupId}`,
    clock,
    random,
    listener: {
      applied: (entry, digest) => {
        if (!place.isAlive()) return;
        const term = Math.max(entry.term, terms.get(groupId) ?? 0);
        room.world.check(() => {
          truth.appliedEntry(nodeId, entry, digest, term);
          if (entry.type === 'EntryNormal') room.onApplied(groupId, entry.data);
        });
      },
      restored: (index, digest) => {
        room.count('snapshots restored');
        room.world.trace(() => `${nodeId} restored group ${groupId} at ${index}`);
        room.world.check(() => truth.stateAt(nodeId, index, digest));
      },
    },
  });
  const none = { votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const isMember = room.voters.includes(nodeId);
  const initial = isMember ? { initial: { voters: [...room.voters], ...none } } : {};
  const group = await host.openGroup<Place>({ groupId, machine, ...initial });
  return { group, machine };
}

function listenerOf(place: ProcessPlace, room: HostRoom, terms: Map<number, number>, log: ObservedLog): HostListener {
  const { world, count } = room;
  const { nodeId } = place;
  return {
    roleChanged: ({ groupId, role, leaderId, term }) => {
      terms.set(groupId, term);
      world.trace(() => `${nodeId} group ${groupId}: ${role} in ${term}, leader ${leaderId}`);
      if (role !== 'StateLeader') return;
      count('elections');
      // Entries of this turn are in the log when it is over.
      world.queue.after(0.01, () => {
        if (place.isAlive() && terms.get(groupId) === term) world.check(() => log.elected(groupId, term));
      });
    },
    configurationChanged: ({ groupId, index, configuration }) => {
      count('configurations');
      world.trace(() => `${nodeId} group ${groupId}: at ${index} ${JSON.stringify(configuration)}`);
    },
    compacted: ({ groupId, index }) => {
      count('compactions');
      world.trace(() => `${nodeId} group ${groupId}: log cut behind ${index}`);
    },
    snapshotSent: ({ groupId, index, to, error }) => {
      count(error === undefined ? 'snapshots sent' : 'snapshots broken off');
      world.trace(() => `${nodeId} group ${groupId}: snapshot ${index} to ${to} ${error?.message ?? 'sent'}`);
    },
    snapshotReceived: ({ groupId, index, from, error }) =>
      world.trace(() => `${nodeId} group ${groupId}: snapshot ${index} from ${from} ${error?.message ?? 'received'}`),
    diskStalled: ({ waitedMs }) => {
      count('stalls');
      world.trace(() => `${nodeId}: the disk has not answered for ${waitedMs} ms`);
    },
    diskAnswered: () => world.trace(() => `${nodeId}: the disk answers`),
    logFull: ({ groupId }) => {
      count('full logs');
      room.onForgotten(nodeId, groupId);
      world.trace(() => `${nodeId} group ${groupId}: full`);
    },
    logReopened: ({ groupId }) => {
      room.onForgotten(nodeId, groupId);
      world.trace(() => `${nodeId} group ${groupId}: takes entries again`);
    },
    slept: () => count('sleeps'),
    woken: () => count('wakes'),
    failed: ({ groupId, error }) => {
      world.trace(() => `${nodeId} group ${groupId} failed: ${error.stack}`);
      place.exit(error);
    },
  };
}
