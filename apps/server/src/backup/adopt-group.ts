/**
 * Makes the state of a group that of another cluster: what would be mistaken for the old one's goes, and numbers go on
 * where the old cluster never came. docs/formats/backup.md, section 4, "What changes".
 */
import { type Disk, invariant, readFully, writeFully } from '@shanghai/env';
import { relabelSegment, segmentLabelBytes } from '@shanghai/wal';
import { readU32Ordered, readU64, writeU64 } from '../apply/byte-fields.js';
import type { ClusterEntry, LogCatalogueEntry } from '../apply/catalogue.js';
import { firstDataGroup } from '../apply/catalogue.js';
import { consumerElsewhere } from '../apply/consumer-table.js';
import { encodeCounters } from '../apply/group-counters.js';
import { encodeRestoredMark } from '../apply/restored-mark.js';
import { catalogueKey, dataKey, metaKey, restoredKey, statePrefix } from '../apply/state-keys.js';
import type { EngineOperation, StorageEngine } from '../engine/storage-engine.js';
import { fileLogId } from '../logs/file-log-id.js';
import { listIfPresent } from '../logs/remove-tree.js';
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
  for (const prefix of [statePrefix.sessionHeader, statePrefix.sessionResult, statePrefix.local]) {
    await deleteAll(store, Uint8Array.of(prefix));
  }
  const logIds = machine.logs.ids();
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
export async function adoptCatalogue(group: StagedGroup, clusterId: string, ids: DataIds): Promise<readonly string[]> {
  const { store, machine } = group;
  const { cluster } = machine.catalogue;
  invariant(cluster !== undefined, 'a backup is that of a cluster');
  await deleteAll(store, catalogueKey('n', ''));
  const names: string[] = [];
  const operations: EngineOperation[] = [];
  const put = (table: string, name: string, item: unknown) =>
    void operations.push({ type: 'put', key: catalogueKey(table, name), value: Buffer.from(JSON.stringify(item)) });
  const unknownKeyspaces = ids.keyspaces.filter((id) => id >= cluster.nextKeyspaceId);
  for (const id of unknownKeyspaces) {
    const name = `recovered-${id}`;
    names.push(name);
    put('k', name, { name, id });
  }
  const unknownLogs = ids.logs.filter((id) => id >= cluster.nextLogId);
  for (const logId of unknownLogs) {
    const name = `recovered-${logId}`;
    names.push(name);
    put('l', name, recoveredLog(name, logId, machine.visible.logTimeMs));
  }
  const adopted: ClusterEntry = {
    ...cluster,
    clusterId,
    nextKeyspaceId: Math.max(cluster.nextKeyspaceId, ...unknownKeyspaces.map((id) => id + 1)),
    nextLogId: Math.max(cluster.nextLogId, ...unknownLogs.map((id) => id + 1)),
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
      const id = fileLogId(clusterId, { logId: Number(logId), origin: Number(origin) });
      const inside = `${directory}/${logId}/${origin}`;
      for (const name of await disk.list(inside))
        if (name.endsWith('.wal')) await relabel(disk, `${inside}/${name}`, id);
    }
  }
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

async function deleteAll(store: StorageEngine, prefix: Uint8Array): Promise<void> {
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

function recoveredLog(name: string, logId: number, createdAtMs: number): LogCatalogueEntry {
  return {
    logId,
    name,
    settings: {
      mode: 'quorum',
      acknowledgement: 'quorum',
      retentionMs: 0,
      retentionBytes: 0,
      cleanupPolicy: 'delete',
    },
    createdAtMs,
    groupId: firstDataGroup,
    origin: 0,
  };
}
