import type { Clock, Random } from '@shanghai/env';
import type { ConfState } from '../core/configuration/configuration.js';
import type { HostLog } from '../ports/group-log.js';
import type { PeerTransport } from '../ports/peer-transport.js';
import type { StateMachine } from '../ports/state-machine.js';
import type { CommandJoiner } from './command-joiner.js';
import type { HostListener } from './host-listener.js';

/** What a host is made of. The log and the transport are its own from then on; it closes the transport, not the log. */
export interface HostOptions {
  /** This node, ≥ 1, never another one's before or after. */
  readonly nodeId: number;
  readonly log: HostLog;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<HostLimits>;
  readonly listener?: HostListener;
  /** Told once when no group can go on: the log failed, or the disk was silent beyond `stallFatalMs`. The host is closed by then. */
  readonly onFatal?: (error: Error) => void;
}

/** Times and bounds of a host. Milliseconds and bytes. */
export interface HostLimits {
  /** Between ticks; heartbeats go with each. Default 100. */
  readonly tickMs: number;
  /** Ticks without a leader before an election, drawn from [this, 2 × this). Default 10. */
  readonly electionTicks: number;
  /** A leader whose write has waited so long steps down and asks for no election until the disk answers. Default: an election timeout. */
  readonly stallStepDownMs: number;
  /** A write that has waited so long is the end of the host: `DISK_STALLED`. Default 20,000. */
  readonly stallFatalMs: number;
  /** A proposal pending for longer, up to twice as long, is an unknown outcome. Default 10,000. */
  readonly proposalTimeoutMs: number;
  /** Proposals in flight in one group, and their bytes. Defaults 8,192 and 64 MiB. */
  readonly maxProposals: number;
  readonly maxProposalBytes: number;
  /** The largest command. Default 32 MiB. */
  readonly maxEntryBytes: number;
  /** Bytes of entries in one append message; a larger entry goes alone. Default 256 KiB. */
  readonly maxAppendBytes: number;
  /** Append messages on their way to one follower, and their bytes. Defaults 64 and 16 MiB. */
  readonly maxInflightAppends: number;
  readonly maxInflightBytes: number;
  /**
   * How long the news that entries are committed may wait for something else that goes to the same follower, which then
   * carries it. A follower's state lags by so much more when nothing else is going on; linearizable reads there do not
   * wait for it. Default 5 ms; 0 = not at all.
   */
  readonly commitDelayMs: number;
  /** Bytes applied in one run. Default 8 MiB. */
  readonly maxApplyBytes: number;
  /** A log is cut when more than so many bytes could go. Default 16 MiB. */
  readonly compactBytes: number;
  /** What stays behind a cut although it is durable elsewhere: so many entries or bytes, whichever is less. Defaults 10,000 and 16 MiB. */
  readonly trailingEntries: number;
  readonly trailingBytes: number;
  /** Ticks without work before a group goes to sleep. Default 20; 0 = never. */
  readonly sleepTicks: number;
  /** Snapshots sent at a time, all groups together. Default 2. */
  readonly maxSnapshotsSent: number;
}

/** What a group is opened with. */
export interface GroupOptions<Result> {
  readonly groupId: number;
  readonly machine: StateMachine<Result>;
  /** Who is in it where its log is empty: the same on every first member. Absent: nobody, it waits to be made a member. */
  readonly initial?: ConfState;
  /**
   * Whether, where its log is empty, the group begins only when each of its first members has heard all others: until
   * then this node stands for no election and gives no vote. Without it a majority of first members that lost all they
   * had could begin anew what goes on elsewhere. Default false: a majority begins.
   */
  readonly beginsTogether?: boolean;
  /**
   * Whether the log may have lost its end: acknowledged without a sync, or cut by a repair. A state that is ahead of the
   * log is then what the log goes on behind; else that is damage (`LOG_DAMAGED`). Only where this node is the only voter.
   */
  readonly mayLackEnd?: boolean;
  /** Makes one entry of commands that are proposed together. Absent: every command is an entry of its own. */
  readonly joiner?: CommandJoiner<Result>;
}
