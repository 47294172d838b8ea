/**
 * The system group's state: what the cluster is made of. Small and rarely changed, so it is kept in memory and as one
 * JSON record per item in the group's store.
 */
import { invariant } from '@shanghai/env';
import type { LogSettings } from '../logs/log-requests.js';
import { nodesWithout, supports } from '../version/cluster-version.js';
import { type ApplyResult, done, failed } from './apply-result.js';
import type { CatalogueCommand, NodeEntry } from './catalogue-command.js';
import { defaultReplicationFactor, maxReplicationFactor, NodeTable, type NodeTableCommand } from './node-table.js';
import { ownGroup } from './own-group.js';
import { catalogueKey } from './state-keys.js';
import type { WriteSet } from './write-set.js';

/** Keyspaces a cluster may have. */
export const maxKeyspaces = 1024;

/** Logs a cluster may have. */
export const maxLogs = 10_000;

/** The group that holds all slots and logs of a cluster that was not sharded. */
export const firstDataGroup = 1;

/** What the cluster was made with, and its settings. */
export interface ClusterEntry {
  readonly clusterId: string;
  /** Gates commands that older versions do not know. */
  readonly clusterVersion: number;
  readonly slots: number;
  /** Epoch of the slot table, raised with every change of it. */
  readonly slotEpoch: number;
  /** Group of each range of slots: [first slot, group], in slot order. */
  readonly slotGroups: readonly (readonly [number, number])[];
  readonly groups: readonly number[];
  readonly settings: {
    readonly version: number;
    readonly maxValueBytes: number;
    /** Voters of a group. Absent: as many as `defaultReplicationFactor`, and groups that have more keep them. */
    readonly replicationFactor?: number;
  };
  readonly nextKeyspaceId: number;
  readonly nextLogId: number;
  /** Times that one node was made all that is left, the last ones, the oldest first. Absent: never. */
  readonly recoveries?: readonly ClusterRecovery[];
}

/** A lost quorum that was given up. */
export interface ClusterRecovery {
  readonly atMs: number;
  /** Who was left. */
  readonly nodeId: number;
  readonly lost: readonly number[];
}

/** What the cluster knows of a node as an origin: what no directory of the node can be put back together with. */
interface OriginEntry {
  readonly nodeId: number;
  /** The last one that it was given; 0 = none. */
  readonly epoch: number;
  /** How often its program has begun to write. Absent: never. */
  readonly run?: number;
}

/** A keyspace of the catalogue. */
export interface KeyspaceEntry {
  readonly name: string;
  readonly id: number;
  /** Absent: the groups of the slots hold it. */
  readonly mode?: 'multi-master';
  /** There is none any more; who goes on writing to it is told. */
  readonly isDeleted?: true;
}

/** A log of the catalogue. */
export interface LogCatalogueEntry {
  readonly logId: number;
  readonly name: string;
  readonly settings: LogSettings;
  readonly createdAtMs: number;
  /** The group that orders it; `ownGroup`: each node has what it has of it in its own. */
  readonly groupId: number;
  /** 0, but in logs of mode multi-master that were made before cluster version 3 and lie in a data group. */
  readonly origin: number;
}

const maxRecoveries = 16;

const clusterTable = 'c';
const nodeTable = 'n';
const keyspaceTable = 'k';
const logTable = 'l';
const epochTable = 'e';

/** Where a node stands in the table of epochs, a restored cluster has the number behind which all its epochs begin. */
export const epochsBegin = 0;

/** From this cluster version on logs of mode multi-master lie in the own groups. */
const ownGroupsVersion = 3;

/** The catalogue of a cluster. */
export class Catalogue {
  #cluster: ClusterEntry | undefined;
  readonly #nodes = new NodeTable();
  readonly #keyspaces = new Map<string, KeyspaceEntry>([['', { name: '', id: 0 }]]);
  readonly #deletedKeyspaces = new Map<string, KeyspaceEntry>();
  readonly #logs = new Map<string, LogCatalogueEntry>();
  readonly #origins = new Map<number, OriginEntry>();

  /** Loads the records of a store, keys without their prefix byte. */
  load(records: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): void {
    for (const { key, value } of records) {
      const item = parsedRecord(value);
      switch (String.fromCharCode(key[1] as number)) {
        case clusterTable:
          this.#cluster = item as ClusterEntry;
          break;
        case nodeTable:
          this.#nodes.load(item as NodeEntry);
          break;
        case keyspaceTable:
          this.#loadKeyspace(item as KeyspaceEntry);
          break;
        case logTable:
          this.#logs.set((item as LogCatalogueEntry).name, item as LogCatalogueEntry);
          break;
        case epochTable:
          this.#origins.set((item as OriginEntry).nodeId, item as OriginEntry);
          break;
        default:
          invariant(false, `a catalogue record of an unknown table '${key[1]}'`);
      }
    }
  }

  /** Absent before the first start is complete. */
  get cluster(): ClusterEntry | undefined {
    return this.#cluster;
  }

  /** Those that belong to the cluster, those that come and go among them. */
  get nodes(): readonly NodeEntry[] {
    return this.#nodes.present;
  }

  /** Those that were taken out of it. */
  get removedNodes(): readonly NodeEntry[] {
    return this.#nodes.removed;
  }

  /** Voters of a group, where there are nodes enough. */
  get replicationFactor(): number {
    return this.#cluster?.settings.replicationFactor ?? defaultReplicationFactor;
  }

  /** The id of a keyspace, or `undefined` where nobody has written to it. */
  keyspaceId(name: string): number | undefined {
    return this.#keyspaces.get(name)?.id;
  }

  /** A keyspace. */
  keyspace(name: string): KeyspaceEntry | undefined {
    return this.#keyspaces.get(name);
  }

  /** The last keyspace of a name where that was deleted, and nobody made another one. */
  deletedKeyspace(name: string): KeyspaceEntry | undefined {
    return this.#deletedKeyspaces.get(name);
  }

  /** Those, in no order. */
  deletedKeyspaces(): Iterable<KeyspaceEntry> {
    return this.#deletedKeyspaces.values();
  }

  /** All keyspaces, by name. */
  keyspaces(): KeyspaceEntry[] {
    return [...this.#keyspaces.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The last epoch that a node was given; in a restored cluster, or the one behind which all of them begin; 0 = none. */
  originEpoch(nodeId: number): number {
    return (this.#origins.get(nodeId) ?? this.#origins.get(epochsBegin))?.epoch ?? 0;
  }

  /** How often a node's program has begun to write; 0 = never. */
  originRun(nodeId: number): number {
    return this.#origins.get(nodeId)?.run ?? 0;
  }

  /** No epoch above this one was given to anybody. */
  get highestEpoch(): number {
    return Math.max(0, ...[...this.#origins.values()].map(({ epoch }) => epoch));
  }

  log(name: string): LogCatalogueEntry | undefined {
    return this.#logs.get(name);
  }

  /** In name order. */
  logs(): LogCatalogueEntry[] {
    return [...this.#logs.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  apply(change: CatalogueCommand, logTimeMs: number, writes: WriteSet): ApplyResult {
    switch (change.type) {
      case 'bootstrap':
        return this.#bootstrap(change, writes);
      case 'putNode':
      case 'joinNode':
      case 'leaveNode':
      case 'replaceNode':
      case 'placeNode':
        return this.#changeNodes(change, writes);
      case 'recovered':
        return this.#recover(change, writes);
      case 'setReplication':
        return this.#setReplication(change.factor, writes);
      case 'raiseClusterVersion':
        return this.#raiseVersion(change.version, writes);
      case 'createKeyspace':
        return this.#createKeyspace(change, writes);
      case 'deleteKeyspace':
        return this.#deleteKeyspace(change.name, writes);
      case 'createLog':
        return this.#createLog(change, logTimeMs, writes);
      case 'deleteLog':
        if (!this.#logs.delete(change.name)) return failed('NOT_FOUND', `there is no log '${change.name}'`);
        writes.delete(catalogueKey(logTable, change.name));
        return done;
      case 'beginEpoch':
        return this.#putOrigin(change.nodeId, { epoch: this.originEpoch(change.nodeId) + 1 }, writes);
      case 'beginRun':
        return this.#putOrigin(change.nodeId, { run: this.originRun(change.nodeId) + 1 }, writes);
    }
  }

  #putOrigin(nodeId: number, more: Partial<OriginEntry>, writes: WriteSet): ApplyResult {
    const entry = { ...(this.#origins.get(nodeId) ?? { nodeId, epoch: this.originEpoch(nodeId) }), ...more };
    this.#origins.set(nodeId, entry);
    put(writes, epochTable, String(nodeId), entry);
    return done;
  }

  /** Asked for again, or by somebody who does not know that it happened, it is done. */
  #raiseVersion(version: number, writes: WriteSet): ApplyResult {
    const cluster = this.#cluster;
    if (cluster === undefined) return notMadeYet();
    if (version <= cluster.clusterVersion) return done;
    const without = nodesWithout(version, this.#nodes.present);
    if (version !== cluster.clusterVersion + 1 || without.length > 0) {
      return failed('CONFLICT', `the cluster cannot go from version ${cluster.clusterVersion} to ${version} now`);
    }
    this.#putCluster({ ...cluster, clusterVersion: version }, writes);
    return done;
  }

  #changeNodes(change: NodeTableCommand, writes: WriteSet): ApplyResult {
    const { clusterVersion = 1 } = this.#cluster ?? {};
    // In version 1 every program takes every node; from version 2 on all programs look.
    if (clusterVersion > 1 && change.type === 'putNode' && !supports(change.node, clusterVersion)) {
      return failed('UNSUPPORTED', `node ${change.node.nodeId} cannot work in cluster version ${clusterVersion}`);
    }
    const result = this.#nodes.apply(change, this.#cluster?.groups ?? []);
    if (!('changed' in result)) return failed(result.code, result.message);
    for (const entry of result.changed) put(writes, nodeTable, String(entry.nodeId), entry);
    return done;
  }

  #recover(change: Extract<CatalogueCommand, { type: 'recovered' }>, writes: WriteSet): ApplyResult {
    const { atMs, nodeId, lost } = change;
    const cluster = this.#cluster;
    if (cluster !== undefined) {
      const recoveries = [...(cluster.recoveries ?? []), { atMs, nodeId, lost }].slice(-maxRecoveries);
      this.#putCluster({ ...cluster, recoveries }, writes);
    }
    return this.#changeNodes(change, writes);
  }

  #setReplication(factor: number, writes: WriteSet): ApplyResult {
    if (!Number.isInteger(factor) || factor < 1 || factor > maxReplicationFactor) {
      return failed('INVALID_REQUEST', `the replication factor is from 1 to ${maxReplicationFactor}, not ${factor}`);
    }
    const cluster = this.#cluster;
    if (cluster === undefined) return notMadeYet();
    this.#putCluster({ ...cluster, settings: { ...cluster.settings, replicationFactor: factor } }, writes);
    return done;
  }

  #bootstrap(change: Extract<CatalogueCommand, { type: 'bootstrap' }>, writes: WriteSet): ApplyResult {
    if (this.#cluster !== undefined) return done;
    const { clusterId, clusterVersion, slots, maxValueBytes, replicationFactor } = change;
    this.#putCluster(
      {
        clusterId,
        clusterVersion,
        slots,
        slotEpoch: 1,
        slotGroups: [[0, firstDataGroup]],
        groups: [0, firstDataGroup],
        settings: { version: 1, maxValueBytes, ...(replicationFactor === undefined ? {} : { replicationFactor }) },
        nextKeyspaceId: 1,
        nextLogId: 1,
      },
      writes,
    );
    return done;
  }

  #createKeyspace(
    { name, mode, again = false }: Extract<CatalogueCommand, { type: 'createKeyspace' }>,
    writes: WriteSet,
  ): ApplyResult {
    const known = this.#keyspaces.get(name);
    if (known !== undefined) {
      // Asked for without a mode it is whatever it is.
      if (mode === undefined || known.mode === mode) return done;
      return failed('CONFLICT', `keyspace '${name}' exists, and is of mode quorum`);
    }
    if (mode === undefined && !again && this.#deletedKeyspaces.has(name)) return failed('NOT_FOUND', wasDeleted(name));
    if (this.#keyspaces.size >= maxKeyspaces) {
      return failed('RESOURCE_EXHAUSTED', `keyspace '${name}' would be one more than the ${maxKeyspaces} allowed`);
    }
    const cluster = this.#cluster;
    if (cluster === undefined) return notMadeYet();
    const id = cluster.nextKeyspaceId;
    const entry = { name, id, ...(mode === undefined ? {} : { mode }) };
    this.#keyspaces.set(name, entry);
    this.#deletedKeyspaces.delete(name);
    put(writes, keyspaceTable, name, entry);
    this.#putCluster({ ...cluster, nextKeyspaceId: id + 1 }, writes);
    return done;
  }

  #loadKeyspace(entry: KeyspaceEntry): void {
    (entry.isDeleted === true ? this.#deletedKeyspaces : this.#keyspaces).set(entry.name, entry);
  }

  /** Its id is never given again, so what still comes to it changes no other one. */
  #deleteKeyspace(name: string, writes: WriteSet): ApplyResult {
    const known = this.#keyspaces.get(name);
    if (known === undefined) return failed('NOT_FOUND', `there is no keyspace '${name}'`);
    if (known.mode === undefined) return failed('UNSUPPORTED', `keyspace '${name}' is of mode quorum; delete its keys`);
    const entry = { ...known, isDeleted: true as const };
    this.#keyspaces.delete(name);
    this.#deletedKeyspaces.set(name, entry);
    put(writes, keyspaceTable, name, entry);
    if (this.#deletedKeyspaces.size <= maxKeyspaces) return done;
    const [oldest] = [...this.#deletedKeyspaces.values()].sort((a, b) => a.id - b.id);
    this.#deletedKeyspaces.delete(oldest?.name ?? '');
    writes.delete(catalogueKey(keyspaceTable, oldest?.name ?? ''));
    return done;
  }

  #createLog(
    change: Extract<CatalogueCommand, { type: 'createLog' }>,
    logTimeMs: number,
    writes: WriteSet,
  ): ApplyResult {
    const { name, settings } = change;
    const known = this.#logs.get(name);
    if (known !== undefined) {
      return sameSettings(known.settings, settings)
        ? done
        : failed('ALREADY_EXISTS', `log '${name}' exists with other settings`, { settings: known.settings });
    }
    if (this.#logs.size >= maxLogs) {
      return failed('RESOURCE_EXHAUSTED', `log '${name}' would be one more than the ${maxLogs} allowed`);
    }
    const cluster = this.#cluster;
    if (cluster === undefined) return notMadeYet();
    const logId = cluster.nextLogId;
    const isOwn = settings.mode === 'multi-master' && cluster.clusterVersion >= ownGroupsVersion;
    const groupId = isOwn ? ownGroup : firstDataGroup;
    const origin = settings.mode === 'quorum' || isOwn ? 0 : change.origin;
    const log: LogCatalogueEntry = { logId, name, settings, createdAtMs: logTimeMs, groupId, origin };
    this.#logs.set(name, log);
    put(writes, logTable, name, log);
    this.#putCluster({ ...cluster, nextLogId: logId + 1 }, writes);
    return done;
  }

  #putCluster(cluster: ClusterEntry, writes: WriteSet): void {
    this.#cluster = cluster;
    put(writes, clusterTable, '', cluster);
  }
}

/** Why there is no such keyspace. */
export function wasDeleted(name: string): string {
  return `keyspace '${name}' was deleted; make it again, or write to another one`;
}

/** A request may reach the first leader before that leader has made the cluster. */
function notMadeYet(): ApplyResult {
  return failed('CLUSTER_ERROR', 'the cluster is being made; nothing was done, ask again soon');
}

function put(writes: WriteSet, table: string, name: string, item: unknown): void {
  writes.put(catalogueKey(table, name), Buffer.from(JSON.stringify(item)));
}

function sameSettings(a: LogSettings, b: LogSettings): boolean {
  return (
    a.mode === b.mode &&
    a.acknowledgement === b.acknowledgement &&
    a.retentionMs === b.retentionMs &&
    a.retentionBytes === b.retentionBytes &&
    a.retentionEntries === b.retentionEntries &&
    a.tombstoneRetentionMs === b.tombstoneRetentionMs &&
    a.cleanupPolicy === b.cleanupPolicy
  );
}

/** The store checks what it reads: a record that is no JSON object was never written by a program of ours. */
function parsedRecord(value: Uint8Array): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(value).toString());
  } catch {
    // Told below.
  }
  invariant(typeof parsed === 'object' && parsed !== null, 'a catalogue record is no JSON object');
  return parsed;
}
