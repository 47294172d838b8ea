/** The log plane of a node that is being opened: logs that one group orders, and logs that every node writes. */
import { openReplicator, type ReplicationMember } from '@shanghai/replication';
import type { NodeEntry } from './apply/catalogue-command.js';
import { maxEntryBytes } from './limits.js';
import { AllLogUpkeep } from './logs/all-log-upkeep.js';
import { AllLogs } from './logs/all-logs.js';
import { KnownLogs } from './logs/known-logs.js';
import type { LogRequests } from './logs/log-requests.js';
import { LogService } from './logs/log-service.js';
import type { LogUpkeepRequests } from './logs/log-upkeep-requests.js';
import { LogUpkeepService } from './logs/log-upkeep-service.js';
import { MultiMasterLogs } from './logs/multi-master-logs.js';
import { MultiMasterUpkeep } from './logs/multi-master-upkeep.js';
import type { NodeGroups } from './open-node-groups.js';
import type { NodeBeingOpened, NodeStorage } from './open-node-storage.js';
import { MultiMaster, type OpenReplication } from './replication/multi-master.js';
import type { Gate } from './requests/gate.js';
import type { SlotRouter } from './routing/slot-router.js';

/** What is kept of a stream for a member that is away, unless the options say otherwise. */
const defaultMaxLagBytes = 1024 * 1024 * 1024;

/** What it consists of. */
export interface NodeLogs {
  readonly logs: LogRequests;
  readonly upkeep: LogUpkeepRequests;
  /** Begins by itself when there is a multi-master log, once it is started. */
  readonly multiMaster: MultiMaster;
}

/** Makes it. `nodeId`: this node. */
export function openLogs(
  node: NodeBeingOpened,
  nodeId: number,
  groups: NodeGroups,
  { files }: NodeStorage,
  { gate, router }: { readonly gate: Gate; readonly router: SlotRouter },
): NodeLogs {
  const { clock, limits } = node.settings;
  const { system, own } = groups;
  const openReplication = replicationOf(node, nodeId, groups);
  /** Logs of which it was told. */
  const retentionFailed = new Set<number>();
  const multiMaster = new MultiMaster({
    ...{ nodeId, system, own, files, clock },
    maxCommandBytes: maxEntryBytes(limits) - 1024,
    ...(openReplication === undefined ? {} : { openReplication }),
    maxLagBytes: node.options.replication?.maxLagBytes ?? defaultMaxLagBytes,
    onTrimmed: (logId, firstSequence) => node.settings.listener.logTrimmed?.({ logId, firstSequence }),
    onRetentionFailed: (logId, cause) => {
      if (retentionFailed.has(logId)) return;
      retentionFailed.add(logId);
      const error = cause instanceof Error ? cause : new Error(String(cause));
      node.settings.listener.retentionFailed?.({ logId, error });
    },
    ...(node.options.replication?.onBegun === undefined ? {} : { onBegun: node.options.replication.onBegun }),
    onError: (error) => node.settings.listener.replicationFailed?.({ error }),
  });
  const quorum = new LogService({ system, router, files, limits, gate, nodeId, clock });
  const logs = new AllLogs({
    system,
    quorum,
    multiMaster: new MultiMasterLogs({ system, multiMaster, files, limits, gate, nodeId }),
  });
  const upkeep = new AllLogUpkeep({
    system,
    quorum: new LogUpkeepService({ system, logs: new KnownLogs(system, router), files, gate, clock }),
    multiMaster: new MultiMasterUpkeep({
      ...{ system, logs, files, multiMaster },
    }),
  });
  return { logs, upkeep, multiMaster };
}

function replicationOf(
  { options, settings }: NodeBeingOpened,
  nodeId: number,
  { replicationTransport: transport }: NodeGroups,
): OpenReplication | undefined {
  if (transport === undefined) return undefined;
  const { limits, listener } = options.replication ?? {};
  return (store, nodes) => {
    const replicator = openReplicator({
      ...{ nodeId, store, transport, clock: settings.clock, members: membersOf(nodes) },
      ...(limits === undefined ? {} : { limits }),
      ...(listener === undefined ? {} : { listener }),
      onFatal: (error) => settings.listener.replicationFailed?.({ error }),
    });
    return { replicator, setMembers: (members) => replicator.setMembers(membersOf(members)) };
  };
}

function membersOf(nodes: readonly NodeEntry[]): ReplicationMember[] {
  const placed = nodes.filter(({ instanceId }) => instanceId !== '');
  return placed.map(({ nodeId, peerAddress }) => ({ nodeId, address: peerAddress }));
}
