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

/** Hears how other nodes refuse this one. */
export class ReplacedWatch {
  readonly #parts: ReplacedWatchParts;
  #error: DataDirectoryError | undefined;
  #onReplaced: ((error: DataDirectoryError) => void) | undefined;

  constructor(parts: ReplacedWatchParts) {
    this.#parts = parts;
  }

  /** `REPLACED`, once another node has said so. */
  get error(): DataDirectoryError | undefined {
    return this.#error;
  }

  /** Told once, from now on; throws where it was heard before. */
  begin(onReplaced: (error: DataDirectoryError) => void): void {
    if (this.#error !== undefined) throw this.#error;
    this.#onReplaced = onReplaced;
  }

  /** Another node has refused this one. */
  judge({ nodeId: refusingId, refusal, reason }: Pick<PeerRefusalEvent, 'nodeId' | 'refusal' | 'reason'>): void {
    const { nodeId, instanceId, nodes } = this.#parts;
    if (refusal !== 'instance' || this.#error !== undefined) return;
    if (nodes().some((node) => node.nodeId === nodeId && node.instanceId === instanceId)) return;
    this.#error = replacedBy(refusingId, reason, this.#parts);
    this.#onReplaced?.(this.#error);
  }
}
