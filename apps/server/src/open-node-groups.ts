/** Opening the groups of a node: consensus between this node and the others, and this node's copy of each group in it. */

import type { MembershipTransport } from '@shanghai/membership';
import { emptyConfState, type HostLimits, RaftError } from '@shanghai/raft';
import type { ReplicationTransport } from '@shanghai/replication';
import type { CatalogueCommand } from './apply/catalogue-command.js';
import { type DataDirectory, type NodeIdentity, renewInstance } from './data-directory.js';
import { grpcLeaderCalls } from './forward/grpc-leader-calls.js';
import type { LeaderCalls } from './forward/leader-calls.js';
import { alignStreams, expectStreams } from './logs/align-log-files.js';
import { admitChange } from './members/admit-change.js';
import { groupView } from './members/group-member-duty.js';
import { markRemoved } from './members/joining-file.js';
import { type NodeConsensus, openConsensus } from './node-consensus.js';
import type { NodeListener } from './node-events.js';
import type { NodeOptions } from './node-options.js';
import { openReplica, type ReplicaOptions } from './open-node-replica.js';
import type { NodeBeingOpened, NodeStorage } from './open-node-storage.js';
import { type OpenedPeers, openPeers, type PeersOptions } from './peers/open-peers.js';
import { ownPeerAddress } from './peers/own-peer-address.js';
import { PeerBook } from './peers/peer-book.js';
import { ReplacedWatch } from './peers/replaced-watch.js';
import type { GroupState } from './raft/group-state.js';
import { OwnReplica } from './raft/own-replica.js';
import type { Replica, TimeAtLeader } from './raft/replica.js';
import { SystemGroup } from './raft/system-group.js';
import { joinedVersion, worksIn } from './version/cluster-version.js';

/** The groups, and what runs them. */
export interface NodeGroups {
  readonly consensus: NodeConsensus;
  readonly book: PeerBook;
  readonly leaderCalls: LeaderCalls;
  readonly system: SystemGroup;
  readonly data: Replica;
  /** The group whose only voter is this node. */
  readonly own: OwnReplica;
  /** Carries multi-master logs. Absent: there are no other nodes. */
  readonly replicationTransport?: ReplicationTransport;
  /** Carries membership. Absent: there are no other nodes. */
  readonly membershipTransport?: MembershipTransport;
  /** Where the other nodes reach this one; `''`: it has no listener for them. */
  readonly ownAddress: string;
  /** Where the peer listener is bound; `''`: there is none. */
  readonly peerAddress: string;
}

/** A disk that does not answer for so long ends the node. */
const stallFatalMs = 20_000;

/**
 * Nobody is ever behind a node alone: what is durable elsewhere need not be kept, nor read back at the next start. And
 * nobody could lead in its place while its disk does not answer.
 */
const aloneLimits: Partial<HostLimits> = {
  compactBytes: 0,
  trailingEntries: 0,
  trailingBytes: 0,
  stallStepDownMs: stallFatalMs,
};

/** Opens them; each has applied what its log holds when this resolves. */
export async function openGroups(
  node: NodeBeingOpened,
  directory: DataDirectory,
  storage: NodeStorage,
): Promise<NodeGroups> {
  const { options, settings, opened } = node;
  const { clock, random, limits, listener } = settings;
  const { identity } = directory;
  const { clusterId, nodeId, firstMembers, joined } = identity;
  const nodes = () => storage.system.machine.catalogue.nodes;
  const clusterVersion = () => storage.system.machine.catalogue.cluster?.clusterVersion;
  const removed = () => storage.system.machine.catalogue.removedNodes;
  const book = new PeerBook({ nodeId, firstMembers: joined?.members ?? firstMembers, nodes, removed, clusterVersion });
  const ownAddress = ownPeerAddress(options, identity, nodes());
  const { instanceId } = identity;
  const replaced = new ReplacedWatch({ nodeId, instanceId, path: directory.path, nodes });
  const onRefused: PeersOptions['onRefused'] = (event) => replaced.judge(event);
  const opening = {
    identity,
    peerAddress: ownAddress,
    book,
    clock,
    random,
    limits,
    peers: options.peers ?? {},
    onRefused,
  };
  const transports = await transportsOf(options, opening);
  const { transport, replication: replicationTransport, membership: membershipTransport } = transports;
  opened.push(() => transport.close());
  const consensus = await openConsensus({
    nodeId,
    wal: storage.wal,
    clock,
    random,
    limits,
    raft: { stallFatalMs, ...(ownAddress === '' ? aloneLimits : {}), ...options.raft },
    listener: options.raftListener ?? {},
    onFailed: (groupId, error) => {
      for (const { changes } of storage.opened()) changes.published.notify();
      const isReverted = error instanceof RaftError && error.code === 'LOG_REVERTED';
      const tell = () => listener.failed?.({ groupId, error });
      // Whoever hears of it may end the process, and by then the next start must be warned.
      if (isReverted) void renewInstance(directory, settings).then(tell, tell);
      else tell();
    },
    transport,
  });
  opened.push(() => consensus.host.close(0));
  const leaderCalls = (options.leaderCalls ?? grpcLeaderCalls)({ clusterId, nodeId });
  opened.push(async () => leaderCalls.close());
  const initial = { ...emptyConfState, voters: firstVoters(identity) };
  const isUnsynced = directory.isLogRepaired || storage.wal.info().durability !== 'always';
  const mayLackEnd = isUnsynced && initial.voters.length === 1 && nodes().length < 2;
  const timeAtLeader: TimeAtLeader = (leader, groupId) => leaderCalls.advanceTime(leader, groupId);
  // Whoever holds more of the system group than its beginning has not lost what it had.
  const beginsTogether = initial.voters.length > 1 && storage.system.appliedIndex <= 1;
  const parts = { clock, limits, listener, consensus, nodes, timeAtLeader };
  const open = (state: GroupState, more: Pick<ReplicaOptions, 'mayJoin'> = {}) =>
    openReplica({ ...parts, state, initial, beginsTogether, mayLackEnd, ...more });
  const systemReplica = await open(storage.system);
  const admit = (change: CatalogueCommand) => {
    const { catalogue } = systemReplica.machine;
    const group = groupView(0, nodeId, systemReplica.log.status());
    const isSynced = storage.wal.info().durability === 'always';
    admitChange(change, { catalogue, group, isSynced, ownAddress });
  };
  const system = new SystemGroup({ replica: systemReplica, forwarder: leaderCalls, admit });
  const data = await open(storage.data, { mayJoin: () => worksIn(joinedVersion, systemReplica.machine.catalogue) });
  const own = ownOf(nodeId, storage, listener, { ...parts, mayLackEnd: isUnsynced });
  if (storage.hasOwn) await own.open();
  replaced.begin(({ verdict, error }) => {
    // It votes no more, whatever whoever hears of it does.
    void consensus.host.close(0);
    const tell = () => listener.failed?.({ groupId: 0, error });
    if (verdict === 'removed') void markRemoved(settings.disk, directory.path, nodeId).then(tell, tell);
    else tell();
  });
  const peerAddress = 'address' in transport ? transport.address : '';
  return {
    ...{ consensus, book, leaderCalls, system, data, own, ownAddress, peerAddress },
    ...(replicationTransport === undefined ? {} : { replicationTransport }),
    ...(membershipTransport === undefined ? {} : { membershipTransport }),
  };
}

/** Those that were given, or those of the peer listener. */
async function transportsOf(options: NodeOptions, opening: PeersOptions): Promise<OpenedPeers> {
  const { transport, replication, membership } = options;
  const peers: OpenedPeers = transport === undefined ? await openPeers(opening) : { transport };
  return {
    ...peers,
    ...(replication?.transport === undefined ? {} : { replication: replication.transport }),
    ...(membership?.transport === undefined ? {} : { membership: membership.transport }),
  };
}

/** The node's own group, which no other node is in. */
function ownOf(
  nodeId: number,
  storage: NodeStorage,
  listener: NodeListener,
  parts: Omit<ReplicaOptions, 'state' | 'initial' | 'beginsTogether'>,
): OwnReplica {
  return new OwnReplica(async () => {
    const initial = { ...emptyConfState, voters: [nodeId] };
    const replica = await openReplica({ ...parts, state: await storage.openOwn(), initial, beginsTogether: false });
    await alignOwn(replica, storage, listener);
    return replica;
  });
}

async function alignOwn(own: Replica, { wal, files }: NodeStorage, listener: NodeListener): Promise<void> {
  if (wal.info().durability !== 'always') await alignStreams(own, files, listener);
  await expectStreams(own, files);
}

/** Who votes where nothing is in the log yet. A node that joins waits to be taken in. */
function firstVoters({ nodeId, firstMembers, joined }: NodeIdentity): readonly number[] {
  if (joined !== undefined) return [];
  return firstMembers.length === 0 ? [nodeId] : firstMembers.map((member) => member.nodeId);
}
