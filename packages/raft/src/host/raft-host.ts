import type { ClockVerdict } from '../core/clock-judge.js';
import type { Peer } from '../ports/peer-transport.js';
import type { GroupOptions } from './host-options.js';
import type { GroupStatus, RaftGroup } from './raft-group.js';

/** The groups of a node: one log, one transport and one timer for all of them. */
export interface RaftHost {
  readonly nodeId: number;
  /**
   * Opens a group: reads its log back, puts log and state in line with each other, applies what is known to be committed,
   * then takes part. A node that is the group's only voter leads when this resolves, unless the disk is full. Rejects with
   * `RaftError` `LOG_DAMAGED` where log and state contradict each other, and with `CLOSED`. A group is open at most once.
   */
  openGroup<Result>(options: GroupOptions<Result>): Promise<RaftGroup<Result>>;
  /** A group that is open here. */
  group(groupId: number): RaftGroup<unknown> | undefined;
  /** Whom there is to reach. Those not named are let go. */
  setPeers(peers: readonly Peer[]): void;
  status(): HostStatus;
  /** Whether this node's wall clock can be believed, at this moment. Cheap. */
  judgeClock(): ClockVerdict;
  /** Closes every group as `RaftGroup.close` does, then the transport. Idempotent. */
  close(drainMs: number): Promise<void>;
}

/** Where a host stands. */
export interface HostStatus {
  readonly nodeId: number;
  /** Ascending. */
  readonly groups: readonly GroupStatus[];
  /** Nodes that share a group with this one, and when they were last heard; `undefined` = never. Ascending. */
  readonly peers: readonly { readonly nodeId: number; readonly heardMsAgo: number | undefined }[];
  /** Since when the disk has been silent, where that is longer than a leader may wait. */
  readonly stalledMs: number | undefined;
  /** Why nothing goes on here any more. */
  readonly failure: Error | undefined;
}
