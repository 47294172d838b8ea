/** replication: shipping of multi-master logs, as the node that answers sees it. */
import type { Command } from 'commander';
import { type CommandContext, type Flags, type Host, runWith } from '../command-host.js';
import { usageError } from '../ctl-error.js';
import { help, remoteExits } from './command-help.js';
import { type FollowerRow, followerColumns, followerFilter, followerRows } from './followers-view.js';

/** Adds `replication`. */
export function addReplicationCommands(program: Command, host: Host): void {
  const replication = program
    .command('replication')
    .description('shipping of multi-master logs, as the endpoint that answers sees it');
  help(replication, ['shanghaictl replication status', 'shanghaictl replication pause 3']);

  const status = replication
    .command('status')
    .description('what each follower lacks of each origin, and why')
    .option('--log <name>', 'of this multi-master log alone, with positions')
    .option('--origin <node>', 'of this origin alone');
  help(
    runWith(status, host, (context, _values, flags) => showStatus(context, flags)),
    ['shanghaictl replication status', 'shanghaictl replication status --log events --output json'],
    ['3 there is no such log', ...remoteExits],
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

async function showStatus(context: CommandContext, flags: Flags): Promise<void> {
  const filter = followerFilter(flags);
  const report = await (await context.connect()).replication(filter);
  if (!report.isActive) context.print.note('nothing is shipped: there is no multi-master log, or no other node');
  if (report.unreachable.length > 0) context.print.note(`not reached: node ${report.unreachable.join(', ')}`);
  const list = context.print.list<FollowerRow>(followerColumns(filter?.log !== undefined), (row) => row);
  for (const row of followerRows([report])) await list.row(row);
  await list.end();
}
