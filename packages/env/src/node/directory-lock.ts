/**
 * The directory lock of real disks: a Unix socket in the directory, held by listening on it.
 *
 * Why a socket. Node has no flock. A file with a process id needs somebody to judge whether that process still lives,
 * which goes wrong when ids are used again or seen from another container. A listening socket needs no judge: the
 * kernel accepts connections as long as the holder lives and refuses them the moment it dies, and it does so for every
 * container of the host that sees the directory.
 *
 * Taking it. A socket's file stays behind when its holder dies, and removing it by name is a race: between finding it
 * dead and removing it, somebody else may have put a live one there. So no name is used twice. A contender
 *   1. listens on `lock-<id>.new`, with an id of 64 random bits, and renames that to `lock-<id>.sock`;
 *   2. then lists the directory and connects to every other `lock-*.sock`. If none listens it has won.
 * Two contenders cannot both win, because each looks after it can be seen: whoever looked later saw the other (the
 * argument of Dekker's algorithm). And since only listening sockets are ever called `.sock`, one that refuses is dead
 * for good, and anybody may remove it. Where two are seen by each other, the one with the higher id withdraws and comes
 * again, the lower one waits for that: exactly one wins. A winner writes its id into `lock.json`, by which the others
 * know that there is nothing to wait for.
 *
 * Other hosts. A socket on a shared file system refuses everybody of another host. There `lock.json` decides: left by
 * another host, it holds until `breakLock`. Two hosts that start at the same moment are not kept apart.
 */

import { randomBytes } from 'node:crypto';
import { readdir, rename, unlink, writeFile } from 'node:fs/promises';
import type net from 'node:net';
import { join } from 'node:path';
import { isErrno } from '../coded-error.js';
import { type DirectoryLock, type DirectoryLockOptions, LockError } from '../directory-lock.js';
import {
  describeHolder,
  isOfOtherHost,
  type LockRecord,
  lockRecordName,
  ownLockRecord,
  readLockRecord,
} from './lock-record.js';
import { closeServer, isListening, listenAt, SocketDirectory } from './lock-socket.js';

/** How long a contender waits for others that hold nothing yet. They take milliseconds, unless they are stopped. */
const contentionLimitMs = 5_000;

const unsupportedCodes = ['EROFS', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENAMETOOLONG', 'ENOSYS'];

/** A socket that others can see. */
interface Claim {
  readonly id: string;
  readonly server: net.Server;
}

/** Locks a directory against every other holder of this host. `limitMs` bounds the wait for undecided contenders. */
export async function lockDirectory(
  directory: string,
  options: DirectoryLockOptions = {},
  limitMs: number = contentionLimitMs,
): Promise<DirectoryLock> {
  let sockets: SocketDirectory;
  try {
    sockets = new SocketDirectory(directory);
  } catch (error) {
    throw refused(directory, error);
  }
  try {
    const claim = await contend(sockets, performance.now() + limitMs);
    await takeRecord(sockets, claim, options);
    return heldLock(sockets, claim);
  } catch (error) {
    sockets.close();
    throw error instanceof LockError ? error : refused(directory, error);
  }
}

/** Steps 1 and 2, until we have won or somebody holds the lock. */
async function contend(sockets: SocketDirectory, deadlineMs: number): Promise<Claim> {
  let claim: Claim | undefined;
  try {
    for (;;) {
      claim ??= await raise(sockets);
      const rivals = await findRivals(sockets, claim?.id);
      if (rivals.length === 0 && claim !== undefined) return claim;
      const record = await readLockRecord(sockets.path);
      if (record !== undefined && rivals.includes(record.id)) throw lockedBy(sockets.path, record);
      if (performance.now() > deadlineMs) throw lockedBy(sockets.path, undefined);
      const ownId = claim?.id;
      if (claim !== undefined && rivals.some((id) => id < (ownId as string))) {
        await lower(sockets, claim);
        claim = undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, 2 + Math.random() * 10));
    }
  } catch (error) {
    if (claim !== undefined) await lower(sockets, claim);
    throw error;
  }
}

/**
 * Listens, and only then lets itself be seen. `undefined` where another contender took the socket for a dead one and
 * removed it before it listened or had its name: come again.
 */
async function raise(sockets: SocketDirectory): Promise<Claim | undefined> {
  const id = randomBytes(8).toString('hex');
  let server: net.Server | undefined;
  try {
    server = await listenAt(sockets.address(unfinishedName(id)));
    await rename(join(sockets.path, unfinishedName(id)), join(sockets.path, socketName(id)));
    return { id, server };
  } catch (error) {
    if (server !== undefined) await closeServer(server);
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function lower(sockets: SocketDirectory, { id, server }: Claim): Promise<void> {
  await removeQuietly(join(sockets.path, socketName(id)));
  await closeServer(server);
}

/** The ids of the other sockets that listen. The dead ones, of holders that were killed, are removed on the way. */
async function findRivals(sockets: SocketDirectory, ownId: string | undefined): Promise<string[]> {
  const rivals: string[] = [];
  for (const name of await readdir(sockets.path)) {
    const [, id, kind] = /^lock-([0-9a-f]{16})\.(sock|new)$/.exec(name) ?? [];
    if (id === undefined || id === ownId) continue;
    if (!(await isListening(sockets.address(name)))) await removeQuietly(join(sockets.path, name));
    else if (kind === 'sock') rivals.push(id);
  }
  return rivals;
}

/** Leaves our record, unless one of another host stands there. Only a winner comes here, so only one at a time. */
async function takeRecord(sockets: SocketDirectory, claim: Claim, options: DirectoryLockOptions): Promise<void> {
  const path = join(sockets.path, lockRecordName);
  const temporary = `${path}.tmp`;
  try {
    const own = await ownLockRecord(claim.id, options.description ?? 'unnamed');
    const standing = await readLockRecord(sockets.path);
    if (standing !== undefined && isOfOtherHost(standing, own) && !options.breakLock) {
      throw lockedByOtherHost(sockets.path, standing);
    }
    // Synced before it gets its name: a torn record after a power failure would hide the holder from other hosts.
    await writeFile(temporary, `${JSON.stringify(own)}\n`, { flush: true });
    await rename(temporary, path);
  } catch (error) {
    await removeQuietly(temporary);
    await lower(sockets, claim);
    throw error;
  }
}

function heldLock(sockets: SocketDirectory, claim: Claim): DirectoryLock {
  let releasing: Promise<void> | undefined;
  const release = async () => {
    // The record first: as long as we listen nobody else can have replaced it by their own.
    await removeQuietly(join(sockets.path, lockRecordName));
    await lower(sockets, claim);
    sockets.close();
  };
  return {
    directory: sockets.path,
    release: () => {
      releasing ??= release();
      return releasing;
    },
  };
}

function socketName(id: string): string {
  return `lock-${id}.sock`;
}

function unfinishedName(id: string): string {
  return `lock-${id}.new`;
}

/** Removal of a name that others may remove too, or that may stay behind without harm. */
async function removeQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => undefined);
}

function lockedBy(directory: string, record: LockRecord | undefined): LockError {
  const holder = record === undefined ? 'another process that is starting' : describeHolder(record);
  const message = `directory '${directory}' is locked by ${holder}; stop that process, or use another directory`;
  return new LockError('LOCKED', message, { details: { directory, ...record } });
}

function lockedByOtherHost(directory: string, record: LockRecord): LockError {
  const message =
    `directory '${directory}' was locked by ${describeHolder(record)}, and from here it cannot be seen whether that ` +
    'process still runs; make sure that it does not, then break the lock (breakLock)';
  return new LockError('LOCKED_BY_OTHER_HOST', message, { details: { directory, ...record } });
}

function refused(directory: string, cause: unknown): LockError {
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  if (code !== undefined && unsupportedCodes.includes(code)) {
    const message =
      `cannot lock directory '${directory}': its file system is read-only or holds no Unix sockets (${code}); ` +
      'put the directory on a local file system that can be written';
    return new LockError('LOCK_UNSUPPORTED', message, { cause, details: { directory, errno: code } });
  }
  const message = `cannot lock directory '${directory}' (${code ?? String(cause)}); make sure it exists and can be written`;
  return new LockError('LOCK_FAILED', message, { cause, details: { directory, errno: code } });
}
