/**
 * A range as pages, each read when the consumer asks for it and each at its own moment: a consumer that stops costs one
 * page, and no iterator stays open between two of them. A page ends at its number of pairs or bytes; one more pair is
 * looked at to know whether the range goes on.
 */
import { dataKey, dataKeyHeadBytes } from '../apply/state-keys.js';
import { decodeStoredValue } from '../apply/stored-value.js';
import type { NodeLimits } from '../limits.js';
import type { Replica } from '../raft/replica.js';
import type { RangePage, RangeRequest, StoredPair } from './key-value-requests.js';
import { decodeContinuation, encodeContinuation } from './range-continuation.js';
import type { Answered, ReadContext, RequestContext } from './request-context.js';

/** Which range of which keyspace. */
export interface PagedRange {
  readonly replica: Replica;
  /** `undefined`: nobody has written to the keyspace. */
  readonly keyspaceId: () => Promise<number | undefined>;
  readonly request: RangeRequest;
  readonly read: ReadContext;
  readonly limits: NodeLimits;
}

const noBytes = new Uint8Array(0);

/** The pages of a range, at least one. */
export async function* rangePages(range: PagedRange, context: RequestContext): AsyncGenerator<Answered<RangePage>> {
  const { request, read, replica } = range;
  let left = request.limit === undefined || request.limit === 0 ? Number.POSITIVE_INFINITY : request.limit;
  let behind =
    request.continuation === undefined || request.continuation.length === 0
      ? undefined
      : decodeContinuation(request.continuation, request, read.keyspace);
  for (;;) {
    const staleMs = await replica.readBarrier(read);
    const { pairs, more } = await readPage(range, behind, left, context.signal);
    left -= pairs.length;
    behind = pairs.at(-1)?.key ?? behind;
    const goesOn = more && behind !== undefined;
    const continuation = goesOn ? encodeContinuation(request, read.keyspace, behind as Uint8Array) : undefined;
    const page: RangePage = continuation === undefined ? { pairs } : { pairs, continuation };
    yield { value: page, token: replica.token(), staleMs };
    if (!goesOn || left === 0 || context.signal.aborted) return;
  }
}

async function readPage(
  range: PagedRange,
  behind: Uint8Array | undefined,
  left: number,
  signal: AbortSignal,
): Promise<{ pairs: StoredPair[]; more: boolean }> {
  const keyspaceId = await range.keyspaceId();
  if (keyspaceId === undefined) return { pairs: [], more: false };
  const { replica, limits, request } = range;
  const maxPairs = Math.min(limits.pagePairs, left);
  const pairs: StoredPair[] = [];
  let bytes = 0;
  let more = false;
  let due = false;
  const entries = replica.store.range({
    ...bounds(keyspaceId, request, behind),
    ...(request.prefix === undefined ? {} : { prefix: new Uint8Array(dataKey(keyspaceId, request.prefix)) }),
    reverse: request.reverse === true,
    limit: maxPairs + 1,
    horizonMs: replica.machine.visible.logTimeMs,
    signal,
  });
  for await (const entry of entries) {
    const key = entry.key.subarray(dataKeyHeadBytes);
    const { revision, value } = decodeStoredValue(entry.value);
    const size = key.length + (request.keysOnly === true ? 0 : value.length);
    if (pairs.length === maxPairs || (pairs.length > 0 && bytes + size > limits.pageBytes)) {
      more = true;
      break;
    }
    bytes += size;
    due ||= replica.isDue(entry.expiresAtMs);
    const { expiresAtMs } = entry;
    pairs.push({ key, value: request.keysOnly === true ? noBytes : value, revision, expiresAtMs });
  }
  if (!due) return { pairs, more };
  // Something should be gone by now: let log time say so, and show what is left of the page.
  await replica.advanceTime();
  const { logTimeMs } = replica.machine.visible;
  const live = pairs.filter((pair) => pair.expiresAtMs === 0 || pair.expiresAtMs > logTimeMs);
  if (live.length > 0 || !more) return { pairs: live, more };
  return readPage(range, (pairs.at(-1) as StoredPair).key, left, signal);
}

/** The keyspace's bounds narrowed by the request's and by what was returned already. */
function bounds(
  keyspaceId: number,
  request: RangeRequest,
  behind: Uint8Array | undefined,
): { readonly start: Uint8Array; readonly end: Uint8Array } {
  const { start = noBytes, end = noBytes, reverse = false } = request;
  const first = dataKey(keyspaceId, start);
  const last = end.length === 0 ? dataKey(keyspaceId + 1, noBytes) : dataKey(keyspaceId, end);
  if (behind === undefined) return { start: first, end: last };
  const reached = dataKey(keyspaceId, behind);
  if (reverse) return { start: first, end: reached };
  // The next key in bytewise order is the same one with a zero byte behind it.
  return { start: Buffer.concat([reached, Buffer.from([0])]), end: last };
}
