/** snapshot verify, list, restore: on directories, without a node. */
import { resolve } from 'node:path';
import type { ArchiveReport } from '../backup-tools.js';
import type { Action, CommandContext, Flags } from '../command-host.js';
import { CtlError, usageError } from '../ctl-error.js';
import { optionalInteger, text, time } from '../flag-values.js';
import { startProgress } from '../output/progress.js';
import { formatBytes, formatCount, formatTime } from '../output/quantities.js';
import { shellWord } from '../output/shell-word.js';
import { checkDirectory, withOfflineProgress } from './offline-run.js';
import { cutText, groupTitle } from './snapshot-groups.js';

/** `snapshot verify <directory>` */
export const verifySnapshot: Action = async (context, values) => {
  const directory = resolve(checkDirectory(values[0] as string));
  const tools = await context.host.backupTools();
  const archive = await tools.verifyArchive(directory, context.signal);
  if (archive !== undefined) return showArchive(context, directory, archive);
  const report = await withOfflineProgress(context, 'verify', 'bytes', (options) => tools.verify(directory, options));
  const { manifest, files, bytes, findings } = report;
  const isNone = findings.some(({ code }) => code === 'NO_MANIFEST');
  const { backupId, clusterId, timeMs } = manifest ?? {};
  await context.print.document(
    { ok: findings.length === 0, directory, backupId, clusterId, timeMs, files, bytes, findings },
    [
      ...(manifest === undefined
        ? []
        : [['Backup', `${manifest.backupId} of ${formatTime(manifest.timeMs)}`] as const]),
      ...(manifest?.groups ?? [])
        .filter(({ completeToMs }) => completeToMs !== undefined)
        .map((group) => [groupTitle(group.groupId), cutText(group)] as const),
      ['Read', `${formatCount(files)} files, ${formatBytes(bytes)}`],
      ...(findings.length === 0
        ? [['Findings', 'none'] as const]
        : findings.map(({ code, file, what }) => [code, `${file}: ${what}`] as const)),
    ],
  );
  if (findings.length === 0) return;
  const isNewer = findings.some(({ code }) => code === 'UNSUPPORTED_FORMAT');
  const message = `'${directory}' is not the backup that was saved: ${findings[0]?.file}: ${findings[0]?.what}`;
  throw new CtlError(isNone ? 'NOT_FOUND' : isNewer ? 'UNSUPPORTED' : 'DATA_CORRUPTED', message, {
    details: { findings },
  });
};

async function showArchive(context: CommandContext, directory: string, report: ArchiveReport): Promise<void> {
  const { clusterId, runs, findings } = report;
  await context.print.document({ ok: findings.length === 0, directory, ...report }, [
    ['Archive', `of cluster ${clusterId}`],
    ...runs.map(
      ({ groupId, firstIndex, lastIndex, lastTimeMs }) =>
        [`Group ${groupId}`, `entries ${firstIndex} to ${lastIndex}, the last of ${formatTime(lastTimeMs)}`] as const,
    ),
    ['Findings', findings.length === 0 ? 'none' : findings.map(({ what }) => what).join('; ')],
  ]);
  const [first] = findings;
  if (first !== undefined) throw new CtlError('DATA_CORRUPTED', first.what, { details: { findings } });
}

/** `snapshot list <directory>` */
export const listSnapshots: Action = async (context, values) => {
  const directory = resolve(checkDirectory(values[0] as string));
  const tools = await context.host.backupTools();
  const rows = (await tools.list(directory)).map(({ name, manifest, bytes, problem }) => ({
    name,
    timeMs: manifest?.timeMs ?? 0,
    clusterId: manifest?.clusterId ?? '',
    dataIndex: manifest?.groups.find(({ groupId }) => groupId !== 0)?.appliedIndex ?? 0,
    bytes,
    ...(problem === undefined ? {} : { problem }),
  }));
  const list = context.print.list<(typeof rows)[number]>(
    [
      { title: 'NAME', text: (row) => row.name },
      { title: 'TIME', text: (row) => formatTime(row.timeMs) },
      { title: 'CLUSTER', text: (row) => row.clusterId.slice(0, 8) || '-' },
      { title: 'ENTRY', text: (row) => (row.dataIndex === 0 ? '-' : String(row.dataIndex)), align: 'right' },
      { title: 'SIZE', text: (row) => (row.bytes === 0 ? '-' : formatBytes(row.bytes)), align: 'right' },
      { title: 'STATE', text: (row) => row.problem ?? 'whole' },
    ],
    (row) => row,
  );
  for (const row of rows) await list.row(row);
  await list.end();
};

/** `snapshot restore <directory>` */
export const restoreSnapshot: Action = async (context, values, flags) => {
  const backup = resolve(checkDirectory(values[0] as string));
  const dataDirectory = resolve(text(flags, 'dataDir') ?? '');
  const nodeId = optionalInteger(flags, 'nodeId', 1, 2 ** 32 - 1);
  const archive = text(flags, 'archive');
  const until = untilOf(flags);
  if (archive === undefined && until !== undefined) throw usageError('--until needs an --archive to go on with');
  const members = text(flags, 'initialCluster') ?? '';
  const tools = await context.host.backupTools();
  const progress = await startProgress(context.terminal, context.settings, {
    label: 'restore',
    unit: 'bytes',
    total: 0,
  });
  const report = await tools
    .restore({
      backup,
      dataDirectory,
      members,
      clusterToken: text(flags, 'clusterToken') ?? 'shanghai',
      checksums: flags['checksum'] === true,
      signal: context.signal,
      onProgress: (done, total, what) => progress.update(done, what, total),
      ...(nodeId === undefined ? {} : { nodeId }),
      ...(archive === undefined ? {} : { archive: { directory: resolve(archive), until: until ?? {} } }),
    })
    .finally(() => progress.stop());
  await context.print.document({ dataDirectory, ...report }, [
    ['Cluster', `${report.clusterId} (from ${report.fromClusterId})`],
    ['Node', `${report.nodeId} in ${dataDirectory}`],
    ...report.groups.map(({ groupId, index, logTimeMs, checksum }) => {
      const sum = checksum === undefined ? '' : `, checksum ${checksum.slice(0, 16)}`;
      return [groupTitle(groupId), `up to entry ${index}, log time ${formatTime(logTimeMs)}${sum}`] as const;
    }),
    ...report.recovered.map((name) => ['Recovered', name] as const),
  ]);
  context.print.note(`start it with: shanghai --data-dir ${shellWord(dataDirectory)}`);
};

/** Digits are an entry, anything else a time. */
function untilOf(flags: Flags): { readonly index: number } | { readonly timeMs: number } | undefined {
  const given = text(flags, 'until');
  if (given === undefined) return undefined;
  if (/^\d+$/.test(given)) return { index: optionalInteger(flags, 'until', 1) as number };
  return { timeMs: time(flags, 'until') as number };
}
