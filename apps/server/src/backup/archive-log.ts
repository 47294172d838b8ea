/** One pass of archiving: what a node has committed of each group behind what the archive holds. */
import { CodedError } from '@shanghai/env';
import type { ArchiveWriter } from './archive-writer.js';
import { BackupError } from './backup-error.js';
import type { BackupManifest } from './backup-manifest.js';
import type { GroupLogPage } from './backup-parts.js';

/** Where entries come from. */
export type LogSource = (groupId: number, fromIndex: number) => AsyncIterable<GroupLogPage>;

/** What a pass does. */
export interface ArchivePass {
  readonly writer: ArchiveWriter;
  readonly source: LogSource;
  readonly clusterId: string;
  /** In the order in which they are read: the system group last. */
  readonly groups: readonly number[];
  /** Where the archive begins, or goes on where entries were given up: behind this backup. */
  readonly after?: BackupManifest;
  readonly signal?: AbortSignal;
  readonly onProgress?: (entries: number, bytes: number) => void;
}

/** Where the archive of a group stands now. */
export interface ArchivedGroup {
  readonly groupId: number;
  /** How many came in this pass. */
  readonly entries: number;
  readonly lastIndex: number;
}

/** Fetches what there is, and resolves when it is durable. Rejects with `OUT_OF_RANGE` where entries in between were given up. */
export async function archiveLog(pass: ArchivePass): Promise<readonly ArchivedGroup[]> {
  const done: ArchivedGroup[] = [];
  const sum = { entries: 0, bytes: 0 };
  for (const groupId of pass.groups) done.push(await archiveGroup(pass, groupId, sum));
  await pass.writer.sync();
  return done;
}

async function archiveGroup(
  pass: ArchivePass,
  groupId: number,
  sum: { entries: number; bytes: number },
): Promise<ArchivedGroup> {
  const { writer, after } = pass;
  const held = await writer.nextIndex(groupId);
  const behindBackup = after?.groups.find((group) => group.groupId === groupId)?.appliedIndex;
  const wanted = held ?? (behindBackup === undefined ? 1 : behindBackup + 1);
  try {
    return await fetchFrom(pass, groupId, wanted, sum);
  } catch (error) {
    const firstIndex = firstKept(error);
    if (firstIndex === undefined || firstIndex <= wanted) throw error;
    if (held === undefined && behindBackup === undefined) return fetchFrom(pass, groupId, firstIndex, sum);
    if (behindBackup !== undefined && behindBackup + 1 >= firstIndex && behindBackup + 1 > wanted) {
      return fetchFrom(pass, groupId, behindBackup + 1, sum);
    }
    throw new BackupError(
      'OUT_OF_RANGE',
      `the node gave up the entries ${wanted} to ${firstIndex - 1} of group ${groupId}, and the archive would have a gap; ` +
        'save a new backup and go on with --after <that backup>',
      { cause: error, details: { groupId, wanted, firstIndex } },
    );
  }
}

async function fetchFrom(
  { writer, source, clusterId, signal, onProgress }: ArchivePass,
  groupId: number,
  fromIndex: number,
  sum: { entries: number; bytes: number },
): Promise<ArchivedGroup> {
  let next = fromIndex;
  for await (const page of source(groupId, fromIndex)) {
    signal?.throwIfAborted();
    if (page.clusterId !== clusterId) {
      throw new BackupError('INVALID_REQUEST', `a node of cluster ${page.clusterId} answers, expected ${clusterId}`);
    }
    if (page.entries.some(({ index }, i) => index !== next + i)) {
      throw new BackupError('DATA_CORRUPTED', `the node sent other entries of group ${groupId} than ${next} on`);
    }
    if (next === fromIndex) await writer.beginAt(groupId, fromIndex);
    await writer.append(groupId, page.entries);
    next += page.entries.length;
    sum.entries += page.entries.length;
    sum.bytes += page.entries.reduce((bytes, { data }) => bytes + data.length, 0);
    onProgress?.(sum.entries, sum.bytes);
  }
  return { groupId, entries: next - fromIndex, lastIndex: next - 1 };
}

/** The first entry that a node keeps, as its refusal says. */
function firstKept(error: unknown): number | undefined {
  if (!(error instanceof CodedError) || error.code !== 'OUT_OF_RANGE') return undefined;
  const { firstIndex } = error.details as { readonly firstIndex?: unknown };
  return typeof firstIndex === 'number' ? firstIndex : undefined;
}
