/** replication: shipping of multi-master logs, as the node that answers sees it. */
import type { Command } from 'commander';
import { type CommandContext, type Host, runWith } from '../command-host.js';
import type { ReplicationReport } from '../connection.js';
import { usageError } from '../ctl-error.js';
import { formatDuration } from '../output/quantities.js';
import { help, remoteExits } from './command-help.js';

/** Adds `replication`. */
export function addReplicationCommands(program: Command, host: Host): void {
  const replication = program
    .command('replication')
    .description('shipping of multi-master logs, as the endpoint that answers sees it');
  help(replication, ['shanghaictl replication status', 'shanghaictl replication pause 3']);

  const status = replication.command('status').description('what each follower lacks of each origin, and why');
  help(
    runWith(status, host, (context) => showStatus(context)),
    ['shanghaictl replication status', 'shanghaictl replication status --output json'],
    remoteExits,
  );
  addPause(replication, host, 'pause', 'ship nothing to a follower until it is resumed, or the node is stopped');
  addPause(replication, host, 'resume', 'go on shipping to a follower');
}

function addPause(replication: Command, host: Host, name: 'pause' | 'resume', description: string): void {
  const command = replication.command(name).description(description).argument('<follower>', "a node's id, or 'all'");
  help(
    runWith(command, host, (context, values) => pause(context, String(values[0]), name === 'pause')),
    [`shanghaictl replication ${name} 3`, `shanghaictl replication ${name} all`],
    ['3 there is no such node', ...remoteExits],
  );
}

async function pause(context: CommandContext, who: string, isPaused: boolean): Promise<void> {
  const follower = who === 'all' ? who : Number(who);
  if (follower !== 'all' && (!Number.isSafeInteger(follower) || follower < 1)) {
    throw usageError(`'${who}' is no node: an id from 1 on, or 'all'`);
  }
  const connection = await context.connect();
  await connection.pauseReplication(follower, isPaused);
  await context.print.document({ follower, paused: isPaused }, [
    ['follower', String(follower)],
    ['shipping', isPaused ? 'paused' : 'goes on'],
  ]);
}

async function showStatus(context: CommandContext): Promise<void> {
  const report = await (await context.connect()).replication();
  if (!report.isActive) context.print.note('nothing is shipped: there is no multi-master log, or no other node');
  if (report.unreachable.length > 0) context.print.note(`not reached: node ${report.unreachable.join(', ')}`);
  const list = context.print.list<ReplicationReport['followers'][number]>(
    [
      { title: 'ORIGIN', text: (row) => String(row.origin), align: 'right' },
      { title: 'FOLLOWER', text: (row) => String(row.follower), align: 'right' },
      { title: 'STATE', text: (row) => row.state },
      { title: 'HELD', text: (row) => String(row.heldEntries), align: 'right' },
      { title: 'LAG', text: (row) => String(row.lagEntries), align: 'right' },
      { title: 'FOR', text: (row) => (row.lagMs === 0 ? '-' : formatDuration(row.lagMs)) },
      { title: 'FROM', text: (row) => (row.isShipping ? `node ${report.nodeId}` : '-') },
      { title: 'REASON', text: (row) => row.reason },
    ],
    (row) => row,
  );
  for (const row of report.followers) await list.row(row);
  await list.end();
}
