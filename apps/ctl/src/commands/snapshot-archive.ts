/** snapshot archive: the log behind a backup, once or for as long as one likes. */
import { resolve } from 'node:path';
import { delay, nodeClock } from '@shanghai/env';
import type { BackupTools } from '../backup-tools.js';
import type { Action, CommandContext } from '../command-host.js';
import { codeOf } from '../exit-codes.js';
import { integer, text } from '../flag-values.js';
import { startProgress } from '../output/progress.js';
import { formatCount } from '../output/quantities.js';

/** What a node that restarts, or a cluster without a leader, answers for a while. */
const passing: ReadonlySet<string> = new Set(['SERVICE_UNAVAILABLE', 'CLUSTER_ERROR', 'DEADLINE_EXCEEDED']);

/** `snapshot archive <directory>` */
export const archiveGroups: Action = async (context, values, flags) => {
  const directory = resolve(values[0] as string);
  const after = text(flags, 'after');
  const intervalMs = integer(flags, 'intervalMs', 1000, 10);
  const tools = await context.host.backupTools();
  const manifest = after === undefined ? undefined : await tools.manifest(resolve(after));
  const connection = await context.connect();
  const { clusterId, groups } = await connection.status();
  const writer = await tools.openArchive(directory, clusterId);
  const progress = await startProgress(context.terminal, context.settings, { label: 'archive', unit: 'records' });
  const total = { entries: 0 };
  // Names come after what is written under them: the system group is read last.
  const order = groups.map(({ groupId }) => groupId).sort((a, b) => b - a);
  const pass = async () => {
    const done = await tools.archive({
      writer,
      clusterId,
      groups: order,
      source: (groupId, fromIndex) => connection.backup.groupLog(groupId, { fromIndex, signal: context.signal }),
      signal: context.signal,
      onProgress: (entries) => progress.update(total.entries + entries),
      ...(manifest === undefined ? {} : { after: manifest }),
    });
    total.entries += done.reduce((sum, { entries }) => sum + entries, 0);
    return done;
  };
  try {
    const archived = flags['follow'] === true ? await follow(context, pass, intervalMs) : await pass();
    if (archived === undefined) return;
    await context.print.document({ directory, clusterId, groups: archived }, [
      ...archived.map(
        ({ groupId, entries, lastIndex }) =>
          [`Group ${groupId}`, `${formatCount(entries)} entries, up to ${lastIndex}`] as const,
      ),
    ]);
  } finally {
    progress.stop();
    await writer.close();
  }
};

type Pass = () => ReturnType<BackupTools['archive']>;

async function follow(context: CommandContext, pass: Pass, intervalMs: number): Promise<undefined> {
  let isDown = false;
  while (!context.signal.aborted) {
    try {
      await pass();
      if (isDown) context.print.note('the cluster answers again');
      isDown = false;
    } catch (error) {
      if (context.signal.aborted) return undefined;
      if (!passing.has(codeOf(error))) throw error;
      if (!isDown) context.print.note(`waiting: ${(error as Error).message}`);
      isDown = true;
    }
    await delay(nodeClock(), intervalMs, context.signal).catch(() => undefined);
  }
  return undefined;
}
