/**
 * Pages of another node's rows on their way into the own group. A page says what there is in a range of keys; where this
 * node has many rows in that range, it goes in as several commands, so that none of them holds the node up for long.
 */
import { compareKeys, encodeRowPage, type GivenPage, ReplicationError } from '@shanghai/replication';
import { keyOfRow, rowKey } from '../apply/keyspace-keys.js';
import type { Replica } from '../raft/replica.js';
import { ServerError } from '../requests/server-error.js';

/** Rows of this node that one command goes through, about. */
const maxOwnRows = 1000;

const noBytes = new Uint8Array(0);

/** What it needs. */
export interface RowMergeParts {
  readonly own: Replica;
  readonly maxCommandBytes: number;
  /** Proposes a command to the own group; resolves when it is applied, also after a full disk. */
  readonly propose: (keyspaceId: number, page: Uint8Array) => Promise<unknown>;
}

/** Merges a page. Rejects with `GAP` where it does not follow the one before, or `BUSY` where it is too large. */
export async function mergePage(parts: RowMergeParts, keyspaceId: number, page: GivenPage): Promise<void> {
  for (const part of splitPage(page, await cutsOf(parts.own, keyspaceId, page))) {
    const bytes = encodeRowPage(part);
    if (bytes.length > parts.maxCommandBytes) {
      throw new ReplicationError('BUSY', `rows of ${bytes.length} bytes; a command takes ${parts.maxCommandBytes}`);
    }
    try {
      await parts.propose(keyspaceId, bytes);
    } catch (error) {
      if (!(error instanceof ServerError) || error.code !== 'CONFLICT') throw error;
      throw new ReplicationError('GAP', error.message, { cause: error });
    }
  }
}

/** Keys at which a page is cut. */
async function cutsOf(own: Replica, keyspaceId: number, { from, to }: GivenPage): Promise<Uint8Array[]> {
  const start = rowKey(keyspaceId, from ?? noBytes);
  const end = to === undefined ? rowKey(keyspaceId + 1, noBytes) : rowKey(keyspaceId, to);
  const cuts: Uint8Array[] = [];
  let rows = 0;
  for await (const { key } of own.store.range({ start, end, keysOnly: true, horizonMs: 0 })) {
    rows++;
    if (rows % maxOwnRows === 0) cuts.push(Uint8Array.from(keyOfRow(key)));
  }
  return cuts;
}

/** A page as several that follow each other, cut before these keys, which lie within it. */
export function splitPage(page: GivenPage, cuts: readonly Uint8Array[]): GivenPage[] {
  const { giving, floor, rows, end } = page;
  const bounds = [
    page.from,
    ...cuts.filter((cut) => page.from === undefined || compareKeys(cut, page.from) > 0),
    page.to,
  ];
  return bounds.slice(1).map((to, i) => {
    const from = bounds[i];
    const isIn = ({ key }: { key: Uint8Array }) =>
      (from === undefined || compareKeys(key, from) >= 0) && (to === undefined || compareKeys(key, to) < 0);
    return {
      ...{ giving, floor, rows: rows.filter(isIn) },
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? (end === undefined ? {} : { end }) : { to }),
    };
  });
}
