/** A process that is a whole node: log, consensus, stores, sessions, requests; what is missing are its listeners. */
import type { Random } from '@shanghai/env';
import type { HostLimits, HostListener, SnapshotEvent } from '@shanghai/raft';
import { inProcessApi, type NodeOptions, openNode, ServerError, type ShanghaiNode } from '@shanghai/server/testing';
import type { ProcessPlace } from './machine.js';
import type { ServingProcess } from './virtual-client-transport.js';
import { asked, type LeaderCallsParts, virtualLeaderCalls } from './virtual-leader-calls.js';
import type { VirtualNetwork } from './virtual-network.js';
import type { VirtualShipping } from './virtual-shipping.js';
import type { VirtualWorld } from './virtual-world.js';

/** What nodes of a simulation have in common. */
export interface ServerRoom {
  readonly world: VirtualWorld;
  readonly network: VirtualNetwork;
  readonly nodeIds: readonly number[];
  readonly settings: ServerSettings;
  /** Who serves at an address now. */
  find(address: string): { readonly nodeId: number; readonly process: ServerProcess | undefined };
  count(what: string): void;
  /** Addresses of nodes that a new one may be told to join. Absent: none ever joins. */
  contacts?(): readonly string[];
  /** What a node's program supports, when it starts. Absent: what this one does. */
  versionsOf?(nodeId: number): { readonly lowest: number; readonly highest: number };
  /** The way of logs that every node writes. Absent: there are none. */
  readonly shipping?: VirtualShipping;
  /** A snapshot has arrived, and was put in. */
  onSnapshot?(event: SnapshotEvent): void;
}

/** Sizes and times, drawn anew for each simulation. */
export interface ServerSettings {
  readonly checkpointIntervalMs: number;
  /** Default: the node's. */
  readonly checkpointBytes?: number;
  readonly walSegmentBytes: number;
  readonly storeSegmentBytes: number;
  /** Of files of named logs. Default: the node's. */
  readonly logSegmentBytes?: number;
  readonly raft: Partial<HostLimits>;
}

/** A running node. */
export interface ServerProcess extends ServingProcess {
  readonly node: ShanghaiNode;
}

/** Draws what sizes nodes have. */
export function drawSettings(random: Random): ServerSettings {
  return {
    checkpointIntervalMs: 500 + random.below(10_000),
    walSegmentBytes: 65_536 << random.below(3),
    storeSegmentBytes: 65_536 << random.below(3),
    raft: {
      tickMs: random.float() < 0.5 ? 100 : 50,
      maxAppendBytes: random.float() < 0.5 ? 1024 : 256 * 1024,
      maxApplyBytes: random.float() < 0.5 ? 500 : 8 * 1024 * 1024,
      compactBytes: random.float() < 0.7 ? 4000 : 100_000,
      trailingEntries: random.below(50),
      trailingBytes: random.below(10_000),
      sleepTicks: random.float() < 0.5 ? 20 : 3,
    },
  };
}

/** Opens everything as the server's own main program does. */
export async function openServerProcess(place: ProcessPlace, room: ServerRoom): Promise<ServerProcess> {
  const { disk, clock, random, nodeId, isAlive } = place;
  const { world, network, settings, nodeIds, find } = room;
  const self = { id: nodeId, clock, isAlive };
  const calls = { world, network, random: world.randomFor(`calls ${nodeId}`), self, find };
  const node = await openNode({
    dataDirectory: '/data',
    nodeId,
    ...(nodeIds.includes(nodeId)
      ? { initialMembers: nodeIds.map((id) => ({ nodeId: id, peerAddress: `node-${id}:9190` })) }
      : { join: joinOf(place, room, calls) }),
    transport: place.transport,
    ...(room.shipping === undefined ? {} : { replication: { transport: room.shipping.transportOf(place) } }),
    leaderCalls: () => virtualLeaderCalls(calls),
    raft: settings.raft,
    addresses: { grpc: grpcAddress(nodeId), http: `node-${nodeId}:8080` },
    slots: 16,
    ...(room.versionsOf === undefined ? {} : { versions: room.versionsOf(nodeId) }),
    wal: {
      segmentBytes: settings.walSegmentBytes,
      firstSegmentBytes: 65_536,
      segmentsAhead: 1,
    },
    store: { segmentBytes: settings.storeSegmentBytes },
    ...(settings.logSegmentBytes === undefined
      ? {}
      : { logs: { segmentBytes: settings.logSegmentBytes, firstSegmentBytes: settings.logSegmentBytes } }),
    checkpointIntervalMs: settings.checkpointIntervalMs,
    ...(settings.checkpointBytes === undefined ? {} : { checkpointBytes: settings.checkpointBytes }),
    disk,
    clock,
    random,
    raftListener: raftListenerOf(place, room),
    listener: {
      failed: ({ groupId, error }) => {
        world.trace(() => `${nodeId} group ${groupId} failed: ${error.stack}`);
        place.exit(error);
      },
      checkpointed: ({ groupId, durableAppliedIndex }) => {
        room.count('checkpoints');
        world.trace(() => `${nodeId} group ${groupId}: durable to ${durableAppliedIndex}`);
      },
      replicationFailed: ({ error }) => world.trace(() => `${nodeId}: ships no more: ${error.stack}`),
      checkpointFailed: ({ error }) => world.trace(() => `${nodeId}: no checkpoint: ${error.message}`),
    },
  });
  const api = inProcessApi(node, (error) => {
    if (isAlive()) world.fail(error);
  });
  return { id: nodeId, node, api, clock, isAlive, whenGone: (callback) => place.whenGone(callback) };
}

/** A process that is not one of the first asks somebody to be taken in. */
function joinOf(
  { nodeId }: ProcessPlace,
  { contacts }: ServerRoom,
  calls: LeaderCallsParts,
): NonNullable<NodeOptions['join']> {
  return {
    addresses: contacts?.() ?? [],
    peerAddress: `node-${nodeId}:9190`,
    timeoutMs: 5_000,
    ask: (address, request) =>
      asked(calls, address, async ({ members }) => {
        if (members === undefined) throw new ServerError('UNSUPPORTED', 'it has no cluster');
        return members.join(request);
      }),
  };
}

function raftListenerOf({ nodeId }: ProcessPlace, { world, count, onSnapshot }: ServerRoom): HostListener {
  return {
    roleChanged: ({ groupId, role, leaderId, term }) => {
      world.trace(() => `${nodeId} group ${groupId}: ${role} in ${term}, leader ${leaderId}`);
      if (role === 'StateLeader') count('elections');
    },
    compacted: ({ groupId, index }) => {
      count('compactions');
      world.trace(() => `${nodeId} group ${groupId}: log cut behind ${index}`);
    },
    snapshotSent: ({ groupId, index, to, error }) => {
      count(error === undefined ? 'snapshots sent' : 'snapshots broken off');
      world.trace(() => `${nodeId} group ${groupId}: snapshot ${index} to ${to} ${error?.message ?? 'sent'}`);
    },
    snapshotReceived: ({ from, ...event }) => {
      const { groupId, index, error } = event;
      if (error === undefined) {
        count('snapshots received');
        onSnapshot?.(event);
      }
      world.trace(() => `${nodeId} group ${groupId}: snapshot ${index} from ${from} ${error?.message ?? 'received'}`);
    },
    logFull: ({ groupId }) => {
      count('full logs');
      world.trace(() => `${nodeId} group ${groupId}: full`);
    },
    diskStalled: () => count('stalls'),
    slept: () => count('sleeps'),
    woken: () => count('wakes'),
  };
}

/** Where clients reach a node. */
export function grpcAddress(nodeId: number): string {
  return `node-${nodeId}:9090`;
}
