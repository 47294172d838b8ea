/**
 * Whether the others take this node for who it is. One that lost its directory comes back under its old id with another
 * instance, and knows nothing: neither that it was there before, nor what it acknowledged then. The others know, and
 * refuse it; that is the end of it, before it has voted.
 *
 * A node that has its own instance in its node table was entered there by a majority. Who refuses it all the same lags
 * behind, and is no judge.
 */
import type { PeerRefusalEvent } from '@shanghai/raft/grpc';
import type { NodeEntry } from '../apply/catalogue-command.js';
import type { DataDirectoryError } from '../data-directory-error.js';
import { removedError } from '../members/joining-file.js';
import { replacedBy } from '../refuse-replaced.js';

/** What a watch is made from. */
export interface ReplacedWatchParts {
  readonly nodeId: number;
  readonly instanceId: string;
  /** Of the data directory. */
  readonly path: string;
  /** The node table as this node has it now. */
  readonly nodes: () => readonly NodeEntry[];
}

/** What a node hears that is taken for another one, or for none any more. */
export interface OutcastNews {
  readonly verdict: 'replaced' | 'removed';
  readonly error: DataDirectoryError;
}

/** Hears how other nodes refuse this one. */
export class ReplacedWatch {
  readonly #parts: ReplacedWatchParts;
  #news: OutcastNews | undefined;
  #onNews: ((news: OutcastNews) => void) | undefined;

  constructor(parts: ReplacedWatchParts) {
    this.#parts = parts;
  }

  /** Told once, from now on; throws what was heard before. */
  begin(onNews: (news: OutcastNews) => void): void {
    if (this.#news !== undefined) throw this.#news.error;
    this.#onNews = onNews;
  }

  /** Another node has refused this one. */
  judge({ nodeId: refusingId, refusal, reason }: Pick<PeerRefusalEvent, 'nodeId' | 'refusal' | 'reason'>): void {
    const { nodeId, instanceId, path, nodes } = this.#parts;
    if (this.#news !== undefined) return;
    if (refusal === 'removed') {
      // Ids that were taken out never come back, however little the other node knows otherwise.
      this.#tell({ verdict: 'removed', error: removedError(path, nodeId) });
      return;
    }
    if (refusal !== 'instance') return;
    if (nodes().some((node) => node.nodeId === nodeId && node.instanceId === instanceId)) return;
    this.#tell({ verdict: 'replaced', error: replacedBy(refusingId, reason, this.#parts) });
  }

  #tell(news: OutcastNews): void {
    this.#news = news;
    this.#onNews?.(news);
  }
}
