/**
 * Makes the state of a group that of another cluster: what would be mistaken for the old one's goes, and numbers go on
 * where the old cluster never came. docs/formats/backup.md, section 4, "What changes".
 */
import { type Disk, invariant, readFully, writeFully } from '@shanghai/env';
import { relabelSegment, segmentLabelBytes } from '@shanghai/wal';
import { readU32Ordered, readU64, writeU64 } from '../apply/byte-fields.js';
import type { ClusterEntry, LogCatalogueEntry } from '../apply/catalogue.js';
import { epochsBegin, firstDataGroup } from '../apply/catalogue.js';
import { consumerElsewhere } from '../apply/consumer-table.js';
import { encodeCounters } from '../apply/group-counters.js';
import { ownGroup } from '../apply/own-group.js';
import { encodeRestoredMark } from '../apply/restored-mark.js';
import { catalogueKey, dataKey, metaKey, restoredKey, statePrefix } from '../apply/state-keys.js';
import type { EngineOperation, StorageEngine } from '../engine/storage-engine.js';
import { fileLogId } from '../logs/file-log-id.js';
import type { LogPlace } from '../logs/log-place.js';
import { listIfPresent } from '../logs/remove-tree.js';
import { groupLogIds } from '../raft/group-log-images.js';
import type { StagedGroup } from './staged-group.js';

/** Numbers go on at the next multiple of this. */
export const numberJump: number = 2 ** 40;

const deletesPerBatch = 1000;

/** Whose the state becomes. */
export interface Adoption {
  readonly clusterId: string;
  readonly fromClusterId: string;
  readonly backupId: string;
  /** The last entry of the old cluster in it. */
  readonly point: { readonly index: number; readonly term: number };
}

/** Ids that the data has, and those of them that the catalogue lacked. */
export interface DataIds {
  readonly keyspaces: readonly number[];
  readonly logs: readonly number[];
}

/** What the groups of a backup hold that the catalogue must know of. */
export interface HeldIds {
  readonly data: DataIds;
  readonly own: DataIds;
  /** Epochs of origins go on behind this one; 0: nobody had any. */
  readonly epochBase: number;
}

/** Where the state of a group begins in the new cluster. */
export interface AdoptedGroup {
  readonly index: number;
  readonly term: number;
  readonly logIds: readonly number[];
}

/** Writes what changes in a group's state. Its store is not to be written otherwise any more. */
export async function adoptGroup(
  group: Pick<StagedGroup, 'store' | 'machine'> & { readonly cut: Pick<StagedGroup['cut'], 'groupId'> },
  adoption: Adoption,
): Promise<AdoptedGroup> {
  const { store, machine } = group;
  const { clusterId, fromClusterId, backupId, point } = adoption;
  const { groupId } = group.cut;
  const counters = machine.visible;
  const { sessionHeader, sessionResult, sessionBlock, local } = statePrefix;
  for (const prefix of [sessionHeader, sessionResult, sessionBlock, local]) {
    await deleteAll(store, Uint8Array.of(prefix));
  }
  const logIds = groupLogIds(machine);
  await raiseEpochs(store);
  const index = afterJump(point.index);
  const term = point.term + 1;
  const { logTimeMs } = counters;
  const mark = { backupId, clusterId: fromClusterId, index, term, fromIndex: point.index, logTimeMs };
  const raised = {
    ...counters,
    appliedIndex: index,
    appliedTerm: term,
    revision: afterJump(counters.revision),
    nextSessionId: afterJump(counters.nextSessionId),
  };
  await store.batch([
    { type: 'put', key: Uint8Array.of(statePrefix.owner), value: Buffer.from(`${clusterId}/${groupId}`) },
    { type: 'put', key: restoredKey, value: encodeRestoredMark(mark) },
    { type: 'put', key: metaKey, value: encodeCounters(raised) },
  ]);
  await store.checkpoint();
  return { index, term, logIds };
}

/** Writes what changes in the catalogue. Resolves to the names that were given to ids without one. */
export async function adoptCatalogue(
  { store, machine }: StagedGroup,
  clusterId: string,
  { data, own, epochBase }: HeldIds,
): Promise<readonly string[]> {
  const { cluster } = machine.catalogue;
  invariant(cluster !== undefined, 'a backup is that of a cluster');
  await deleteAll(store, catalogueKey('n', ''));
  await deleteAll(store, catalogueKey('e', ''));
  const names: string[] = [];
  const operations: EngineOperation[] = [];
  const put = (table: string, name: string, item: unknown) =>
    void operations.push({ type: 'put', key: catalogueKey(table, name), value: Buffer.from(JSON.stringify(item)) });
  const { logTimeMs } = machine.visible;
  const unknown = (ids: readonly number[], next: number) => ids.filter((id) => id >= next);
  const recover = (table: 'k' | 'l', id: number, entryOf: (name: string) => unknown) => {
    const name = `recovered-${id}`;
    names.push(name);
    put(table, name, entryOf(name));
    return id + 1;
  };
  const nextKeyspaceIds = [
    ...unknown(data.keyspaces, cluster.nextKeyspaceId).map((id) => recover('k', id, (name) => ({ name, id }))),
    ...unknown(own.keyspaces, cluster.nextKeyspaceId).map((id) =>
      recover('k', id, (name) => ({ name, id, mode: 'multi-master' })),
    ),
  ];
  const nextLogIds = [
    ...unknown(data.logs, cluster.nextLogId).map((id) =>
      recover('l', id, (name) => recoveredLog(name, id, logTimeMs, 'quorum')),
    ),
    ...unknown(own.logs, cluster.nextLogId).map((id) =>
      recover('l', id, (name) => recoveredLog(name, id, logTimeMs, 'multi-master')),
    ),
  ];
  if (epochBase > 0) put('e', String(epochsBegin), { nodeId: epochsBegin, epoch: epochBase });
  const adopted: ClusterEntry = {
    ...cluster,
    clusterId,
    nextKeyspaceId: Math.max(cluster.nextKeyspaceId, ...nextKeyspaceIds),
    nextLogId: Math.max(cluster.nextLogId, ...nextLogIds),
  };
  put('c', '', adopted);
  await store.batch(operations);
  return names;
}

/** The keyspaces and logs of which a data group holds something. */
export async function idsOf({ store, machine }: StagedGroup): Promise<DataIds> {
  const keyspaces: number[] = [];
  for (let next = 0; next <= 0xffff_ffff; ) {
    let found: number | undefined;
    const range = { start: dataKey(next, new Uint8Array(0)), end: Uint8Array.of(statePrefix.data + 1) };
    for await (const { key } of store.range({ ...range, limit: 1, keysOnly: true, horizonMs: 0 })) {
      found = readU32Ordered(key, 1);
    }
    if (found === undefined) break;
    keyspaces.push(found);
    next = found + 1;
  }
  return { keyspaces, logs: machine.logs.ids() };
}

/** Gives the files of a group's logs to another cluster. Only when nobody has them open. Not synced. */
export async function relabelLogs(disk: Disk, directory: string, clusterId: string): Promise<void> {
  for (const logId of await listIfPresent(disk, directory)) {
    for (const origin of await listIfPresent(disk, `${directory}/${logId}`)) {
      const id = fileLogId(clusterId, placeNamed(Number(logId), origin));
      const inside = `${directory}/${logId}/${origin}`;
      for (const name of await disk.list(inside))
        if (name.endsWith('.wal')) await relabel(disk, `${inside}/${name}`, id);
    }
  }
}

/** The log whose files lie in a directory of this name. */
function placeNamed(logId: number, name: string): LogPlace {
  const [origin, epoch] = name.split('.').map(Number);
  return { logId, origin: origin as number, ...(epoch === undefined ? {} : { streamEpoch: epoch }) };
}

async function relabel(disk: Disk, path: string, logId: string): Promise<void> {
  const file = await disk.open(path, 'write');
  try {
    const bytes = new Uint8Array(segmentLabelBytes);
    await readFully(file, bytes, 0);
    await writeFully(file, relabelSegment(bytes, logId), 0);
  } finally {
    await file.close();
  }
}

function afterJump(number: number): number {
  return (Math.floor(number / numberJump) + 1) * numberJump;
}

/** Deletes all that begins so. */
export async function deleteAll(store: StorageEngine, prefix: Uint8Array): Promise<void> {
  for (;;) {
    const operations: EngineOperation[] = [];
    for await (const { key } of store.range({ prefix, limit: deletesPerBatch, keysOnly: true, horizonMs: 0 })) {
      operations.push({ type: 'delete', key });
    }
    if (operations.length === 0) return;
    await store.batch(operations);
  }
}

/** So that readers can tell that sequence numbers may come again; what they stored goes along. */
async function raiseEpochs(store: StorageEngine): Promise<void> {
  const operations: EngineOperation[] = [];
  for await (const { key, value } of store.range({ prefix: Uint8Array.of(statePrefix.log), horizonMs: 0 })) {
    const record = Uint8Array.from(value);
    writeU64(record, 16, readU64(record, 16) + 1);
    operations.push({ type: 'put', key: Uint8Array.from(key), value: record });
  }
  for await (const { key, value } of store.range({ prefix: Uint8Array.of(statePrefix.consumer), horizonMs: 0 })) {
    operations.push({ type: 'put', key: Uint8Array.from(key), value: consumerElsewhere(value) });
  }
  if (operations.length > 0) await store.batch(operations);
}

function recoveredLog(
  name: string,
  logId: number,
  createdAtMs: number,
  mode: 'quorum' | 'multi-master',
): LogCatalogueEntry {
  const isQuorum = mode === 'quorum';
  const acknowledgement = isQuorum ? 'quorum' : 'local';
  return {
    logId,
    name,
    settings: { mode, acknowledgement, retentionMs: 0, retentionBytes: 0, cleanupPolicy: 'delete' },
    createdAtMs,
    groupId: isQuorum ? firstDataGroup : ownGroup,
    origin: 0,
  };
}
