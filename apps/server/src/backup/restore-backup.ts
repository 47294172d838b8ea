/**
 * From a backup to the data directory of a node of a new cluster (docs/formats/backup.md, section 4). Everything is
 * made beside the directory and gets its name at the end; whatever the run is given decides the new cluster's id, so
 * that several nodes restored apart from each other are members of one cluster only where they hold the same.
 */
import { createHash } from 'node:crypto';
import { type Clock, type Disk, ensureDirectory, type Random } from '@shanghai/env';
import { emptyConfState } from '@shanghai/raft';
import { firstDataGroup } from '../apply/catalogue.js';
import { decodeCommand } from '../apply/command-codec.js';
import { ownGroup } from '../apply/own-group.js';
import { identityFormat, newId, writeIdentity } from '../data-directory.js';
import { type EngineName, engineNames } from '../engine/storage-engine.js';
import { checkFirstMembers, type FirstMember, firstMembersText } from '../first-members.js';
import { encodeCurrent } from '../raft/group-directories.js';
import { supportedVersions } from '../version/cluster-version.js';
import { type AdoptedGroup, adoptCatalogue, adoptGroup, type DataIds, idsOf, relabelLogs } from './adopt-group.js';
import { adoptOwnGroup, epochBase, ownIdsOf } from './adopt-own-group.js';
import { readArchiveMark } from './archive-directory.js';
import { logTimeOf } from './archive-file.js';
import { BackupError } from './backup-error.js';
import { type BackupManifest, type ManifestGroup, readManifest } from './backup-manifest.js';
import type { GroupLogEntry } from './backup-parts.js';
import { makeDirectoryWhole, writeNewFile } from './new-directory.js';
import { entriesBehind, findPoint, type RestorePoint, type RestoreUntil } from './restore-point.js';
import { replayed, StagedGroup, type StagingOptions } from './staged-group.js';

/** What a node is restored with. */
export interface RestoreOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly backup: string;
  /** Absent, or an empty directory. */
  readonly dataDirectory: string;
  /** Default 1 where no members are named. */
  readonly nodeId?: number;
  /** Who the new cluster's members are. Empty: the node alone. */
  readonly members: readonly FirstMember[];
  /** Tells apart clusters that are restored from the same backup. */
  readonly clusterToken: string;
  /** Where to go on behind the backup's cut. */
  readonly archive?: { readonly directory: string; readonly until: RestoreUntil };
  /** Also a checksum of each group's state as it was in the old cluster; reads everything once more. */
  readonly checksums?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

/** What was restored. */
export interface RestoreReport {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly backupId: string;
  readonly fromClusterId: string;
  /** As they were in the old cluster. */
  readonly groups: readonly {
    readonly groupId: number;
    readonly index: number;
    readonly logTimeMs: number;
    readonly checksum?: string;
  }[];
  /** Names that were given to keyspaces and logs of the data that the catalogue did not know. */
  readonly recovered: readonly string[];
}

/** Restores one node. Resolves when its directory is whole and durable; else nothing of it is there. Rejects with `BackupError`, and as the stores and the disk do. */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreReport> {
  const { disk, backup, dataDirectory } = options;
  const nodeId = nodeIdOf(options);
  const manifest = await readManifest(disk, backup);
  if (!engineNames.some((name) => name === manifest.engine)) {
    throw new BackupError('UNSUPPORTED', `the backup needs engine '${manifest.engine}'; use a newer version`);
  }
  if (manifest.clusterVersion > supportedVersions.highest) {
    throw new BackupError(
      'UNSUPPORTED',
      `the backup is of cluster version ${manifest.clusterVersion}, this program supports up to ${supportedVersions.highest}; use a newer version`,
    );
  }
  const cuts = cutsOf(manifest);
  const point = await dataPoint(options, manifest, cuts.data);
  return makeDirectoryWhole(disk, dataDirectory, manifest.backupId, (partial) =>
    new Restoration(options, manifest, partial, nodeId).run(cuts, point),
  );
}

/** The groups of a backup. */
interface BackupCuts {
  readonly data: ManifestGroup;
  readonly system: ManifestGroup;
  /** Absent: the node had no log or keyspace of mode multi-master. */
  readonly own: ManifestGroup | undefined;
}

/** A group, the last entry of the old cluster in it, and who votes in it from now on. */
interface RestoredGroup {
  readonly group: StagedGroup;
  readonly point: RestorePoint;
  readonly voters: readonly number[];
}

class Restoration {
  readonly #options: RestoreOptions;
  readonly #manifest: BackupManifest;
  readonly #directory: string;
  readonly #nodeId: number;
  readonly #total: number;
  #copied = 0;

  constructor(options: RestoreOptions, manifest: BackupManifest, directory: string, nodeId: number) {
    this.#options = options;
    this.#manifest = manifest;
    this.#directory = directory;
    this.#nodeId = nodeId;
    this.#total = manifest.groups.flatMap(({ files }) => files).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async run(cuts: BackupCuts, point: RestorePoint): Promise<RestoreReport> {
    const opened: StagedGroup[] = [];
    const stage = async (cut: ManifestGroup) => {
      const group = await this.#stage(cut);
      opened.push(group);
      return group;
    };
    try {
      const data = await stage(cuts.data);
      await this.#replay(data, point.index);
      const ids = await idsOf(data);
      const own = cuts.own === undefined ? undefined : await stage(cuts.own);
      const system = await stage(cuts.system);
      const { further, ...systemPoint } = await this.#replaySystem(system, data, ids, point.index);
      const voters = this.#voters();
      const groups: RestoredGroup[] = [{ group: data, point, voters }];
      // Nobody else is ever in it, and no archive has its entries.
      if (own !== undefined) groups.push({ group: own, point: cutPoint(own.cut), voters: [this.#nodeId] });
      groups.push({ group: system, point: systemPoint, voters });
      const checksums = await this.#checksums(groups);
      const clusterId = clusterIdOf(this.#options, this.#manifest, this.#nodeId, [
        [0, systemPoint.index, systemPoint.term, ...further],
        [data.cut.groupId, point.index, point.term],
      ]);
      const recovered = await this.#adoptCatalogue(system, own, ids, clusterId);
      const report = groups.map(({ group: { cut, machine }, point: { index } }, i) => ({
        groupId: cut.groupId,
        index,
        logTimeMs: machine.visible.logTimeMs,
        ...(checksums[i] === undefined ? {} : { checksum: checksums[i] }),
      }));
      await this.#adopt(groups, clusterId, opened);
      await this.#identify(clusterId);
      const { backupId, clusterId: fromClusterId } = this.#manifest;
      return { clusterId, nodeId: this.#nodeId, backupId, fromClusterId, groups: report, recovered };
    } finally {
      for (const group of opened) await group.close().catch(() => undefined);
    }
  }

  #adoptCatalogue(
    system: StagedGroup,
    own: StagedGroup | undefined,
    data: DataIds,
    clusterId: string,
  ): Promise<readonly string[]> {
    return adoptCatalogue(system, clusterId, {
      data,
      own: own === undefined ? { keyspaces: [], logs: [] } : ownIdsOf(own),
      epochBase: epochBase(system, own),
    });
  }

  /** Makes the groups those of the new cluster, closes them, and gives them their places. */
  async #adopt(groups: readonly RestoredGroup[], clusterId: string, opened: StagedGroup[]): Promise<void> {
    const { clusterId: fromClusterId, backupId, nodeId: fromNodeId } = this.#manifest;
    const adopted: AdoptedGroup[] = [];
    for (const { group, point } of groups) {
      if (group.cut.groupId === ownGroup) await adoptOwnGroup(group, { fromNodeId, nodeId: this.#nodeId });
      adopted.push(await adoptGroup(group, { clusterId, fromClusterId, backupId, point }));
    }
    for (const group of opened.splice(0)) await group.close();
    for (const [i, { group, voters }] of groups.entries()) {
      await this.#settle(group, adopted[i] as AdoptedGroup, voters, clusterId);
    }
  }

  #voters(): readonly number[] {
    const { members } = this.#options;
    return members.length === 0 ? [this.#nodeId] : members.map(({ nodeId }) => nodeId);
  }

  async #stage(cut: ManifestGroup): Promise<StagedGroup> {
    const { disk, clock, random, backup, signal, onProgress } = this.#options;
    const onCopied = (bytes: number) => {
      this.#copied += bytes;
      onProgress?.(this.#copied, this.#total, `group ${cut.groupId}`);
    };
    const staging: StagingOptions = {
      disk,
      clock,
      random,
      backup,
      manifest: this.#manifest,
      onCopied,
      ...(signal === undefined ? {} : { signal }),
    };
    return StagedGroup.open(staging, cut, `${this.#directory}/groups/${cut.groupId}.restored`);
  }

  /** Applies archived entries up to and with the last one that is wanted. */
  async #replay(group: StagedGroup, lastIndex: number): Promise<void> {
    const { disk, archive, signal } = this.#options;
    if (archive === undefined || lastIndex <= group.cut.appliedIndex) return;
    for await (const entries of entriesBehind({ disk, directory: archive.directory, cut: group.cut })) {
      if (signal?.aborted === true) throw new BackupError('INTERRUPTED', 'interrupted; nothing was kept');
      await group.replay(entries.filter(({ index }) => index <= lastIndex).map(replayed));
      if (group.machine.visible.appliedIndex >= lastIndex) return;
    }
  }

  /**
   * The catalogue as of the data's point. Clocks of two groups' leaders differ, so behind that time what makes a name is
   * applied all the same: always for keyspaces, for logs while the data has such ids.
   */
  async #replaySystem(
    system: StagedGroup,
    data: StagedGroup,
    ids: DataIds,
    dataIndex: number,
  ): Promise<RestorePoint & { readonly further: readonly number[] }> {
    const { disk, archive } = this.#options;
    const further: number[] = [];
    let point = { index: system.cut.appliedIndex, term: system.cut.appliedTerm };
    if (archive === undefined) return { ...point, further };
    const { until } = archive;
    const isAll = until.index === undefined && until.timeMs === undefined;
    const limitMs = isAll ? Number.POSITIVE_INFINITY : (until.timeMs ?? data.machine.visible.logTimeMs);
    let isBehind = false;
    try {
      for await (const entries of entriesBehind({ disk, directory: archive.directory, cut: system.cut })) {
        for (const entry of entries) {
          isBehind ||= (logTimeOf(entry) ?? 0) > limitMs;
          if (!isBehind) {
            await system.replay([replayed(entry)]);
            point = { index: entry.index, term: entry.term };
            continue;
          }
          const makes = makesName(entry, system.machine.catalogue.cluster?.nextLogId ?? 0, ids);
          await system.replay([makes ? replayed(entry) : { index: entry.index, term: entry.term, command: undefined }]);
          if (makes) further.push(entry.index);
        }
      }
    } catch (error) {
      if (!isGap(error) || !(await this.#hasGapBehind(data, dataIndex))) throw error;
      // Entries were given up in both groups after the data's point was archived, and the system group is read last.
    }
    return { ...point, further };
  }

  async #hasGapBehind({ cut }: StagedGroup, index: number): Promise<boolean> {
    const { disk, archive } = this.#options;
    try {
      const from = { ...cut, appliedIndex: index };
      for await (const _ of entriesBehind({ disk, directory: archive?.directory ?? '', cut: from }));
      return false;
    } catch (error) {
      if (isGap(error)) return true;
      throw error;
    }
  }

  async #checksums(groups: readonly RestoredGroup[]): Promise<readonly (string | undefined)[]> {
    const checksums: (string | undefined)[] = [];
    for (const { group } of groups) {
      checksums.push(this.#options.checksums === true ? (await group.checksum()).checksum : undefined);
    }
    return checksums;
  }

  /** Gives a group's directory its place, and the file that says so. */
  async #settle(
    { cut, directory }: StagedGroup,
    { index, term, logIds }: AdoptedGroup,
    voters: readonly number[],
    clusterId: string,
  ): Promise<void> {
    const { disk } = this.#options;
    const { groupId } = cut;
    await relabelLogs(disk, `${directory}/logs`, clusterId);
    const groups = `${this.#directory}/groups`;
    await disk.rename(directory, `${groups}/${groupId}.${term}-${index}`);
    const metadata = { index, term, confState: { ...emptyConfState, voters } };
    await writeNewFile(disk, `${groups}/${groupId}.current`, encodeCurrent(groupId, { metadata, logIds }));
  }

  async #identify(clusterId: string): Promise<void> {
    const { disk, clock, random, members } = this.#options;
    await ensureDirectory(disk, `${this.#directory}/wal`);
    await ensureDirectory(disk, `${this.#directory}/logs`);
    const stat = await disk.stat(`${this.#directory}/wal`);
    const engine = this.#manifest.engine as EngineName;
    await writeIdentity(disk, this.#directory, {
      format: identityFormat(members, engine),
      clusterId,
      nodeId: this.#nodeId,
      engine,
      firstMembers: members,
      instanceId: newId(random),
      createdAtMs: clock.nowMs(),
      wal: { inode: stat?.inode ?? 0, birthTimeMs: stat?.birthTimeMs ?? 0 },
      restoredFrom: this.#manifest.backupId,
    });
  }
}

function isGap(error: unknown): boolean {
  return error instanceof BackupError && error.code === 'OUT_OF_RANGE';
}

function nodeIdOf({ nodeId, members }: RestoreOptions): number {
  if (members.length === 0) return nodeId ?? 1;
  checkFirstMembers(members);
  if (nodeId !== undefined && members.some((member) => member.nodeId === nodeId)) return nodeId;
  const ids = members.map((member) => member.nodeId).join(', ');
  throw new BackupError('INVALID_REQUEST', `say which of the nodes ${ids} this is with --node-id`);
}

function cutsOf({ groups }: BackupManifest): BackupCuts {
  const of = (groupId: number) => groups.find((one) => one.groupId === groupId);
  const [data, system, own] = [of(firstDataGroup), of(0), of(ownGroup)];
  const known = [data, system, own].filter((group) => group !== undefined);
  if (data !== undefined && system !== undefined && known.length === groups.length) return { data, system, own };
  const found = groups.map(({ groupId }) => groupId).join(', ');
  throw new BackupError(
    'UNSUPPORTED',
    `the backup has the groups ${found}; this version knows 0, 1 and ${ownGroup}; use a newer version`,
  );
}

function cutPoint({ appliedIndex: index, appliedTerm: term }: ManifestGroup): RestorePoint {
  return { index, term };
}

async function dataPoint(
  { disk, archive }: RestoreOptions,
  manifest: BackupManifest,
  cut: ManifestGroup,
): Promise<RestorePoint> {
  if (archive === undefined) return { index: cut.appliedIndex, term: cut.appliedTerm };
  const { directory, until } = archive;
  const mark = await readArchiveMark(disk, directory);
  if (mark === undefined) throw new BackupError('NOT_FOUND', `there is no archive in '${directory}'`);
  if (mark.clusterId !== manifest.clusterId) {
    throw new BackupError(
      'INVALID_REQUEST',
      `the archive is that of cluster ${mark.clusterId}, the backup that of ${manifest.clusterId}`,
    );
  }
  return findPoint({ disk, directory, cut }, until);
}

/** Whether a change of the catalogue is needed for what the data has, although it came later by its own clock. */
function makesName({ type, data }: GroupLogEntry, nextLogId: number, { logs }: DataIds): boolean {
  if (type !== 0 || data.length === 0) return false;
  const { body } = decodeCommand(data);
  if (body.kind !== 'catalogue') return false;
  if (body.change.type === 'createKeyspace') return true;
  return body.change.type === 'createLog' && logs.some((logId) => logId >= nextLogId);
}

function clusterIdOf(
  { members, clusterToken }: RestoreOptions,
  { backupId }: BackupManifest,
  nodeId: number,
  points: readonly (readonly number[])[],
): string {
  const text = members.length === 0 ? `${nodeId}=` : firstMembersText([...members].sort((a, b) => a.nodeId - b.nodeId));
  return createHash('sha256')
    .update(JSON.stringify(['restore', backupId, clusterToken, text, points]))
    .digest('hex')
    .slice(0, 32);
}
