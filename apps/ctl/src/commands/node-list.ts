import type { CommandContext } from '../command-host.js';
import { type MemberRow, memberRows, rolesText, standingText } from './members-view.js';

/** `node list`. */
export async function listMembers(context: CommandContext): Promise<void> {
  const connection = await context.connect();
  const [table, reports] = await Promise.all([connection.members.table(), connection.reports()]);
  for (const { node, problem } of reports) {
    if (problem !== undefined) context.print.note(`node ${node.nodeId} did not answer: ${problem}`);
  }
  const list = context.print.list<MemberRow>(
    [
      { title: 'ID', text: (row) => String(row.nodeId), align: 'right' },
      { title: 'NAME', text: (row) => row.name || '-' },
      { title: 'MEMBERSHIP', text: standingText },
      { title: 'STATE', text: (row) => row.state },
      { title: 'GROUPS', text: rolesText },
      { title: 'LAG', text: (row) => (row.lag === undefined ? '-' : String(row.lag)), align: 'right' },
      { title: 'GRPC', text: (row) => row.grpcAddress || '-' },
      { title: 'PEER', text: (row) => row.peerAddress || '-' },
      { title: 'INSTANCE', text: (row) => row.instanceId || '-' },
    ],
    (row) => row,
  );
  for (const row of memberRows(table, reports)) await list.row(row);
  await list.end();
  if (table.removedNodeIds.length > 0) context.print.note(`taken out before: ${table.removedNodeIds.join(', ')}`);
}
