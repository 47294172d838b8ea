/** join, leave, replace, replication: what changes who belongs to the cluster, and waiting until it has come true. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Action, CommandContext, Flags } from '../command-host.js';
import type { Connection } from '../connection.js';
import { CtlError, usageError } from '../ctl-error.js';
import { optionalInteger, text } from '../flag-values.js';
import { type MemberRow, memberRows, rolesText, standingText } from './members-view.js';

const pollMs = 500;
/** Looks that fail one after the other: a node that is on its way out may have been the one that was asked. */
const maxFailedLooks = 20;

/** `node join`. */
export const joinNode: Action = async (context, _values, flags) => {
  const connection = await context.connect();
  const name = text(flags, 'name');
  const peerAddress = text(flags, 'peerAddress');
  const reservation = randomUUID();
  const reserved = await connection.members.reserve({
    reservation,
    ...(name === undefined ? {} : { name }),
    ...(peerAddress === undefined ? {} : { peerAddress }),
  });
  const { nodeId, clusterId, joinAddresses } = reserved;
  const command = startCommand(nodeId, joinAddresses, peerAddress);
  await context.print.document({ nodeId, clusterId, joinAddresses, command }, [
    ['Node', String(nodeId)],
    ['Start it with', command],
  ]);
  if (flags['wait'] !== true) return;
  await untilTrue(context, connection, nodeId, (row) => row !== undefined && row.membership !== 'joining');
  context.print.note(`node ${nodeId} has caught up`);
};

function startCommand(nodeId: number, addresses: readonly string[], peerAddress: string | undefined): string {
  const port = peerAddress === undefined ? '9190' : peerAddress.slice(peerAddress.lastIndexOf(':') + 1);
  const join = addresses.join(',') || '<gRPC address of a node>';
  return `shanghai --data-dir shanghai-data-${nodeId} --node-id ${nodeId} --join ${join} --peer-port ${port}`;
}

/** `node leave`. */
export const leaveNode: Action = async (context, [id], flags) => {
  const nodeId = idOf(id);
  const connection = await context.connect();
  await context.confirm(`Node ${nodeId} will be taken out of the cluster for good; its id is not given again.`);
  await connection.members.leave(nodeId, { force: flags['force'] === true });
  await finish(context, connection, nodeId, flags['wait'] === true);
};

/** `shutdown --leave`: the node that is asked leaves. */
export async function leaveHere(context: CommandContext, flags: Flags): Promise<void> {
  const { endpoints } = context.settings;
  // Of several it would be the first that answers.
  if (endpoints.length !== 1) throw usageError('name the one node that is to leave with --endpoint');
  if (flags['drainMs'] !== undefined) throw usageError('--drain-ms and --leave do not go together');
  const connection = await context.connect();
  const { nodeId } = (await connection.status()).node;
  await context.confirm(
    `Node ${nodeId} at ${endpoints[0]} will be taken out of the cluster for good, and end; its id is not given again.`,
  );
  await connection.members.leave(nodeId, { force: flags['force'] === true });
  await context.print.document({ shutdown: 'leaving', nodeId }, [
    [`Node ${nodeId}`, 'leaving; it ends when it is out'],
  ]);
}

/** `node replace`. */
export const replaceNode: Action = async (context, [id], flags) => {
  const nodeId = idOf(id);
  const by = optionalInteger(flags, 'by', 1);
  const connection = await context.connect();
  const who = by === undefined ? 'a node that is to spare, or joins,' : `node ${by}`;
  await context.confirm(`Node ${nodeId} will be taken out of the cluster for good, when ${who} has taken its place.`);
  await connection.members.replace(nodeId, { force: flags['force'] === true, by });
  await finish(context, connection, nodeId, flags['wait'] === true);
};

async function finish(context: CommandContext, connection: Connection, nodeId: number, wait: boolean): Promise<void> {
  if (wait) await untilTrue(context, connection, nodeId, (row) => row === undefined);
  const state = wait ? 'out' : 'leaving';
  await context.print.document({ nodeId, state }, [[`Node ${nodeId}`, state]]);
}

/** `node replication`. */
export const replication: Action = async (context, [factor]) => {
  const connection = await context.connect();
  if (typeof factor === 'string') {
    if (!/^\d{1,2}$/.test(factor)) throw usageError(`'${factor}' is no replication factor from 1 to 15`);
    await connection.members.setReplicationFactor(Number(factor));
  }
  const { replicationFactor } = await connection.members.table();
  await context.print.document({ replicationFactor }, [['Replication factor', String(replicationFactor)]]);
};

/** Looks until it is so, and says what is seen meanwhile; Ctrl-C ends the waiting only. */
async function untilTrue(
  context: CommandContext,
  connection: Connection,
  nodeId: number,
  isSo: (row: MemberRow | undefined) => boolean,
): Promise<void> {
  let said = '';
  let failures = 0;
  while (!context.signal.aborted) {
    try {
      const row = await look(connection, nodeId);
      if (isSo(row)) return;
      failures = 0;
      const seen = row === undefined ? 'not known yet' : progressText(row);
      if (seen !== said) context.print.note(`node ${nodeId}: ${seen}`);
      said = seen;
    } catch (error) {
      if (++failures > maxFailedLooks) throw error;
    }
    await delay(pollMs, undefined, { signal: context.signal }).catch(() => undefined);
  }
  throw new CtlError('INTERRUPTED', 'interrupted; what was begun goes on by itself, see shanghaictl node list');
}

async function look(connection: Connection, nodeId: number): Promise<MemberRow | undefined> {
  const [table, reports] = await Promise.all([connection.members.table(), connection.reports()]);
  return memberRows(table, reports).find((row) => row.nodeId === nodeId);
}

function progressText(row: MemberRow): string {
  const { instanceId, lag } = row;
  if (instanceId === '') return 'waits to be started';
  const behind = lag === undefined ? '' : `, ${lag} entries behind`;
  return `${standingText(row)}, groups ${rolesText(row)}${behind}`;
}

function idOf(value: string | readonly string[] | undefined): number {
  if (typeof value === 'string' && /^[1-9]\d{0,9}$/.test(value)) return Number(value);
  throw usageError(`'${String(value)}' is no node id`);
}
