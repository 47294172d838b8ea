/**
 * What only an own group has, made that of a node of another cluster: docs/formats/backup.md, section 4, "What changes". The
 * entries and rows stay as they are, of all origins; but nobody goes on in an epoch in which somebody wrote before.
 */
import { keyspaceOfLog } from '../apply/keyspace-log.js';
import { encodeConsumer } from '../apply/shared-consumers.js';
import { originKey, sharedConsumerKey, statePrefix } from '../apply/state-keys.js';
import { encodeOrigin, type StreamTable } from '../apply/stream-table.js';
import { firstBegin, type SharedConsumer, upkeepLogId } from '../apply/upkeep-entry.js';
import type { EngineOperation } from '../engine/storage-engine.js';
import { type DataIds, deleteAll } from './adopt-group.js';
import type { StagedGroup } from './staged-group.js';

/** Epochs of origins go on behind the next multiple of this. They are given out with a loss each, and read by people. */
export const epochJump: number = 2 ** 20;

/** Whose the group was, and whose it becomes. */
export interface OwnAdoption {
  readonly fromNodeId: number;
  readonly nodeId: number;
}

/**
 * Writes what changes in an own group: the node is an origin that has no epoch yet, and no producer but its own goes on where
 * it was. Before `adoptGroup`.
 */
export async function adoptOwnGroup(
  { store, machine }: Pick<StagedGroup, 'store' | 'machine'>,
  { fromNodeId, nodeId }: OwnAdoption,
): Promise<void> {
  const { highestHlc } = machine.streams.own;
  await deleteAll(store, Uint8Array.of(statePrefix.originNotes));
  // Stamps go on above all that are in it, whoever gave them out.
  const origin = encodeOrigin({ origin: 0, epoch: 0, highestHlc });
  const operations: EngineOperation[] = [{ type: 'put', key: originKey, value: origin }];
  for (const known of machine.upkeep.consumers.all()) {
    const consumer = consumerElsewhere(known, machine.streams);
    const key = sharedConsumerKey(consumer.logId, consumer.name);
    operations.push({ type: 'put', key, value: encodeConsumer(consumer) });
  }
  await store.batch(operations);
  if (nodeId !== fromNodeId) await deleteAll(store, Uint8Array.of(statePrefix.producer));
}

/**
 * A consumer in another cluster: readers of the old one are told that they are elsewhere, and nothing counts as read that is not
 * here.
 */
function consumerElsewhere(consumer: SharedConsumer, streams: StreamTable): SharedConsumer {
  const { logId, generation } = consumer;
  const positions = consumer.positions.flatMap(({ origin, epoch, sequence }) => {
    const held = streams.get({ logId, origin, epoch });
    return held === undefined ? [] : [{ origin, epoch, sequence: Math.min(sequence, held.lastSequence) }];
  });
  return { ...consumer, generation: generation + 1, begin: firstBegin, positions };
}

/** The keyspaces and logs of mode multi-master of which an own group holds something. */
export function ownIdsOf({ machine }: Pick<StagedGroup, 'machine'>): DataIds {
  const logIds = machine.streams.logIds();
  const keyspaces = new Set(machine.keyspaces.ids());
  for (const logId of logIds) {
    const keyspaceId = keyspaceOfLog(logId);
    if (keyspaceId !== undefined) keyspaces.add(keyspaceId);
  }
  return { keyspaces: [...keyspaces], logs: logIds.filter((logId) => logId < upkeepLogId) };
}

/** The number behind which the new cluster's epochs begin; 0 where nobody ever had one. */
export function epochBase(system: Pick<StagedGroup, 'machine'>, own: Pick<StagedGroup, 'machine'> | undefined): number {
  const streams = own === undefined ? [] : [...own.machine.streams.all()];
  const highest = Math.max(
    system.machine.catalogue.highestEpoch,
    own?.machine.streams.own.epoch ?? 0,
    ...streams.map(({ epoch }) => epoch),
  );
  return highest === 0 ? 0 : (Math.floor(highest / epochJump) + 1) * epochJump;
}
