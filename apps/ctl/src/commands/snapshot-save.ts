/** snapshot save: from a node into a directory. */
import { basename, dirname, resolve } from 'node:path';
import type { Action, CommandContext } from '../command-host.js';
import { CtlError } from '../ctl-error.js';
import { oneOf, optionalInteger } from '../flag-values.js';
import { startProgress } from '../output/progress.js';
import { formatBytes, formatCount, formatDuration, formatTime } from '../output/quantities.js';
import { withOfflineProgress } from './offline-run.js';
import { cutText, groupTitle } from './snapshot-groups.js';

/** `snapshot save <directory>` */
export const saveSnapshot: Action = async (context, values, flags) => {
  const directory = resolve(values[0] as string);
  const kept = optionalInteger(flags, 'keep', 1);
  const stale = oneOf(flags, 'consistency', ['linearizable', 'stale']) === 'stale';
  const startedMs = performance.now();
  const manifest = await save(context, directory, stale);
  const files = manifest.groups.flatMap((group) => group.files);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const removed = await keepOnly(context, directory, manifest.clusterId, kept);
  const durationMs = Math.round(performance.now() - startedMs);
  const { groups, ...head } = manifest;
  const cuts = groups.map(({ files: own, ...cut }) => ({ ...cut, files: own.length }));
  await context.print.document({ directory, ...head, groups: cuts, files: files.length, bytes, removed, durationMs }, [
    ['Backup', `${manifest.backupId} in ${directory}`],
    ['Cluster', `${manifest.clusterId}, from node ${manifest.nodeId}`],
    ['Time', formatTime(manifest.timeMs)],
    ...groups.map((group) => [groupTitle(group.groupId), cutText(group)] as const),
    ['Saved', `${formatCount(files.length)} files, ${formatBytes(bytes)} in ${formatDuration(durationMs)}`],
    ...removed.map((name) => ['Removed', name] as const),
  ]);
};

async function save(context: CommandContext, directory: string, stale: boolean) {
  const tools = await context.host.backupTools();
  const connection = await context.connect();
  const progress = await startProgress(context.terminal, context.settings, { label: 'save', unit: 'bytes', total: 0 });
  try {
    return await tools.save(connection.backup.snapshot({ stale, signal: context.signal }), {
      directory,
      onProgress: (done, total, what) => progress.update(done, what, total),
    });
  } finally {
    progress.stop();
  }
}

/** Older ones go only when the new one was read back from the disk, every byte of it. */
async function keepOnly(
  context: CommandContext,
  directory: string,
  clusterId: string,
  kept: number | undefined,
): Promise<readonly string[]> {
  if (kept === undefined) return [];
  const tools = await context.host.backupTools();
  const { findings } = await withOfflineProgress(context, 'verify', 'bytes', (options) =>
    tools.verify(directory, options),
  );
  const [first] = findings;
  if (first !== undefined) {
    throw new CtlError(
      'DATA_CORRUPTED',
      `the new backup cannot be read back (${first.file}: ${first.what}); no other was removed`,
    );
  }
  return tools.prune(dirname(directory), { clusterId, newest: basename(directory), kept });
}
