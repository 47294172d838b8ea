/**
 * Where the files of each log lie: below `logs/` of the data directory, or below the directory of the snapshot that
 * brought them (docs/formats/group-snapshot.md).
 */
import type { LogPlace } from './log-place.js';

/** The directories of a node's logs, and which of them must stay. */
export class LogHomes {
  readonly #root: string;
  /** Logs that lie elsewhere than in the root. */
  readonly #homes = new Map<number, string>();
  /** How often each log is held. */
  readonly #held = new Map<number, number>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The directory of a log's files. */
  directory({ logId, origin, streamEpoch }: LogPlace): string {
    return `${this.treeOf(logId)}/${streamEpoch === undefined ? origin : `${origin}.${streamEpoch}`}`;
  }

  /** The directory of all origins of a log. */
  treeOf(logId: number): string {
    return `${this.#homes.get(logId) ?? this.#root}/${logId}`;
  }

  /** The logs that lie elsewhere than in the root. */
  moved(): number[] {
    return [...this.#homes.keys()];
  }

  /** `home`: the directory of their directories; absent: the root. */
  move(logIds: readonly number[], home: string | undefined): void {
    for (const logId of logIds) {
      if (home === undefined) this.#homes.delete(logId);
      else this.#homes.set(logId, home);
    }
  }

  isHeld(logId: number): boolean {
    return this.#held.has(logId);
  }

  /** Keeps what these logs hold now, until what is returned is called. That may be called again. */
  hold(logIds: readonly number[]): () => void {
    for (const logId of logIds) this.#held.set(logId, (this.#held.get(logId) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      for (const logId of logIds) {
        const left = (this.#held.get(logId) ?? 0) - 1;
        if (left > 0) this.#held.set(logId, left);
        else this.#held.delete(logId);
      }
    };
  }
}
