/** Shipping of multi-master logs ↔ the messages of the Admin service. */
import type { GetReplicationRequest, GetReplicationResponse } from '@shanghai/proto';
import type { Credit } from '@shanghai/replication';
import type { ShanghaiNode } from '../../node.js';
import { ServerError } from '../../requests/server-error.js';
import { safeNumber } from './wire-numbers.js';

/** How it stands, as this node sees it, of what the request names. */
export function replicationMessage(
  node: Pick<ShanghaiNode, 'replication' | 'status'>,
  { log, origin }: GetReplicationRequest,
): GetReplicationResponse {
  const status = node.replication?.status({
    ...(log === '' ? {} : { log }),
    ...(origin === 0n ? {} : { origin: safeNumber(origin, 'origin') }),
  });
  return {
    nodeId: BigInt(node.status().nodeId),
    isActive: status !== undefined,
    followers: (status?.followers ?? []).map((one) => ({
      origin: BigInt(one.origin),
      follower: BigInt(one.follower),
      state: one.state,
      reason: one.reason,
      heldEntries: BigInt(one.heldEntries),
      lagEntries: BigInt(one.lagEntries),
      lagMs: milliseconds(one.lagMs),
      ...(one.sinceProgressMs < 0 ? {} : { sinceProgressMs: milliseconds(one.sinceProgressMs) }),
      isShipping: one.isShipping,
      ...(one.credit === undefined ? {} : creditFields(one.credit)),
      positions: one.positions.map(({ epoch, heldSequence, sequence }) => ({
        epoch: BigInt(epoch),
        heldSequence: BigInt(heldSequence),
        sequence: BigInt(sequence),
      })),
    })),
    shipping: (status?.shipping ?? []).map((one) => ({
      follower: BigInt(one.follower),
      ...creditFields({ entries: one.creditEntries, bytes: one.creditBytes }),
      windowEntries: BigInt(one.windowEntries),
      windowBytes: BigInt(one.windowBytes),
      isPaused: one.isPaused,
      sentEntries: BigInt(one.sentEntries),
      sentBytes: BigInt(one.sentBytes),
      blockedMs: milliseconds(one.blockedMs),
    })),
    unreachable: (status?.unreachable ?? []).map(BigInt),
  };
}

/** `follower` 0: all. Rejects with `NOT_FOUND` where there is no such follower. */
export async function pauseReplication(
  node: Pick<ShanghaiNode, 'replication' | 'status'>,
  follower: number,
  isPaused: boolean,
): Promise<void> {
  const { replication } = node;
  if (replication === undefined) throw new ServerError('UNSUPPORTED', 'this node ships nothing');
  const { nodeId, nodes = [] } = node.status();
  const isKnown = follower === 0 || nodes.some((one) => one.nodeId === follower && one.nodeId !== nodeId);
  if (!isKnown) throw new ServerError('NOT_FOUND', `there is no other node ${follower}`);
  await replication.pause(follower === 0 ? 'all' : follower, isPaused);
}

/** A run may take a little more than there is. */
function creditFields({ entries, bytes }: Credit): { readonly creditEntries: bigint; readonly creditBytes: bigint } {
  return { creditEntries: BigInt(Math.max(0, entries)), creditBytes: BigInt(Math.max(0, bytes)) };
}

function milliseconds(value: number): bigint {
  return BigInt(Math.max(0, Math.round(value)));
}
