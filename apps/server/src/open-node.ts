/**
 * Opening a node: lock the directory, know whose it is, open the one write-ahead log, then each group (store, replay,
 * term), then let the groups agree on what the catalogue says. What was opened is closed again when a step fails.
 */
import { nodeClock, nodeDisk, nodeRandom } from '@shanghai/env';
import { openWal, type Wal, WalError } from '@shanghai/wal';
import { firstDataGroup } from './apply/catalogue.js';
import { type DataDirectory, explain, forgetRepair, openDataDirectory } from './data-directory.js';
import { DataDirectoryError } from './data-directory-error.js';
import { checkFirstMembers } from './first-members.js';
import { ForwardingKeyValue } from './forward/forwarding-key-value.js';
import { ForwardingLogs } from './forward/forwarding-logs.js';
import { grpcLeaderCalls } from './forward/grpc-leader-calls.js';
import { maxEntryBytes, type NodeLimits, resolveLimits } from './limits.js';
import { isDamage } from './logs/damaged-logs.js';
import { LogFiles, type LogPlace } from './logs/log-files.js';
import { LogService } from './logs/log-service.js';
import type { ShanghaiNode } from './node.js';
import { bootstrap } from './node-bootstrap.js';
import { NodeCheckpoints } from './node-checkpoints.js';
import type { NodeListener } from './node-events.js';
import { NodeHost } from './node-host.js';
import type { NodeOptions } from './node-options.js';
import { openReplica, type ReplicaOptions } from './open-node-replica.js';
import type { Replica } from './raft/replica.js';
import { SystemGroup } from './raft/system-group.js';
import { Gate } from './requests/gate.js';
import { KeyValueService } from './requests/key-value-service.js';
import { SlotRouter } from './routing/slot-router.js';

const defaultSlots = 1024;
const defaultClusterToken = 'shanghai';
const defaultCheckpointIntervalMs = 30_000;
const defaultCheckpointBytes = 64 * 1024 * 1024;
const defaultLogSegmentBytes = 64 * 1024 * 1024;
const defaultFirstLogSegmentBytes = 1024 * 1024;

/**
 * Opens a node from its data directory, making both where there are none, and resolves when it takes requests. Rejects
 * with `DataDirectoryError`, or with what the log (`WalError`), a store (`BitcaskError`) or a group's stream
 * (`CommandLogError`) says; wrong options are `RangeError`s.
 */
export async function openNode(options: NodeOptions): Promise<ShanghaiNode> {
  const settings = resolve(options);
  const { disk, random, clock, nodeId } = settings;
  const directory = await openDataDirectory({
    path: options.dataDirectory,
    nodeId,
    firstMembers: settings.firstMembers,
    clusterToken: options.clusterToken ?? defaultClusterToken,
    engine: settings.engine,
    breakLock: options.breakLock ?? false,
    disk,
    random,
    nowMs: clock.nowMs(),
  });
  const opened: (() => Promise<unknown>)[] = [() => directory.lock.release()];
  try {
    return await openParts(options, settings, directory, opened);
  } catch (error) {
    for (const close of opened.reverse()) await close().catch(() => undefined);
    throw explain(withDirectory(error, options.dataDirectory), options.dataDirectory);
  }
}

async function openParts(
  options: NodeOptions,
  settings: Settings,
  directory: DataDirectory,
  opened: (() => Promise<unknown>)[],
): Promise<ShanghaiNode> {
  const { clock, listener, limits } = settings;
  const { identity, isLogRepaired } = directory;
  const { nodeId, instanceId } = identity;
  const nodeName = options.nodeName ?? `node-${nodeId}`;
  if (directory.renewed !== undefined) listener.instanceRenewed?.({ instanceId, why: directory.renewed });
  const wal = await openSharedWal(options, settings);
  opened.push(() => wal.close());
  const files = openLogFiles(options, settings, identity.clusterId);
  opened.push(() => files.close());
  const open = async (groupId: number): Promise<Replica> => {
    const replica = await openGroup(options, settings, wal, files, {
      groupId,
      nodeId,
      clusterId: identity.clusterId,
      isLogRepaired,
    });
    opened.push(() => replica.close(0));
    return replica;
  };
  const system = await open(0);
  const data = await open(firstDataGroup);
  if (isLogRepaired) await forgetRepair(settings.disk, directory.path);
  const isSynced = wal.info().durability === 'always';
  if (!isSynced) await alignLogs(data, files, listener);
  await expectLogs(data, files, isSynced);
  const { grpc = '', http = '', peer = '' } = options.addresses ?? {};
  const addresses = { grpcAddress: grpc, httpAddress: http, peerAddress: peer };
  await bootstrap(system, data, {
    clusterId: directory.identity.clusterId,
    slots: options.slots ?? defaultSlots,
    maxValueBytes: limits.maxValueBytes,
    node: { nodeId, name: nodeName, instanceId, ...addresses },
  });
  const replicas = [system, data];
  const router = new SlotRouter(() => system.machine.catalogue, new Map(replicas.map((one) => [one.groupId, one])));
  const gate = new Gate();
  const checkpoints = new NodeCheckpoints({
    replicas,
    system,
    files,
    wal,
    clock,
    listener,
    intervalMs: options.checkpointIntervalMs ?? defaultCheckpointIntervalMs,
    bytes: options.checkpointBytes ?? defaultCheckpointBytes,
  });
  checkpoints.start();
  const leaderCalls = (options.leaderCalls ?? grpcLeaderCalls)({ clusterId: identity.clusterId, nodeId });
  const systemGroup = new SystemGroup({ replica: system, forwarder: leaderCalls });
  const keyValue = new KeyValueService({ system: systemGroup, router, limits, gate, firstGroup: data });
  const logs = new LogService({ system: systemGroup, router, files, limits, gate, nodeId });
  return new NodeHost({
    systemGroup,
    leaderCalls,
    directory,
    nodeName,
    wal,
    replicas,
    router,
    files,
    gate,
    checkpoints,
    keyValue: new ForwardingKeyValue(keyValue, leaderCalls),
    logs: new ForwardingLogs(logs, leaderCalls),
    clock,
  });
}

/**
 * With a write-ahead log that acknowledges before it syncs, a power failure may leave a log's files shorter or longer
 * than the state's counters: the log goes on behind what its files hold, so that no sequence is given out twice.
 */
async function alignLogs(replica: Replica, files: LogFiles, listener: NodeListener): Promise<void> {
  for (const logId of replica.machine.logs.ids()) {
    const log = replica.machine.logs.get(logId);
    if (log === undefined) continue;
    const { lastSequence } = log;
    const held = await lastHeld(log, files);
    if (held === undefined || held === lastSequence) continue;
    await replica.machine.alignLog(logId, held);
    if (held < lastSequence) listener.logShortened?.({ logId, from: lastSequence, to: held });
  }
}

/** The last sequence in a log's files; `undefined` where they are damaged, which is reported where it is found. */
async function lastHeld(log: LogPlace, files: LogFiles): Promise<number | undefined> {
  try {
    if ((await files.size(log)).segments === 0) return 0;
    return await files.use(log, async (file) => file.info().lastLsn);
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}

/** From here on a log's files must hold what the replayed state says; where nothing is synced, trims may be lost. */
async function expectLogs(replica: Replica, files: LogFiles, isSynced: boolean): Promise<void> {
  for (const logId of replica.machine.logs.ids()) {
    const log = replica.machine.logs.get(logId);
    if (log === undefined) continue;
    const { origin, lastSequence } = log;
    const firstSequence = isSynced ? log.firstSequence : Number.MAX_SAFE_INTEGER;
    await files.expect({ logId, origin, firstSequence, lastSequence });
  }
}

type Settings = ReturnType<typeof resolve>;

function resolve(options: NodeOptions) {
  const { nodeId } = options;
  if (nodeId !== undefined && (!Number.isInteger(nodeId) || nodeId < 1 || nodeId >= 2 ** 32)) {
    throw new RangeError(`nodeId must be an integer in [1, 2^32), got ${nodeId}`);
  }
  const slots = options.slots ?? defaultSlots;
  if (!Number.isInteger(slots) || slots < 1 || slots > 65_536) {
    throw new RangeError(`slots must be an integer in [1, 65536], got ${slots}`);
  }
  const firstMembers = options.initialMembers ?? [];
  if (firstMembers.length > 0) checkFirstMembers(firstMembers);
  if (firstMembers.length > 1) throw new RangeError('initialMembers must be one at most');
  return {
    nodeId,
    firstMembers,
    limits: resolveLimits(options.limits),
    disk: options.disk ?? nodeDisk(),
    clock: options.clock ?? nodeClock(),
    random: options.random ?? nodeRandom(),
    listener: options.listener ?? {},
    engine: options.engine ?? 'bitcask',
  };
}

function openSharedWal(options: NodeOptions, settings: Settings): Promise<Wal> {
  const { disk, clock, random, limits } = settings;
  return openWal({
    ...options.wal,
    directory: `${options.dataDirectory}/wal`,
    lock: false,
    maxRecordBytes: maxEntryBytes(limits),
    maxQueuedBytes: walQueueBytes(limits),
    disk,
    clock,
    random,
    ...(options.walListener === undefined ? {} : { listener: options.walListener }),
  });
}

/** Two groups' proposals fit, so that their own bounds refuse first. */
function walQueueBytes(limits: NodeLimits): number {
  return 3 * limits.maxProposalBytes;
}

function openLogFiles(options: NodeOptions, settings: Settings, clusterId: string): LogFiles {
  const { disk, clock, random, limits, listener } = settings;
  return new LogFiles({
    onDamaged: (event) => listener.logDamaged?.(event),
    onTornTail: (event) => listener.logTornTail?.(event),
    directory: `${options.dataDirectory}/logs`,
    clusterId,
    disk,
    clock,
    random,
    maxOpen: limits.openLogs,
    maxRecordBytes: maxEntryBytes(limits),
    maxQueuedBytes: 2 * limits.maxProposalBytes,
    segmentBytes: options.logs?.segmentBytes ?? defaultLogSegmentBytes,
    firstSegmentBytes: options.logs?.firstSegmentBytes ?? defaultFirstLogSegmentBytes,
  });
}

function openGroup(
  options: NodeOptions,
  settings: Settings,
  wal: Wal,
  files: LogFiles,
  group: Pick<ReplicaOptions, 'groupId' | 'nodeId' | 'clusterId' | 'isLogRepaired'>,
): Promise<Replica> {
  const { disk, clock, limits, listener } = settings;
  return openReplica({
    ...group,
    directory: `${options.dataDirectory}/groups`,
    wal,
    logFiles: files,
    limits,
    engine: settings.engine,
    store: options.store ?? {},
    disk,
    clock,
    listener,
    ...(options.bitcaskListener === undefined ? {} : { bitcaskListener: options.bitcaskListener }),
  });
}

/** What the log reports about the whole directory is said in the directory's words. */
function withDirectory(error: unknown, path: string): unknown {
  if (!(error instanceof WalError) || error.code !== 'DISK_FULL') return error;
  return new DataDirectoryError('FULL', `data directory '${path}': the disk is full; make space and start again`, {
    cause: error,
  });
}
