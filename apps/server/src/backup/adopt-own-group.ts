/**
 * What only an own group has, made that of a node of another cluster: docs/formats/backup.md, section 4, "What changes". The
 * entries and rows stay as they are, of all origins; but nobody goes on in an epoch in which somebody wrote before.
 */
import { keyspaceOfLog } from '../apply/keyspace-log.js';
import { originKey, statePrefix } from '../apply/state-keys.js';
import { encodeOrigin } from '../apply/stream-table.js';
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
  // Stamps go on above all that are in it, whoever gave them out.
  await store.batch([{ type: 'put', key: originKey, value: encodeOrigin({ origin: 0, epoch: 0, highestHlc }) }]);
  await deleteAll(store, Uint8Array.of(statePrefix.originNotes));
  if (nodeId !== fromNodeId) await deleteAll(store, Uint8Array.of(statePrefix.producer));
}

/** The keyspaces and logs of mode multi-master of which an own group holds something. */
export function ownIdsOf({ machine }: Pick<StagedGroup, 'machine'>): DataIds {
  const logIds = machine.streams.logIds();
  const keyspaces = new Set(machine.keyspaces.ids());
  for (const logId of logIds) {
    const keyspaceId = keyspaceOfLog(logId);
    if (keyspaceId !== undefined) keyspaces.add(keyspaceId);
  }
  return { keyspaces: [...keyspaces], logs: logIds.filter((logId) => keyspaceOfLog(logId) === undefined) };
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
