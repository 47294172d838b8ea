/** What a data directory holds beside `node.json` while its node comes and when it has gone. */
import { type Disk, readWholeFile, replaceFile } from '@shanghai/env';
import { DataDirectoryError } from '../data-directory-error.js';

const joiningFile = 'joining.json';
const removedFile = 'removed.json';
const maxBytes = 4096;

/**
 * The instance id under which a new node asks to join, durable before it asks for the first time: however often it is
 * stopped in the middle, it asks as the same one and gets the same node id.
 */
export async function joiningInstance(disk: Disk, path: string, makeId: () => string): Promise<string> {
  const known = await readJson(disk, `${path}/${joiningFile}`);
  if (typeof known?.['instanceId'] === 'string') return known['instanceId'];
  const instanceId = makeId();
  await writeJson(disk, `${path}/${joiningFile}`, { instanceId });
  return instanceId;
}

/** Throws `DataDirectoryError` `OTHER_NODE` where `joiningInstance` was called and nothing came of it yet. */
export async function refuseJoining(disk: Disk, path: string): Promise<void> {
  if ((await disk.stat(`${path}/${joiningFile}`)) === undefined) return;
  throw new DataDirectoryError(
    'OTHER_NODE',
    `data directory '${path}' is that of a node that was joining a cluster; start it with --join again, or in another directory`,
  );
}

/** `node.json` says it all from here on. */
export async function forgetJoining(disk: Disk, path: string): Promise<void> {
  await disk.remove(`${path}/${joiningFile}`).catch(() => undefined);
}

/** The cluster has told that this node was taken out: every later start is refused with the same words. */
export async function markRemoved(disk: Disk, path: string, nodeId: number): Promise<void> {
  await writeJson(disk, `${path}/${removedFile}`, { nodeId });
}

/** Throws `DataDirectoryError` `REMOVED` where `markRemoved` was called. */
export async function refuseRemoved(disk: Disk, path: string): Promise<void> {
  const marked = await readJson(disk, `${path}/${removedFile}`);
  if (marked !== undefined) throw removedError(path, Number(marked['nodeId']));
}

/** What somebody is told whose node was taken out. */
export function removedError(path: string, nodeId: number): DataDirectoryError {
  return new DataDirectoryError(
    'REMOVED',
    `node ${nodeId} was taken out of its cluster and its id is not given again; what is in '${path}' is kept and not ` +
      'used. To come back, start in an empty directory with --join, without --node-id',
  );
}

async function readJson(disk: Disk, path: string): Promise<Record<string, unknown> | undefined> {
  const bytes = await readWholeFile(disk, path, maxBytes);
  if (bytes === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString());
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch (error) {
    throw new DataDirectoryError('DAMAGED', `'${path}' is no JSON; move it away and start again`, { cause: error });
  }
}

function writeJson(disk: Disk, path: string, value: object): Promise<void> {
  return replaceFile(disk, path, Buffer.from(`${JSON.stringify(value)}\n`));
}
