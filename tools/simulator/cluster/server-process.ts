/** A process that is a whole node: log, consensus, stores, sessions, requests; what is missing are its listeners. */
import type { Random } from '@shanghai/env';
import { inProcessApi, openNode, type ShanghaiNode } from '@shanghai/server/testing';
import type { ProcessPlace } from './machine.js';
import type { ServingProcess } from './virtual-client-transport.js';
import type { VirtualWorld } from './virtual-world.js';

/** What nodes of a simulation have in common. */
export interface ServerRoom {
  readonly world: VirtualWorld;
  readonly nodeIds: readonly number[];
  readonly settings: ServerSettings;
  count(what: string): void;
}

/** Sizes and times, drawn anew for each simulation. */
export interface ServerSettings {
  readonly checkpointIntervalMs: number;
  readonly walSegmentBytes: number;
  readonly storeSegmentBytes: number;
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
  };
}

/** Opens everything as the server's own main program does. */
export async function openServerProcess(place: ProcessPlace, room: ServerRoom): Promise<ServerProcess> {
  const { disk, clock, random, nodeId, isAlive } = place;
  const { world, settings } = room;
  const node = await openNode({
    dataDirectory: '/data',
    nodeId,
    addresses: { grpc: grpcAddress(nodeId), http: `node-${nodeId}:8080` },
    slots: 16,
    wal: {
      segmentBytes: settings.walSegmentBytes,
      firstSegmentBytes: 65_536,
      segmentsAhead: 1,
    },
    store: { segmentBytes: settings.storeSegmentBytes },
    checkpointIntervalMs: settings.checkpointIntervalMs,
    disk,
    clock,
    random,
    listener: {
      failed: ({ groupId, error }) => {
        world.trace(() => `${nodeId} group ${groupId} failed: ${error.stack}`);
        place.exit(error);
      },
      checkpointed: ({ groupId, durableAppliedIndex }) => {
        room.count('checkpoints');
        world.trace(() => `${nodeId} group ${groupId}: durable to ${durableAppliedIndex}`);
      },
      checkpointFailed: ({ error }) => world.trace(() => `${nodeId}: no checkpoint: ${error.message}`),
    },
  });
  const api = inProcessApi(node, (error) => {
    if (isAlive()) world.fail(error);
  });
  return { id: nodeId, node, api, clock, isAlive, whenGone: (callback) => place.whenGone(callback) };
}

/** Where clients reach a node. */
export function grpcAddress(nodeId: number): string {
  return `node-${nodeId}:9090`;
}
