import type { GetReplicationResponse } from '@shanghai/proto';
import type { ReplicationReport } from '../node-administration.js';
import { toNumber } from './wire-values.js';

/** Shipping as a node told it. */
export function replicationOf(message: GetReplicationResponse): ReplicationReport {
  return {
    nodeId: toNumber(message.nodeId),
    isActive: message.isActive,
    followers: message.followers.map(({ sinceProgressMs, creditEntries, creditBytes, ...one }) => ({
      origin: toNumber(one.origin),
      follower: toNumber(one.follower),
      state: one.state,
      reason: one.reason,
      heldEntries: toNumber(one.heldEntries),
      lagEntries: toNumber(one.lagEntries),
      lagMs: toNumber(one.lagMs),
      ...(sinceProgressMs === undefined ? {} : { sinceProgressMs: toNumber(sinceProgressMs) }),
      isShipping: one.isShipping,
      ...(creditEntries === undefined ? {} : { creditEntries: toNumber(creditEntries) }),
      ...(creditBytes === undefined ? {} : { creditBytes: toNumber(creditBytes) }),
      positions: one.positions.map(({ epoch, heldSequence, sequence }) => ({
        epoch: toNumber(epoch),
        heldSequence: toNumber(heldSequence),
        sequence: toNumber(sequence),
      })),
    })),
    shipping: message.shipping.map((one) => ({
      follower: toNumber(one.follower),
      creditEntries: toNumber(one.creditEntries),
      creditBytes: toNumber(one.creditBytes),
      windowEntries: toNumber(one.windowEntries),
      windowBytes: toNumber(one.windowBytes),
      isPaused: one.isPaused,
      sentEntries: toNumber(one.sentEntries),
      sentBytes: toNumber(one.sentBytes),
      blockedMs: toNumber(one.blockedMs),
    })),
    unreachable: message.unreachable.map(toNumber),
  };
}
