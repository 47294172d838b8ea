/**
 * Consensus of a node: the logs of all its groups on its one write-ahead log, the other nodes, and the host that runs
 * the groups between them.
 */
import type { Clock, Random } from '@shanghai/env';
import {
  defaultHostLimits,
  type HostLimits,
  type HostListener,
  openRaftHost,
  type PeerTransport,
  type RaftHost,
} from '@shanghai/raft';
import { openWalHostLog } from '@shanghai/raft/wal';
import type { Wal } from '@shanghai/wal';
import { firstDataGroup } from './apply/catalogue.js';
import { ownGroup } from './apply/own-group.js';
import { maxEntryBytes, type NodeLimits } from './limits.js';
import { ConsensusEvents } from './raft/consensus-events.js';

/** What consensus is opened with. */
export interface ConsensusOptions {
  readonly nodeId: number;
  readonly wal: Wal;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: NodeLimits;
  /** Times and bounds beside those of `limits`. */
  readonly raft: Partial<HostLimits>;
  readonly listener: HostListener;
  /** Told once a group, when it cannot go on. */
  readonly onFailed: (groupId: number, error: Error) => void;
  /** The host's from then on. */
  readonly transport: PeerTransport;
}

/** The parts of it. */
export interface NodeConsensus {
  readonly host: RaftHost;
  readonly events: ConsensusEvents;
  /** Silence of a leader for so long, up to twice as long, brings an election. */
  readonly electionMs: number;
  /** How long the oldest write has been waiting for the disk, in ms; `undefined` where none waits. */
  waitingMs(): number | undefined;
}

/** Opens the host; no group is open yet. The caller closes the host, then the write-ahead log. */
export async function openConsensus(options: ConsensusOptions): Promise<NodeConsensus> {
  const { nodeId, wal, clock, random, limits } = options;
  const events = new ConsensusEvents(options.listener, options.onFailed);
  const log = await openWalHostLog({ wal, loneVoter: nodeId, clock });
  const host = await openRaftHost({
    nodeId,
    log,
    transport: options.transport,
    clock,
    random,
    limits: { ...hostLimits(limits), ...options.raft },
    listener: events.listener,
    onFatal: (error) => events.fatal(error, [0, firstDataGroup, ownGroup]),
  });
  const waitingMs = () => {
    const since = log.waitingSinceMs();
    return since === undefined ? undefined : clock.monotonicMs() - since;
  };
  const { tickMs, electionTicks } = { ...defaultHostLimits, ...options.raft };
  return { host, events, electionMs: tickMs * electionTicks, waitingMs };
}

function hostLimits(limits: NodeLimits): Partial<HostLimits> {
  const { maxProposals, maxProposalBytes, proposalTimeoutMs } = limits;
  return { maxProposals, maxProposalBytes, proposalTimeoutMs, maxEntryBytes: maxEntryBytes(limits) };
}
