/**
 * A node's data directory (docs/formats/data-directory.md):
 *
 *   node.json    whose it is; written before anything else is put in
 *   wal/         the write-ahead log all groups share
 *   groups/<id>  one store a group
 *   logs/        files of named logs
 *
 * One lock at the root covers all of it. `node.json` records inode and birth time of `wal/`: a directory that was copied
 * or restored shows others, and gets a new instance id, because what its copy acknowledged later it does not hold.
 */
import {
  type DirectoryLock,
  type Disk,
  type DiskStat,
  ensureDirectory,
  isErrno,
  LockError,
  type Random,
  readWholeFile,
  replaceFile,
} from '@shanghai/env';
import { RaftError } from '@shanghai/raft';
import { DataDirectoryError } from './data-directory-error.js';
import { type EngineName, engineNames } from './engine/storage-engine.js';
import { checkFirstMembers, clusterIdOf, type FirstMember, firstMembersText } from './first-members.js';
import { forgetJoining, joiningInstance, refuseJoining, refuseRemoved } from './members/joining-file.js';
import type { JoinedCluster, MemberAddress } from './members/node-members.js';

/**
 * The newest version this program knows. Version 1 is written where the engine is bitcask; 2 names the engine, 3 the
 * members the cluster was made with too, 4 the members of the cluster that was joined, so that a version that knows no such thing refuses the directory.
 */
export const dataDirectoryFormat = 4;

/** What `node.json` says. */
export interface NodeIdentity {
  readonly format: number;
  readonly clusterId: string;
  readonly nodeId: number;
  /** What holds the groups' state. */
  readonly engine: EngineName;
  /** Who made the cluster together. Empty: this node alone. */
  readonly firstMembers: readonly FirstMember[];
  /** Of a node that joined a cluster: who was in it then, itself among them. Absent: it was there from the first. */
  readonly joined?: { readonly members: readonly MemberAddress[] };
  /** New whenever the directory may no longer hold what it once acknowledged. */
  readonly instanceId: string;
  readonly createdAtMs: number;
  readonly wal: { readonly inode: number; readonly birthTimeMs: number };
  /** The backup that it was made from. Its cluster id then follows from that, not from the members alone. */
  readonly restoredFrom?: string;
}

/** An open and locked data directory. */
export interface DataDirectory {
  readonly path: string;
  readonly identity: NodeIdentity;
  /** Why this start has a new instance id, if it has. */
  readonly renewed: 'copied' | 'repaired' | undefined;
  /** Whether `wal/` was repaired offline since the last start that got as far as `forgetRepair`. */
  readonly isLogRepaired: boolean;
  readonly lock: DirectoryLock;
}

/** What opening one takes. */
export interface DataDirectoryOptions {
  readonly path: string;
  /** Absent: what is recorded, or 1 in a new directory. */
  readonly nodeId: number | undefined;
  /** Who makes a new cluster. Empty: this node alone, or as recorded. */
  readonly firstMembers: readonly FirstMember[];
  readonly clusterToken: string;
  readonly engine: EngineName;
  readonly breakLock: boolean;
  /** Of a new directory: asks a cluster to be taken in, as this instance. Absent: it makes one. */
  readonly join?: (instanceId: string) => Promise<JoinedCluster>;
  readonly disk: Disk;
  readonly random: Random;
  readonly nowMs: number;
}

/** What an offline repair leaves in `wal/`. */
const repairMarker = 'repaired.json';

const maxIdentityBytes = 65_536;

/** Opens a data directory, making it where there is none. Rejects with `DataDirectoryError`. */
export async function openDataDirectory(options: DataDirectoryOptions): Promise<DataDirectory> {
  const { disk, path } = options;
  try {
    await ensureDirectory(disk, path);
    const lock = await disk.lockDirectory(path, { breakLock: options.breakLock, description: 'shanghai server' });
    try {
      return { path, lock, ...(await identify(options)) };
    } catch (error) {
      await lock.release();
      throw error;
    }
  } catch (error) {
    throw explain(error, path);
  }
}

/** A failure of the file system or a lock in a data directory's words; anything else unchanged. */
export function explain(error: unknown, path: string): unknown {
  const full = fullDisk(error);
  if (full !== undefined) {
    return new DataDirectoryError(
      'FULL',
      `data directory '${path}': the disk is full (${full.message}); a start applies what the log holds, so make room ` +
        `for up to the size of '${path}/wal' and start again`,
      { cause: error },
    );
  }
  if (error instanceof RaftError && error.code === 'LOG_DAMAGED') {
    return new DataDirectoryError(
      'DAMAGED',
      `data directory '${path}': ${error.message}; restore wal/ or the data directory from a backup, or where the node ran ` +
        "with a durability other than 'always', start it with that once",
      { cause: error },
    );
  }
  if (error instanceof LockError) {
    const code = error.code === 'LOCKED' || error.code === 'LOCKED_BY_OTHER_HOST' ? 'LOCKED' : 'UNREADABLE';
    return new DataDirectoryError(code, `data directory '${path}': ${error.message}`, {
      cause: error,
      details: error.details,
    });
  }
  for (const code of ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EIO', 'EISDIR', 'EFBIG']) {
    if (!isErrno(error, code)) continue;
    const why = (error as Error).message;
    return new DataDirectoryError('UNREADABLE', `data directory '${path}' cannot be used: ${why}`, { cause: error });
  }
  return error;
}

/** Told when the log goes on behind its repair. Until then a start that fails leaves what the next one must know. */
export async function forgetRepair(disk: Disk, path: string): Promise<void> {
  await disk.remove(`${path}/wal/${repairMarker}`);
  await disk.syncDirectory(`${path}/wal`);
}

/**
 * The other nodes have told that the log ends before what it acknowledged: its files were put back to an earlier state
 * in place, which no inode shows. The next start has a new instance id, and the others refuse it as they do a copy.
 */
export async function renewInstance(
  { path, identity }: Pick<DataDirectory, 'path' | 'identity'>,
  { disk, random }: Pick<DataDirectoryOptions, 'disk' | 'random'>,
): Promise<void> {
  await writeIdentity(disk, path, { ...identity, instanceId: newId(random) });
}

/** What `node.json` of a directory says. Rejects with `DataDirectoryError` where it is none, damaged or newer. */
export async function readIdentity(disk: Disk, path: string): Promise<NodeIdentity> {
  await refuseRemoved(disk, path);
  const bytes = await readWholeFile(disk, `${path}/node.json`, maxIdentityBytes);
  if (bytes === undefined)
    throw new DataDirectoryError('DAMAGED', `'${path}' has no node.json; name another directory`);
  return parseIdentity(bytes, path);
}

/** `wal/` as `node.json` records it. */
export async function recordedWal(disk: Disk, path: string): Promise<NodeIdentity['wal']> {
  const stat = await disk.stat(`${path}/wal`);
  if (stat?.kind !== 'directory') {
    throw new DataDirectoryError('DAMAGED', `data directory '${path}' has lost its wal/; restore it from a backup`);
  }
  return { inode: stat.inode, birthTimeMs: stat.birthTimeMs };
}

async function identify(
  options: DataDirectoryOptions,
): Promise<Pick<DataDirectory, 'identity' | 'renewed' | 'isLogRepaired'>> {
  const { disk, path } = options;
  await refuseRemoved(disk, path);
  const bytes = await readWholeFile(disk, `${path}/node.json`, maxIdentityBytes);
  if (bytes === undefined) return { identity: await create(options), renewed: undefined, isLogRepaired: false };
  const identity = parseIdentity(bytes, path);
  refuseOther(identity, options);
  const wal = await recordedWal(disk, path);
  const repaired = (await disk.stat(`${path}/wal/${repairMarker}`)) !== undefined;
  const copied = wal.inode !== identity.wal.inode || wal.birthTimeMs !== identity.wal.birthTimeMs;
  if (!copied && !repaired) return { identity, renewed: undefined, isLogRepaired: false };
  const renewed: NodeIdentity = { ...identity, instanceId: newId(options.random), wal };
  await writeIdentity(disk, path, renewed);
  return { identity: renewed, renewed: copied ? 'copied' : 'repaired', isLogRepaired: repaired };
}

/** What was recorded holds; a start that says otherwise is a mistake, and nothing of the directory's is used for it. */
function refuseOther(identity: NodeIdentity, options: DataDirectoryOptions): void {
  const { path, nodeId, engine, firstMembers, clusterToken } = options;
  if (nodeId !== undefined && identity.nodeId !== nodeId) {
    throw new DataDirectoryError(
      'OTHER_NODE',
      `data directory '${path}' belongs to node ${identity.nodeId}, started as node ${nodeId}`,
    );
  }
  if (identity.engine !== engine) {
    throw new DataDirectoryError(
      'OTHER_ENGINE',
      `data directory '${path}' was made with engine '${identity.engine}', started with '${engine}'; start with --engine ${identity.engine}, or in another directory`,
    );
  }
  if (firstMembers.length === 0 || clusterIdOf(firstMembers, clusterToken) === identity.clusterId) return;
  const isRestored = identity.restoredFrom !== undefined;
  if (isRestored && firstMembersText(firstMembers) === firstMembersText(identity.firstMembers)) return;
  const made =
    identity.firstMembers.length === 0
      ? 'was made by a node alone'
      : `belongs to the cluster that ${firstMembersText(identity.firstMembers)} made`;
  throw new DataDirectoryError(
    'OTHER_NODE',
    `data directory '${path}' ${made}, started with the initial cluster ${firstMembersText(firstMembers)} and the cluster token '${clusterToken}'; start without them, or in another directory`,
  );
}

async function create(options: DataDirectoryOptions): Promise<NodeIdentity> {
  const { disk, path, firstMembers, random, nowMs } = options;
  const nodeId = options.join === undefined ? ownNodeId(options) : 0;
  if (options.join === undefined) await refuseJoining(disk, path);
  for (const part of ['wal', 'groups', 'logs']) {
    const directory = `${path}/${part}`;
    await ensureDirectory(disk, directory);
    if ((await disk.list(directory)).length === 0) continue;
    throw new DataDirectoryError(
      'DAMAGED',
      `data directory '${path}' has no node.json but its ${part}/ is not empty; restore node.json or choose another directory`,
    );
  }
  const stat = await disk.stat(`${path}/wal`);
  if (options.join !== undefined) return createJoined(options, options.join, stat);
  const identity: NodeIdentity = {
    format: identityFormat(firstMembers, options.engine),
    clusterId: firstMembers.length > 0 ? clusterIdOf(firstMembers, options.clusterToken) : newId(random),
    nodeId,
    engine: options.engine,
    firstMembers,
    instanceId: newId(random),
    createdAtMs: nowMs,
    wal: { inode: stat?.inode ?? 0, birthTimeMs: stat?.birthTimeMs ?? 0 },
  };
  await writeIdentity(disk, path, identity);
  return identity;
}

async function createJoined(
  { disk, path, random, engine, nowMs }: DataDirectoryOptions,
  join: (instanceId: string) => Promise<JoinedCluster>,
  stat: DiskStat | undefined,
): Promise<NodeIdentity> {
  const instanceId = await joiningInstance(disk, path, () => newId(random));
  const { clusterId, nodeId, members } = await join(instanceId);
  const identity: NodeIdentity = {
    format: 4,
    clusterId,
    nodeId,
    engine,
    firstMembers: [],
    joined: { members },
    instanceId,
    createdAtMs: nowMs,
    wal: { inode: stat?.inode ?? 0, birthTimeMs: stat?.birthTimeMs ?? 0 },
  };
  await writeIdentity(disk, path, identity);
  await forgetJoining(disk, path);
  return identity;
}

/** The oldest format that says it all. */
export function identityFormat(firstMembers: readonly FirstMember[], engine: EngineName): number {
  return firstMembers.length > 0 ? 3 : engine === 'bitcask' ? 1 : 2;
}

/** The id of a node whose directory says nothing yet. */
function ownNodeId({ nodeId, firstMembers, path }: DataDirectoryOptions): number {
  if (firstMembers.length === 0) return nodeId ?? 1;
  const ids = firstMembers.map((member) => member.nodeId);
  if (nodeId !== undefined && ids.includes(nodeId)) return nodeId;
  throw new DataDirectoryError(
    'OTHER_NODE',
    `data directory '${path}' is new, and the initial cluster names the nodes ${ids.join(', ')}: say which of them this is with --node-id`,
  );
}

function parseIdentity(bytes: Uint8Array, path: string): NodeIdentity {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(bytes).toString());
  } catch (error) {
    throw new DataDirectoryError('DAMAGED', `'${path}/node.json' is no JSON; restore it from a backup`, {
      cause: error,
    });
  }
  if (typeof parsed !== 'object' || parsed === null) throw incomplete(path);
  const { format } = parsed as { format?: unknown };
  if (typeof format === 'number' && format > dataDirectoryFormat) {
    throw new DataDirectoryError(
      'UNSUPPORTED_FORMAT',
      `data directory '${path}' has format ${format}, this version knows up to ${dataDirectoryFormat}; use a newer version`,
    );
  }
  const identity: Partial<NodeIdentity> = {
    ...(parsed as object),
    ...(format === 1 ? { engine: 'bitcask' } : {}),
    ...(format === 3 ? {} : { firstMembers: [] }),
  };
  const complete =
    (format === 1 || format === 2 || format === 3 || format === 4) &&
    engineNames.some((name) => name === identity.engine) &&
    typeof identity.clusterId === 'string' &&
    typeof identity.instanceId === 'string' &&
    Number.isSafeInteger(identity.nodeId) &&
    typeof identity.wal?.inode === 'number' &&
    typeof identity.wal.birthTimeMs === 'number';
  if (!complete || !areMembers(identity) || !hasJoined(identity)) {
    throw incomplete(path);
  }
  return identity as NodeIdentity;
}

function incomplete(path: string): DataDirectoryError {
  return new DataDirectoryError('DAMAGED', `'${path}/node.json' is incomplete; restore it from a backup`);
}

function areMembers({ format, firstMembers }: Partial<NodeIdentity>): boolean {
  if (format !== 3) return true;
  if (!Array.isArray(firstMembers) || firstMembers.length === 0) return false;
  try {
    checkFirstMembers(firstMembers);
    return true;
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return false;
    throw error;
  }
}

function hasJoined({ format, joined }: Partial<NodeIdentity>): boolean {
  if (format !== 4) return true;
  const isMember = (one: Partial<MemberAddress> | null) =>
    Number.isSafeInteger(one?.nodeId) && typeof one?.peerAddress === 'string' && typeof one.grpcAddress === 'string';
  return Array.isArray(joined?.members) && joined.members.every(isMember);
}

/** Writes a directory's `node.json`, durably. */
export function writeIdentity(disk: Disk, path: string, identity: NodeIdentity): Promise<void> {
  const { engine, firstMembers, joined, ...rest } = identity;
  const written = {
    ...rest,
    ...(identity.format === 1 ? {} : { engine }),
    ...(identity.format === 3 ? { firstMembers } : {}),
    ...(joined === undefined ? {} : { joined }),
  };
  return replaceFile(disk, `${path}/node.json`, Buffer.from(`${JSON.stringify(written, undefined, 2)}\n`));
}

/** 128 random bits in hexadecimal. */
export function newId(random: Random): string {
  return Buffer.from(random.bytes(16)).toString('hex');
}

/** The error, or the one behind it, that says that the disk is full. */
function fullDisk(error: unknown): Error | undefined {
  const codes = ['ENOSPC', 'EDQUOT', 'DISK_FULL', 'LOG_FULL'];
  for (let at = error; at instanceof Error; at = at.cause) {
    const one = at;
    if (codes.some((code) => isErrno(one, code))) return one;
  }
  return undefined;
}
