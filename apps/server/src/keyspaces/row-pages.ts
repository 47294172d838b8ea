/** A range of a keyspace of mode multi-master as pages, each read when it is asked for and each at its own moment. */
import { decodeWinner, type Version } from '@shanghai/replication';
import { keyOfRow, rowKey } from '../apply/keyspace-keys.js';
import type { NodeLimits } from '../limits.js';
import type { Replica } from '../raft/replica.js';
import type { RangePage, RangeRequest, StoredPair } from '../requests/key-value-requests.js';
import { decodeContinuation, encodeContinuation } from '../requests/range-continuation.js';

/** Which range of which keyspace. */
export interface RowRange {
  readonly replica: Replica;
  readonly keyspaceId: number;
  readonly keyspace: string;
  readonly request: RangeRequest;
  readonly limits: NodeLimits;
}

const noBytes = new Uint8Array(0);

/** A pair of a version that is read. */
export function pairOf(key: Uint8Array, { stamp, value = noBytes, expiresAtMs }: Version): StoredPair {
  return { key, value, revision: stamp.sequence, expiresAtMs };
}

/** Whether a reader at a log time sees a version. */
export function isVisible({ value, expiresAtMs }: Version, nowMs: number): boolean {
  return value !== undefined && (expiresAtMs === 0 || expiresAtMs > nowMs);
}

/** The pages, at least one. */
export async function* rowPages(range: RowRange, signal: AbortSignal): AsyncGenerator<RangePage> {
  const { request, keyspace } = range;
  const { limit = 0, continuation = noBytes } = request;
  let left = limit === 0 ? Number.POSITIVE_INFINITY : limit;
  let behind = continuation.length === 0 ? undefined : decodeContinuation(continuation, request, keyspace);
  for (;;) {
    const { pairs, last } = await readPage(range, behind, left, signal);
    left -= pairs.length;
    behind = last;
    if (behind === undefined) {
      yield { pairs };
      return;
    }
    yield { pairs, continuation: encodeContinuation(request, keyspace, behind) };
    if (left === 0 || signal.aborted) return;
  }
}

/** `last`: the last key looked at, where there are more. */
async function readPage(
  { replica, keyspaceId, request, limits }: RowRange,
  behind: Uint8Array | undefined,
  left: number,
  signal: AbortSignal,
): Promise<{ readonly pairs: readonly StoredPair[]; readonly last: Uint8Array | undefined }> {
  const nowMs = replica.machine.visible.logTimeMs;
  const maxPairs = Math.min(limits.pagePairs, left);
  const pairs: StoredPair[] = [];
  let bytes = 0;
  let last: Uint8Array | undefined;
  const rows = replica.store.range({
    ...bounds(keyspaceId, request, behind),
    ...(request.prefix === undefined ? {} : { prefix: new Uint8Array(rowKey(keyspaceId, request.prefix)) }),
    reverse: request.reverse === true,
    horizonMs: 0,
    signal,
  });
  for await (const { key: stored, value } of rows) {
    const key = keyOfRow(stored);
    const winner = decodeWinner(value);
    if (isVisible(winner, nowMs)) {
      const pair = pairOf(key, request.keysOnly === true ? { ...winner, value: noBytes } : winner);
      const size = key.length + pair.value.length;
      if (pairs.length === maxPairs || (pairs.length > 0 && bytes + size > limits.pageBytes)) return { pairs, last };
      bytes += size;
      pairs.push(pair);
    }
    last = key;
  }
  return { pairs, last: undefined };
}

function bounds(
  keyspaceId: number,
  { start = noBytes, end = noBytes, reverse = false }: RangeRequest,
  behind: Uint8Array | undefined,
): { readonly start: Uint8Array; readonly end: Uint8Array } {
  const first = rowKey(keyspaceId, start);
  const last = end.length === 0 ? rowKey(keyspaceId + 1, noBytes) : rowKey(keyspaceId, end);
  if (behind === undefined) return { start: first, end: last };
  const reached = rowKey(keyspaceId, behind);
  // The next key in bytewise order is the same one with a zero byte behind it.
  return reverse ? { start: first, end: reached } : { start: Buffer.concat([reached, Buffer.of(0)]), end: last };
}
