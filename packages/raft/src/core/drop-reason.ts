/**
 * Why a proposal or a read was not taken. Nothing has happened then, and nothing will.
 *
 * `noLeader`: this node knows none. `forwardingDisabled`: it is not the leader and may not pass it on. `transferring`: the
 * leader is handing over. `notMember`: the leader was removed from the group. `tooMuchUncommitted`, `tooManyReads`: as
 * much as may wait is waiting.
 */
export type DropReason =
  | 'noLeader'
  | 'forwardingDisabled'
  | 'transferring'
  | 'notMember'
  | 'tooMuchUncommitted'
  | 'tooManyReads';
