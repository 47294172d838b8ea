import type { Clock } from '@shanghai/env';
import type { Wal } from '@shanghai/wal';
import type { CatalogueCommand } from './apply/catalogue-command.js';
import type { BackupPart, GroupLogPage } from './backup/backup-parts.js';
import type { NodeBackups } from './backup/node-backups.js';
import { hostAndPort } from './config/node-settings.js';
import type { DataDirectory } from './data-directory.js';
import { hostOf } from './first-members.js';
import type { LeaderCalls } from './forward/leader-calls.js';
import type { FullDiskWatch } from './full-disk-watch.js';
import { handOverAll } from './hand-over.js';
import type { KeyspaceRequests } from './keyspaces/keyspace-requests.js';
import type { KeyspaceSettler } from './keyspaces/keyspace-settler.js';
import type { LogCompactor } from './logs/log-compactor.js';
import type { LogFiles } from './logs/log-files.js';
import type { LogRequests } from './logs/log-requests.js';
import type { LogUpkeepRequests } from './logs/log-upkeep-requests.js';
import type { Belonging } from './members/belonging.js';
import { CatalogueMembers } from './members/catalogue-members.js';
import type { GroupMemberDuty } from './members/group-member-duty.js';
import type { NodeMembers } from './members/node-members.js';
import type { NodeGossip } from './membership/node-gossip.js';
import { memberTags, type NodeMembership } from './membership/node-membership.js';
import type { GroupChecksum, HeardNode, NodeReplication, NodeStatus, ReadinessCheck, ShanghaiNode } from './node.js';
import type { NodeCheckpoints } from './node-checkpoints.js';
import type { NodeConsensus } from './node-consensus.js';
import type { NodeDuties } from './node-duties.js';
import { readinessChecks } from './node-readiness.js';
import { groupStatus, storageStatus, walStatus } from './node-status.js';
import type { OwnReplica } from './raft/own-replica.js';
import type { Replica } from './raft/replica.js';
import type { StateChecksum } from './raft/state-checksum.js';
import type { SystemGroup } from './raft/system-group.js';
import type { MultiMaster } from './replication/multi-master.js';
import type { Gate } from './requests/gate.js';
import type { KeyValueRequests } from './requests/key-value-requests.js';
import { requireLeader } from './routing/require-leader.js';
import type { SlotRouter } from './routing/slot-router.js';
import { clusterVersionName } from './version/cluster-version.js';

/** Everything a running node is made of. */
export interface NodeParts {
  readonly directory: DataDirectory;
  readonly nodeName: string;
  readonly advertiseHost?: string;
  /** Where the other nodes reach this one; `''`: it has no listener for them. */
  readonly ownAddress: string;
  readonly peerAddress: string;
  readonly memberDuties: readonly GroupMemberDuty[];
  readonly belonging: Belonging;
  readonly membership?: NodeMembership;
  readonly wal: Wal;
  readonly system: SystemGroup;
  readonly consensus: NodeConsensus;
  readonly duties: NodeDuties;
  readonly leaderCalls: LeaderCalls;
  /** The groups that are shared with others. */
  readonly replicas: readonly Replica[];
  readonly own: OwnReplica;
  readonly multiMaster: MultiMaster;
  readonly router: SlotRouter;
  readonly files: LogFiles;
  readonly gate: Gate;
  readonly backups: NodeBackups;
  readonly checkpoints: NodeCheckpoints;
  readonly compactor: LogCompactor;
  readonly fullDiskWatch: FullDiskWatch;
  readonly keyValue: KeyValueRequests;
  readonly keyspaces: KeyspaceRequests;
  readonly settler: KeyspaceSettler;
  readonly logs: LogRequests;
  readonly logUpkeep: LogUpkeepRequests;
  readonly clock: Clock;
}

/** A running node. */
export class NodeHost implements ShanghaiNode {
  readonly keyValue: KeyValueRequests;
  readonly keyspaces: KeyspaceRequests;
  readonly logs: LogRequests;
  readonly logUpkeep: LogUpkeepRequests;
  readonly peerAddress: string;
  readonly members: NodeMembers;
  readonly replication: NodeReplication;
  readonly gossip?: NodeGossip;
  readonly #parts: NodeParts;
  readonly #startedAtMs: number;
  #handingOver: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.keyValue = parts.keyValue;
    this.keyspaces = parts.keyspaces;
    this.logs = parts.logs;
    this.logUpkeep = parts.logUpkeep;
    this.peerAddress = parts.peerAddress;
    this.replication = parts.multiMaster;
    this.members = new CatalogueMembers(parts.system, parts.directory.identity.engine);
    if (parts.membership !== undefined) this.gossip = parts.membership;
    this.#startedAtMs = parts.clock.nowMs();
    for (const { state } of parts.replicas) state.beginServing();
    parts.own.beginServing();
  }

  status(): NodeStatus {
    const { directory, nodeName, system, consensus, replicas, router, wal } = this.#parts;
    const { clusterId, nodeId, instanceId } = directory.identity;
    const waitingMs = consensus.waitingMs();
    const { offsetMs, isOff, peersHeard } = consensus.host.judgeClock();
    return {
      clusterId,
      nodeId,
      nodeName,
      instanceId,
      startedAtMs: this.#startedAtMs,
      groups: replicas.map((replica) => groupStatus(replica, router.slotsOfGroup(replica.groupId))),
      nodes: system.catalogue.nodes,
      ...versionStatus(system.catalogue.cluster?.clusterVersion),
      ...(offsetMs === undefined ? {} : { clockOffsetMs: Math.round(offsetMs) }),
      clockAlarm: isOff,
      clockPeersHeard: peersHeard,
      storage: storageStatus(replicas),
      heard: heardOf(consensus),
      electionMs: consensus.electionMs,
      wal: {
        ...walStatus(wal),
        diskStalls: consensus.events.diskStalls,
        ...(waitingMs === undefined ? {} : { waitingMs }),
      },
    };
  }

  proposeCatalogue(change: CatalogueCommand): Promise<number> {
    return this.#parts.system.proposeHere(change);
  }

  async advanceTime(groupId: number): Promise<number> {
    const { router, system } = this.#parts;
    const replica = router.replica(groupId);
    requireLeader(replica, system.catalogue.nodes);
    await replica.advanceTime();
    return replica.machine.visible.appliedIndex;
  }

  stateChecksum(groupId: number): Promise<StateChecksum> {
    return this.#parts.router.replica(groupId).state.checksum();
  }

  saveSnapshot(options: { readonly stale: boolean; readonly signal: AbortSignal }): AsyncIterable<BackupPart> {
    return this.#parts.backups.save(options);
  }

  readGroupLog(groupId: number, fromIndex: number, signal: AbortSignal): AsyncIterable<GroupLogPage> {
    return this.#parts.backups.readLog(groupId, fromIndex, signal);
  }

  announce({ host, grpcPort, httpPort }: { host: string; grpcPort: number; httpPort: number }): void {
    const { duties, advertiseHost, ownAddress, membership } = this.#parts;
    const reached = advertiseHost ?? (ownAddress === '' ? host : hostOf(ownAddress));
    const [grpc, http] = [hostAndPort(reached, grpcPort), hostAndPort(reached, httpPort)];
    duties.announce({ grpcAddress: grpc, httpAddress: http });
    membership?.say(memberTags({ grpc, http }));
  }

  readiness(): readonly ReadinessCheck[] {
    const { gate, replicas, own, system, wal } = this.#parts;
    const knowsSettings = ({ groupId, machine }: Replica) => groupId === 0 || machine.visible.settingsVersion > 0;
    const [awaited = []] = replicas.map(({ log }) => log.status().raft.awaits).filter((ids) => ids.length > 0);
    return readinessChecks({
      isClosing: gate.isLeaving,
      isMade: system.catalogue.cluster !== undefined && replicas.every(knowsSettings),
      awaited,
      walState: wal.info().state,
      groups: [...replicas, ...own.all].map(({ groupId, log }) => ({ ...log.status(), groupId })),
    });
  }

  checkpoint(): Promise<readonly { readonly groupId: number; readonly durableAppliedIndex: number }[]> {
    return this.#parts.checkpoints.run();
  }

  async checksums(): Promise<readonly GroupChecksum[]> {
    const checksums: GroupChecksum[] = [];
    for (const { groupId, state } of this.#parts.replicas) checksums.push({ groupId, ...(await state.checksum()) });
    return checksums;
  }

  async merge(
    force: boolean,
  ): Promise<{ segmentsMerged: number; recordsCopied: number; bytesBefore: number; bytesAfter: number }> {
    const total = { segmentsMerged: 0, recordsCopied: 0, bytesBefore: 0, bytesAfter: 0 };
    for (const { store } of [...this.#parts.replicas, ...this.#parts.own.all]) {
      const merged = await store.merge({ force });
      total.segmentsMerged += merged.segmentsMerged;
      total.recordsCopied += merged.recordsCopied;
      total.bytesBefore += merged.bytesBefore;
      total.bytesAfter += merged.bytesAfter;
    }
    return total;
  }

  handOver(withinMs: number): Promise<void> {
    const { gate, consensus, replicas, clock } = this.#parts;
    this.#handingOver ??= handOverAll({ gate, replicas, clock, changed: consensus.events.changed }, withinMs);
    return this.#handingOver;
  }

  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  /** In the order of dependence; a step that fails does not keep the others from closing, the first failure is reported. */
  async #close(drainMs: number): Promise<void> {
    const {
      gate,
      duties,
      memberDuties,
      belonging,
      membership,
      consensus,
      checkpoints,
      fullDiskWatch,
      compactor,
      leaderCalls,
      replicas,
      own,
      multiMaster,
      settler,
      files,
      wal,
      directory,
    } = this.#parts;
    gate.close();
    duties.stop();
    for (const duty of memberDuties) duty.stop();
    belonging.stop();
    fullDiskWatch.stop();
    // Whoever stops in order is not looked for.
    const gone = drainMs > 0 ? membership?.leave() : membership?.close();
    const failures: unknown[] = [];
    const attempt = async (step: () => Promise<unknown>) => {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    };
    await attempt(() => checkpoints.stop());
    await attempt(() => settler.stop());
    await attempt(() => compactor.stop());
    await attempt(() => multiMaster.stop());
    await own.stop();
    // Others lead before this one is gone, so that nobody waits for an election.
    if (drainMs > 0) await Promise.all(replicas.map((replica) => attempt(() => replica.log.stepAside())));
    const all = [...replicas, ...own.all];
    await Promise.all(all.map((replica) => attempt(() => replica.log.close(drainMs))));
    await attempt(async () => gone);
    await attempt(() => consensus.host.close(0));
    await Promise.all(all.map((replica) => attempt(() => replica.close(0))));
    leaderCalls.close();
    await attempt(() => files.close());
    await attempt(() => wal.close());
    await directory.lock.release();
    if (failures.length > 0) throw failures[0];
  }
}

/** The nodes that this one shares a group with and has heard. */
function heardOf({ host }: NodeConsensus): readonly HeardNode[] {
  return host
    .status()
    .peers.flatMap(({ nodeId, heardMsAgo }) => (heardMsAgo === undefined ? [] : { nodeId, heardMsAgo }));
}

function versionStatus(clusterVersion: number | undefined): Pick<NodeStatus, 'clusterVersion' | 'clusterVersionName'> {
  return clusterVersion === undefined ? {} : { clusterVersion, clusterVersionName: clusterVersionName(clusterVersion) };
}
