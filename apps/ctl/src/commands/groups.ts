/** groups, replicas: consensus and shipping as every node of the cluster sees them. */
import type { Command } from 'commander';
import { type CommandContext, type Flags, type Host, runWith } from '../command-host.js';
import type { GroupState, NodeReport, ReportOptions } from '../connection.js';
import type { Column } from '../output/printer.js';
import { formatDuration } from '../output/quantities.js';
import { help, remoteExits } from './command-help.js';
import { type FollowerRow, followerColumns, followerFilter, followerRows } from './followers-view.js';

/** Adds the commands about consensus. */
export function addGroupCommands(program: Command, host: Host): void {
  const groups = program.command('groups').description('list the consensus groups: who leads, who belongs to them');
  help(
    runWith(groups, host, (context) => listGroups(context)),
    ['shanghaictl groups', 'shanghaictl groups --output json'],
    remoteExits,
  );

  const replicas = program
    .command('replicas')
    .description(
      "list every node's copy of every group, and of what each origin wrote to multi-master logs: progress, lag",
    )
    .option('--checksum', 'also a checksum of what each copy of a group holds, and at which entry; reads everything')
    .option('--log <name>', 'of this multi-master log alone, with positions')
    .option('--origin <node>', 'of what this origin wrote to multi-master logs alone');
  help(
    runWith(replicas, host, (context, _values, flags) => listReplicas(context, flags)),
    [
      'shanghaictl replicas',
      'shanghaictl replicas --checksum --output json',
      'shanghaictl replicas --log events --origin 2',
    ],
    ['3 there is no such log', ...remoteExits],
  );
}

/** A group over all nodes. */
interface GroupRow {
  readonly groupId: number;
  /** 0: no node that answered leads it. */
  readonly leaderNodeId: number;
  readonly term: number;
  readonly commitIndex: number;
  readonly voters: readonly number[];
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
  readonly slots: number;
  readonly state: string;
}

/** A node's copy of a group. */
interface ReplicaRow {
  readonly groupId: number;
  readonly nodeId: number;
  readonly role: string;
  /** While the group changes, a voter of the old or of the new configuration only. */
  readonly joint?: 'outgoing' | 'incoming';
  readonly term: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly appliedIndex: number;
  readonly durableAppliedIndex: number;
  /** Entries that its leader has committed and it has not applied; absent where no leader answered. */
  readonly lag?: number;
  /** Milliseconds; absent: never heard. */
  readonly leaderHeardMsAgo?: number;
  readonly state: string;
  /** As its leader sees it; absent for the leader itself. */
  readonly progress?: string;
  /** SHA-256 in hexadecimal of what is replicated; `appliedIndex` is then that of the state that was read. */
  readonly checksum?: string;
}

async function listGroups(context: CommandContext): Promise<void> {
  const reports = await gather(context);
  const rows = byGroup(reports).map(groupRow);
  const columns: readonly Column<GroupRow>[] = [
    { title: 'GROUP', text: (row) => String(row.groupId), align: 'right' },
    { title: 'LEADER', text: (row) => nodeText(row.leaderNodeId), align: 'right' },
    { title: 'TERM', text: (row) => String(row.term), align: 'right' },
    { title: 'COMMIT', text: (row) => String(row.commitIndex), align: 'right' },
    { title: 'VOTERS', text: votersText },
    { title: 'LEARNERS', text: (row) => row.learners.join(',') || '-' },
    { title: 'SLOTS', text: (row) => String(row.slots), align: 'right' },
    { title: 'STATE', text: (row) => row.state },
  ];
  await printAll(context, columns, rows);
}

async function listReplicas(context: CommandContext, flags: Flags): Promise<void> {
  const filter = followerFilter(flags);
  const checksums = flags['checksum'] === true;
  // What is wrong with the filter every node would say; here it ends the command.
  if (filter !== undefined) await (await context.connect()).replication(filter);
  const reports = await gather(context, { checksums, replication: filter ?? {} });
  const followers = followerRows(reports.flatMap(({ replication }) => replication ?? []));
  const copies = filter === undefined ? copiesIn(reports) : [];
  if (context.settings.output !== 'table') {
    await printAll<ReplicaRow | FollowerRow>(context, [], [...copies, ...followers]);
    return;
  }
  if (filter === undefined) await printAll(context, replicaColumns(checksums), copies);
  if (filter === undefined && followers.length > 0) await context.print.raw('\n');
  const isShown = filter !== undefined || followers.length > 0;
  if (isShown) await printAll(context, followerColumns(filter?.log !== undefined), followers);
}

async function printAll<Row>(
  context: CommandContext,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Promise<void> {
  const list = context.print.list<Row>(columns, (row) => row);
  for (const row of rows) await list.row(row);
  await list.end();
}

function copiesIn(reports: readonly NodeReport[]): readonly ReplicaRow[] {
  return byGroup(reports)
    .flatMap(replicaRows)
    .map((row) => ({ ...row, ...checksumOf(reports, row) }));
}

function replicaColumns(withChecksums: boolean): readonly Column<ReplicaRow>[] {
  return [
    { title: 'GROUP', text: (row) => String(row.groupId), align: 'right' },
    { title: 'NODE', text: (row) => String(row.nodeId), align: 'right' },
    { title: 'ROLE', text: (row) => (row.joint === undefined ? row.role : `${row.role}, ${row.joint}`) },
    { title: 'TERM', text: (row) => String(row.term), align: 'right' },
    { title: 'LOG', text: (row) => `${row.firstIndex}-${row.lastIndex}`, align: 'right' },
    { title: 'APPLIED', text: (row) => String(row.appliedIndex), align: 'right' },
    { title: 'DURABLE', text: (row) => String(row.durableAppliedIndex), align: 'right' },
    { title: 'LAG', text: (row) => (row.lag === undefined ? '-' : String(row.lag)), align: 'right' },
    { title: 'HEARD', text: heardText },
    { title: 'PROGRESS', text: (row) => row.progress ?? '-' },
    { title: 'STATE', text: (row) => row.state },
    ...(withChecksums ? [checksumColumn] : []),
  ];
}

const checksumColumn = { title: 'CHECKSUM', text: (row: ReplicaRow) => row.checksum?.slice(0, 16) ?? '-' };

function checksumOf(reports: readonly NodeReport[], { groupId, nodeId }: ReplicaRow): Partial<ReplicaRow> {
  const report = reports.find(({ node }) => node.nodeId === nodeId);
  const found = report?.checksums?.find((one) => one.groupId === groupId);
  return found === undefined ? {} : { appliedIndex: found.appliedIndex, checksum: found.checksum };
}

/** Asks all nodes; those that do not answer are named on standard error. */
async function gather(context: CommandContext, options: ReportOptions = {}): Promise<readonly NodeReport[]> {
  const reports = await (await context.connect()).reports(options);
  for (const { node, problem } of reports) {
    if (problem !== undefined) context.print.note(`node ${node.nodeId} did not answer: ${problem}`);
  }
  return reports;
}

/** One group with what every node that answered says of it, by node id. */
type SeenGroup = readonly [groupId: number, seen: readonly (readonly [nodeId: number, group: GroupState])[]];

function byGroup(reports: readonly NodeReport[]): SeenGroup[] {
  const groups = new Map<number, (readonly [number, GroupState])[]>();
  for (const { node, status } of [...reports].sort((a, b) => a.node.nodeId - b.node.nodeId)) {
    for (const group of status?.groups ?? []) {
      const seen = groups.get(group.groupId) ?? [];
      seen.push([node.nodeId, group]);
      groups.set(group.groupId, seen);
    }
  }
  return [...groups].sort(([a], [b]) => a - b);
}

/** Of those who take themselves for the leader, the one of the highest term: others have not heard of it yet. */
function leaderOf([, seen]: SeenGroup): readonly [number, GroupState] | undefined {
  const leaders = seen.filter(([, { role }]) => role === 'leader');
  return leaders.sort(([, a], [, b]) => b.term - a.term)[0];
}

function groupRow(seenGroup: SeenGroup): GroupRow {
  const [groupId, seen] = seenGroup;
  const [leaderNodeId, leading] = leaderOf(seenGroup) ?? [0, undefined];
  const newest = leading ?? seen.map(([, group]) => group).reduce((a, b) => (b.term > a.term ? b : a));
  const { voters, votersOutgoing, learners } = newest.configuration;
  const commitIndex = leading?.commitIndex ?? Math.max(...seen.map(([, group]) => group.commitIndex));
  const { term } = newest;
  const slots = Number(newest['slots'] ?? 0);
  const state = stateOf(newest, leading !== undefined);
  return { groupId, leaderNodeId, term, commitIndex, voters, votersOutgoing, learners, slots, state };
}

function stateOf(group: GroupState, hasLeader: boolean): string {
  if (!hasLeader) return 'no leader';
  if (group.configuration.votersOutgoing.length > 0) return 'changing';
  return group.isAsleep ? 'asleep' : 'ok';
}

function replicaRows(seenGroup: SeenGroup): ReplicaRow[] {
  const [groupId, seen] = seenGroup;
  const leading = leaderOf(seenGroup)?.[1];
  return seen.map(([nodeId, group]) => {
    const { term, firstIndex, lastIndex, appliedIndex, durableAppliedIndex, leaderHeardMsAgo, state } = group;
    const known = leading?.replicas.find((replica) => replica.nodeId === nodeId);
    return {
      groupId,
      nodeId,
      role: group.isLearner ? 'learner' : group.role,
      ...halfOf(nodeId, (leading ?? group).configuration),
      ...{ term, firstIndex, lastIndex, appliedIndex, durableAppliedIndex },
      ...(leading === undefined ? {} : { lag: Math.max(0, leading.commitIndex - appliedIndex) }),
      ...(leaderHeardMsAgo === undefined ? {} : { leaderHeardMsAgo }),
      ...(known === undefined ? {} : { progress: progressText(known) }),
      state: group.isAsleep && state === 'open' ? 'asleep' : state,
    };
  });
}

/** While a configuration is joint: in which half of it a voter votes that is not in both. */
function halfOf(nodeId: number, { voters, votersOutgoing }: GroupState['configuration']): Pick<ReplicaRow, 'joint'> {
  const isOld = votersOutgoing.includes(nodeId);
  if (votersOutgoing.length === 0 || isOld === voters.includes(nodeId)) return {};
  return { joint: isOld ? 'outgoing' : 'incoming' };
}

function progressText({ state, isActive, snapshotSent }: GroupState['replicas'][number]): string {
  if (!isActive) return `${state}, not heard`;
  return snapshotSent === undefined ? state : `${state} ${Math.floor(snapshotSent * 100)} %`;
}

function nodeText(nodeId: number): string {
  return nodeId === 0 ? '-' : String(nodeId);
}

/** While a configuration changes both sets are shown. */
function votersText({ voters, votersOutgoing }: GroupRow): string {
  const now = voters.join(',') || '-';
  return votersOutgoing.length === 0 ? now : `${votersOutgoing.join(',')} -> ${now}`;
}

function heardText({ role, leaderHeardMsAgo }: ReplicaRow): string {
  if (role === 'leader') return '-';
  return leaderHeardMsAgo === undefined ? 'never' : `${formatDuration(leaderHeardMsAgo)} ago`;
}
