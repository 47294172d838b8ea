import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isErrno } from '../coded-error.js';

/** `lock.json`: who holds a directory, for messages and for other hosts. The lock itself is the socket. */
export interface LockRecord {
  /** The holder's socket is `lock-<id>.sock`. */
  readonly id: string;
  readonly pid: number;
  /** When the holder's process started, milliseconds since 1970. */
  readonly startedMs: number;
  /** Names one start of one kernel; `''` where it cannot be told. Containers of a host share it. */
  readonly bootId: string;
  readonly host: string;
  readonly description: string;
}

/** Its name in the locked directory. */
export const lockRecordName = 'lock.json';

/** The record this process would leave. */
export async function ownLockRecord(id: string, description: string): Promise<LockRecord> {
  const startedMs = Math.round(Date.now() - process.uptime() * 1000);
  return { id, pid: process.pid, startedMs, bootId: await readBootId(), host: hostname(), description };
}

/** The record in a directory; `undefined` where there is none that can be understood. */
export async function readLockRecord(directory: string): Promise<LockRecord | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, lockRecordName), 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  return parseLockRecord(text);
}

/**
 * Whether the holder of `record` may run on a kernel other than ours, where its socket tells us nothing. The same boot
 * id means the same kernel (a container, or we ourselves); another one under the same host name means that this
 * host was started again since, and the holder is gone.
 */
export function isOfOtherHost(record: LockRecord, own: LockRecord): boolean {
  if (record.bootId !== '' && record.bootId === own.bootId) return false;
  return record.host !== own.host;
}

/** `'shanghai server' (pid 17 on host alpha)`. */
export function describeHolder({ description, pid, host }: LockRecord): string {
  return `'${description}' (pid ${pid} on host ${host})`;
}

function parseLockRecord(text: string): LockRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, pid, startedMs, bootId, host, description } = value as Partial<Record<keyof LockRecord, unknown>>;
  if (typeof id !== 'string' || typeof bootId !== 'string' || typeof host !== 'string') return undefined;
  if (typeof pid !== 'number' || typeof startedMs !== 'number' || typeof description !== 'string') return undefined;
  return { id, pid, startedMs, bootId, host, description };
}

async function readBootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  } catch {
    return '';
  }
}
