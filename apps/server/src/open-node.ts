/**
 * Opening a node: lock the directory, know whose it is, open what it keeps (one write-ahead log, a store for each group,
 * files of named logs), then consensus and the groups in it, then what answers requests. What was opened is closed again
 * when a step fails.
 */
import type { Clock } from '@shanghai/env';
import { defaultHostLimits } from '@shanghai/raft';
import { WalError } from '@shanghai/wal';
import type { NodeEntry, NodeVersions } from './apply/catalogue-command.js';
import { defaultReplicationFactor } from './apply/node-table.js';
import { NodeBackups } from './backup/node-backups.js';
import { hostAndPort } from './config/node-settings.js';
import { type DataDirectory, explain, forgetRepair, type NodeIdentity, openDataDirectory } from './data-directory.js';
import { DataDirectoryError } from './data-directory-error.js';
import type { EngineName } from './engine/storage-engine.js';
import { askOverGrpc } from './forward/ask-over-grpc.js';
import { ForwardingKeyValue } from './forward/forwarding-key-value.js';
import { ForwardingLogUpkeep } from './forward/forwarding-log-upkeep.js';
import { ForwardingLogs } from './forward/forwarding-logs.js';
import { LeaderPatience } from './forward/leader-patience.js';
import { FullDiskWatch } from './full-disk-watch.js';
import { alignLogs, expectLogs } from './logs/align-log-files.js';
import { LogCompactor } from './logs/log-compactor.js';
import type { LogFiles } from './logs/log-files.js';
import { Belonging } from './members/belonging.js';
import { GroupMemberDuty } from './members/group-member-duty.js';
import { joinCluster } from './members/join-cluster.js';
import { markRemoved, removedError } from './members/joining-file.js';
import type { JoinedCluster } from './members/node-members.js';
import { memberTags, type NodeMembership, openNodeMembership } from './membership/node-membership.js';
import type { ShanghaiNode } from './node.js';
import { NodeCheckpoints } from './node-checkpoints.js';
import { NodeDuties } from './node-duties.js';
import { NodeHost } from './node-host.js';
import type { NodeOptions } from './node-options.js';
import { type NodeGroups, openGroups } from './open-node-groups.js';
import { openKeyspaces } from './open-node-keyspaces.js';
import { openLogs } from './open-node-logs.js';
import { type NodeBeingOpened, type NodeStorage, openStorage } from './open-node-storage.js';
import type { Replica } from './raft/replica.js';
import { refuseReplaced, replacedError } from './refuse-replaced.js';
import type { MultiMaster } from './replication/multi-master.js';
import { Gate } from './requests/gate.js';
import { KeyValueService } from './requests/key-value-service.js';
import { resolveNodeOptions } from './resolve-node-options.js';
import { SlotRouter } from './routing/slot-router.js';
import { requireSupported } from './version/version-gate.js';

/**
 * Opens a node from its data directory, making both where there are none. Resolves when it takes requests: a node alone
 * leads by then, one of several may still be without a leader. Rejects with `DataDirectoryError`, `ListenError`, or with
 * what the log (`WalError`, `RaftError`) or a store (`BitcaskError`) says; wrong options are `RangeError`s.
 */
export async function openNode(options: NodeOptions): Promise<ShanghaiNode> {
  const settings = resolveNodeOptions(options);
  const { disk, random, clock, nodeId, firstMembers, clusterToken, engine } = settings;
  const directory = await openDataDirectory({
    path: options.dataDirectory,
    nodeId,
    firstMembers,
    clusterToken,
    engine,
    breakLock: options.breakLock ?? false,
    ...joinOf(options, clock, settings.versions, engine),
    disk,
    random,
    nowMs: clock.nowMs(),
  });
  const opened: (() => Promise<unknown>)[] = [() => directory.lock.release()];
  try {
    return await openParts({ options, settings, opened }, directory);
  } catch (error) {
    for (const close of opened.reverse()) await close().catch(() => undefined);
    throw explain(withDirectory(error, options.dataDirectory), options.dataDirectory);
  }
}

async function openParts(node: NodeBeingOpened, directory: DataDirectory): Promise<ShanghaiNode> {
  const { clock, listener, limits, disk } = node.settings;
  const { identity, isLogRepaired } = directory;
  const { instanceId, clusterId, nodeId } = identity;
  if (directory.renewed !== undefined) listener.instanceRenewed?.({ instanceId, why: directory.renewed });
  const storage = await openStorage(node, clusterId);
  const isSynced = storage.wal.info().durability === 'always';
  const { cluster, nodes } = storage.system.machine.catalogue;
  const isOneOfSeveral = identity.firstMembers.length > 1 || identity.joined !== undefined || nodes.length > 1;
  if (!isSynced && isOneOfSeveral) throw refuseUnsynced(directory, storage.wal.info().durability);
  if (cluster !== undefined) requireSupported(directory.path, cluster.clusterVersion, node.settings.versions);
  refuseReplaced(nodes, identity);
  const groups = await openGroups(node, directory, storage);
  const { system, data, leaderCalls } = groups;
  if (isLogRepaired) await forgetRepair(disk, directory.path);
  const { files, wal } = storage;
  if (!isSynced) await alignLogs(data, files, listener);
  await expectLogs(data, files, isSynced);
  const duties = dutiesOf(node, identity, groups);
  // A node alone is ready when it is open; one of several cannot wait for the others.
  if (data.log.status().role === 'leader') await duties.round();
  const replicas = [system.replica, data];
  const router = new SlotRouter(() => system.catalogue, new Map(replicas.map((one) => [one.groupId, one])));
  const gate = new Gate();
  const keyValue = new KeyValueService({ system, router, limits, gate, firstGroup: data, clock });
  const { logs, upkeep, multiMaster } = openLogs(node, nodeId, groups, storage, { gate, router });
  const checkpoints = checkpointsOf(node, groups, storage, () => multiMaster.trim());
  checkpoints.start();
  const compactor = compactorOf(node, groups, files);
  compactor.start();
  duties.start();
  multiMaster.start();
  const patience = patienceOf(node, groups, gate);
  const quorum = new ForwardingKeyValue(keyValue, leaderCalls, patience);
  const keyspaces = openKeyspaces(node, groups, { gate, multiMaster, quorum });
  keyspaces.settler.start();
  const memberDuties = memberDutiesOf(node, identity, groups, replicas);
  const belonging = belongingOf(node, directory, groups, duties);
  if (groups.ownAddress !== '') belonging.start();
  const membership = await membershipOf(node, directory, groups, duties);
  if (membership !== undefined) node.opened.push(() => membership.close());
  const fullDiskWatch = new FullDiskWatch({ replicas, clock });
  if (groups.ownAddress !== '') fullDiskWatch.start();
  const backups = backupsOf(node, groups, identity, { gate, multiMaster });
  return new NodeHost({
    backups,
    directory,
    nodeName: nameOf(node.options, nodeId),
    ...(node.options.advertiseHost === undefined ? {} : { advertiseHost: node.options.advertiseHost }),
    wal,
    system,
    replicas,
    own: groups.own,
    multiMaster,
    consensus: groups.consensus,
    ownAddress: groups.ownAddress,
    peerAddress: groups.peerAddress,
    memberDuties,
    belonging,
    ...(membership === undefined ? {} : { membership }),
    duties,
    router,
    files,
    gate,
    checkpoints,
    compactor,
    fullDiskWatch,
    leaderCalls,
    ...keyspaces,
    logs: new ForwardingLogs(logs, leaderCalls, patience),
    logUpkeep: new ForwardingLogUpkeep(upkeep, leaderCalls, patience),
    clock,
  });
}

function backupsOf(
  { settings }: NodeBeingOpened,
  { system, data, own }: NodeGroups,
  identity: NodeIdentity,
  { gate, multiMaster }: { readonly gate: Gate; readonly multiMaster: MultiMaster },
): NodeBackups {
  const { clock, random } = settings;
  return new NodeBackups({
    replicas: () => [data, ...own.all, system.replica],
    whenComplete: (signal) => multiMaster.whenComplete(signal),
    completeToMs: () => multiMaster.completeToMs(),
    catalogue: () => system.catalogue,
    nowMs: () => clock.nowMs(),
    ...{ identity, random, clock, gate },
  });
}

function memberDutiesOf(
  { settings }: NodeBeingOpened,
  { nodeId }: NodeIdentity,
  { system, consensus }: NodeGroups,
  replicas: readonly Replica[],
): GroupMemberDuty[] {
  const { clock, listener } = settings;
  const { events } = consensus;
  const duties = replicas.map((replica) => new GroupMemberDuty({ nodeId, replica, system, events, clock, listener }));
  for (const duty of duties) duty.start();
  return duties;
}

function compactorOf({ settings }: NodeBeingOpened, groups: NodeGroups, files: LogFiles): LogCompactor {
  const { disk, random, clock, listener } = settings;
  const { system, data } = groups;
  return new LogCompactor({
    logs: () => system.catalogue.logs(),
    replica: (groupId) => (groupId === data.groupId ? data : undefined),
    files,
    disk,
    random,
    clock,
    onFailed: (event) => listener.compactionFailed?.(event),
    onHidden: (event) => listener.logCompacted?.(event),
    onThinned: (event) => listener.logSegmentThinned?.(event),
  });
}

function dutiesOf({ options, settings }: NodeBeingOpened, identity: NodeIdentity, groups: NodeGroups): NodeDuties {
  const { clock, listener, slots, limits } = settings;
  const { system, data, consensus, book } = groups;
  const { host, events } = consensus;
  const { clusterId } = identity;
  const replicationFactor = Math.max(defaultReplicationFactor, identity.firstMembers.length);
  const cluster = { clusterId, slots, maxValueBytes: limits.maxValueBytes, replicationFactor };
  return new NodeDuties({
    system,
    data,
    host,
    book,
    events,
    clock,
    listener,
    cluster,
    node: nodeEntry(options, identity, groups.ownAddress, settings.versions),
    supported: settings.versions,
    isNamed: options.nodeName !== undefined,
  });
}

/** How a new directory gets into the cluster that it was told of. */
function joinOf(
  options: NodeOptions,
  clock: Clock,
  versions: NodeVersions,
  engine: EngineName,
): { join?: (instanceId: string) => Promise<JoinedCluster> } {
  const { join, peers, nodeId = 0, nodeName: name = '', advertiseHost } = options;
  if (join === undefined) return {};
  const { addresses, ask = askOverGrpc, timeoutMs } = join;
  const port = peers?.port ?? 0;
  const peerAddress = join.peerAddress ?? hostAndPort(advertiseHost ?? peers?.host ?? '127.0.0.1', port);
  const contacts = { addresses, ask, clock, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
  return {
    join: (instanceId) =>
      joinCluster(contacts, {
        instanceId,
        peerAddress: port === 0 && join.peerAddress === undefined ? '' : peerAddress,
        name,
        nodeId,
        versions,
        engine,
      }),
  };
}

function belongingOf(
  { settings }: NodeBeingOpened,
  directory: DataDirectory,
  { system, leaderCalls: calls, book }: NodeGroups,
  duties: NodeDuties,
): Belonging {
  const { clock, listener, disk } = settings;
  const { path, identity } = directory;
  const { nodeId, instanceId, joined } = identity;
  const onOutcast = async (verdict: 'removed' | 'replaced') => {
    if (verdict === 'removed') await markRemoved(disk, path, nodeId).catch(() => undefined);
    const error = verdict === 'removed' ? removedError(path, nodeId) : replacedError(nodeId, instanceId);
    listener.failed?.({ groupId: 0, error });
  };
  return new Belonging({
    ...{ nodeId, instanceId, system, calls, book, clock },
    told: joined?.members ?? [],
    onNews: () => duties.reviewPeers(),
    onOutcast: (verdict) => void onOutcast(verdict),
  });
}

/** Takes part in membership where there are others to hear. */
async function membershipOf(
  { options, settings }: NodeBeingOpened,
  { path, identity }: DataDirectory,
  { system, book, ownAddress, membershipTransport: transport }: NodeGroups,
  duties: NodeDuties,
): Promise<NodeMembership | undefined> {
  if (transport === undefined || ownAddress === '') return undefined;
  const { disk, clock, random } = settings;
  const { tuning = {}, listener = {} } = options.membership ?? {};
  const { grpc, http } = options.addresses ?? {};
  return openNodeMembership({
    ...{ identity, path, disk, clock, random, transport, book, tuning, listener },
    address: ownAddress,
    tags: memberTags({ name: nameOf(options, identity.nodeId), version: options.program, grpc, http }),
    table: () => system.catalogue,
    onNews: () => duties.reviewPeers(),
  });
}

function checkpointsOf(
  { settings }: NodeBeingOpened,
  groups: NodeGroups,
  storage: NodeStorage,
  trimStreams: () => Promise<void>,
): NodeCheckpoints {
  const { clock, listener, checkpointIntervalMs: intervalMs, checkpointBytes: bytes } = settings;
  const { system, data, own } = groups;
  const { files, wal } = storage;
  return new NodeCheckpoints({
    replicas: [system.replica, data],
    own,
    trimStreams,
    system,
    files,
    wal,
    clock,
    listener,
    intervalMs,
    bytes,
  });
}

/** Elections that go well are over by then; where there is no majority, nobody has to wait for long. */
function patienceOf({ options, settings }: NodeBeingOpened, { consensus }: NodeGroups, gate: Gate): LeaderPatience {
  const { electionTicks, tickMs } = { ...defaultHostLimits, ...options.raft };
  const patienceMs = 2 * electionTicks * tickMs;
  return new LeaderPatience({
    clock: settings.clock,
    changed: consensus.events.changed,
    patienceMs,
    closed: gate.closed,
  });
}

function nameOf({ nodeName }: NodeOptions, nodeId: number): string {
  return nodeName ?? `node-${nodeId}`;
}

/** This node as the node table shall have it. */
function nodeEntry(
  options: NodeOptions,
  { nodeId, instanceId }: NodeIdentity,
  peerAddress: string,
  versions: NodeVersions,
): NodeEntry {
  const { grpc = '', http = '' } = options.addresses ?? {};
  return {
    nodeId,
    name: nameOf(options, nodeId),
    instanceId,
    grpcAddress: grpc,
    httpAddress: http,
    peerAddress,
    // Programs of the first release said nothing of it.
    ...(versions.highest === 1 ? {} : { versions }),
  };
}

function refuseUnsynced({ path, identity }: DataDirectory, durability: string): DataDirectoryError {
  return new DataDirectoryError(
    'OTHER_NODE',
    `data directory '${path}' is that of node ${identity.nodeId} of several, and durability '${durability}' is ` +
      'only for a node alone: what it acknowledged to the others must be on its disk',
  );
}

/** What the log reports about the whole directory is said in the directory's words. */
function withDirectory(error: unknown, path: string): unknown {
  if (!(error instanceof WalError) || error.code !== 'DISK_FULL') return error;
  return new DataDirectoryError('FULL', `data directory '${path}': the disk is full; make space and start again`, {
    cause: error,
  });
}
