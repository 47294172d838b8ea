/** status: how a node and its cluster are, once or until somebody has seen enough. */
import type { Command } from 'commander';
import { type CommandContext, type Host, runWith } from '../command-host.js';
import type { GroupState, NodeStatus } from '../connection.js';
import { CtlError } from '../ctl-error.js';
import { codeOf } from '../exit-codes.js';
import { integer } from '../flag-values.js';
import { storeDurabilityText } from '../output/durability.js';
import { numberFields } from '../output/number-fields.js';
import type { Field } from '../output/printer.js';
import { formatDuration } from '../output/quantities.js';
import { help, remoteExits } from './command-help.js';

/** Adds `status`. */
export function addStatusCommand(program: Command, host: Host): void {
  const status = program
    .command('status')
    .description('show the state of the node and its cluster; the exit code says how the cluster is')
    .option('--watch', 'a line whenever the state or the reasons for it change, until Ctrl-C')
    .option('--until-healthy', 'as --watch, and ends when the cluster is healthy')
    .option('--interval-ms <ms>', 'with these: between looks (default 1000)');
  help(
    runWith(status, host, async (context, _values, flags) => {
      const untilHealthy = flags['untilHealthy'] === true;
      if (flags['watch'] !== true && !untilHealthy) return showStatus(context);
      await watchStatus(context, integer(flags, 'intervalMs', 1000, 10), untilHealthy);
    }),
    ['shanghaictl status', 'shanghaictl status --until-healthy --quiet', 'shanghaictl status --output json'],
    [...remoteExits, '21 cluster degraded', '22 cluster unavailable'],
  );
}

async function showStatus(context: CommandContext): Promise<void> {
  const status = await (await context.connect()).status();
  await context.print.document(status, statusFields(status));
  const worst = status.reasons.filter(({ state }) => state === status.state);
  const why = worst.map(({ text }) => text).join('; ');
  if (status.state === 'degraded') throw new CtlError('CLUSTER_DEGRADED', `the cluster is degraded: ${why}`);
  if (status.state === 'unavailable') throw new CtlError('CLUSTER_UNAVAILABLE', `the cluster is unavailable: ${why}`);
}

async function watchStatus(context: CommandContext, intervalMs: number, untilHealthy: boolean): Promise<void> {
  const connection = await context.connect();
  let shown = '';
  while (!context.signal.aborted) {
    const seen = await connection.status().then(
      ({ state, reasons }) => ({ state, reasons: reasons.map(({ text }) => text) }),
      // A node that is away comes back; that is what is watched for.
      (error: unknown) => ({ state: 'unreachable', reasons: [`${messageOf(error)} (${codeOf(error)})`] }),
    );
    const { state, reasons } = seen;
    const text = JSON.stringify(seen);
    if (text !== shown && !context.signal.aborted) {
      const time = new Date().toISOString();
      await context.print.stream({ time, ...seen }, `${time}  ${[state, ...reasons].join('  ')}`);
    }
    shown = text;
    if (untilHealthy && state === 'healthy') return;
    await pause(intervalMs, context.signal);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end, { once: true });
  });
}

function statusFields(status: NodeStatus): Field[] {
  const indent = '  ';
  const fields: Field[] = [
    ['State', status.state],
    ...status.reasons.map(({ text }): Field => [`${indent}because`, text]),
    ['Version', status.version],
    ['Cluster', status.clusterId],
    ['Cluster version', status.clusterVersionName || '-'],
    ['Node', `${status.node.name || 'unnamed'} (id ${status.node.nodeId})`],
    ['Instance', status.node.instanceId],
    ['gRPC', status.node.grpcAddress || '-'],
    ['HTTP', status.node.httpAddress || '-'],
    ['Uptime', formatDuration(status.uptimeMs)],
    ['Clock', clockText(status.clock)],
    ...status.checks.filter(({ ok }) => !ok).map(({ name, detail }): Field => [`Not ready (${name})`, detail]),
  ];
  for (const group of status.groups) {
    fields.push([`Group ${group['groupId']}`]);
    fields.push(...numberFields(group, { except: ['groupId'], indent }), ...memberFields(group, indent));
  }
  const { durability, ...storage } = status.storage;
  fields.push(['Store'], ...numberFields({ ...storage, durability: storeDurabilityText(durability) }, { indent }));
  fields.push(['Write-ahead log'], ...numberFields(status.wal, { indent }));
  return fields;
}

/** Nobody needs milliseconds of a clock that is right. */
function clockText(clock: NodeStatus['clock']): string {
  if (clock?.offsetMs === undefined) return 'no other node to compare it with';
  const seconds = (Math.abs(clock.offsetMs) / 1000).toFixed(1);
  if (seconds === '0.0') return 'agrees with the other nodes';
  const where = `${seconds} s ${clock.offsetMs > 0 ? 'ahead of' : 'behind'} most of the other nodes`;
  return clock.alarm ? `${where}, not used for expiry` : where;
}

function memberFields({ configuration, isAsleep }: GroupState, indent: string): Field[] {
  const { voters, votersOutgoing, learners } = configuration;
  const fields: Field[] = [[`${indent}voters`, voters.join(', ') || '-']];
  if (votersOutgoing.length > 0) fields.push([`${indent}outgoing voters`, votersOutgoing.join(', ')]);
  if (learners.length > 0) fields.push([`${indent}learners`, learners.join(', ')]);
  if (isAsleep) fields.push([`${indent}asleep`, 'yes, nothing is to be done']);
  return fields;
}
