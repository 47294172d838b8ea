// Which node leads a group? What is known of it, as a pure state machine, so that a table can test every case.
//
// Any node may be asked: one that does not lead refuses without doing anything, and mostly names the leader. Such a hint
// is followed at once. But hints may be old, and while a group elects, nodes may name each other, or nobody: so only a
// few are followed in a row. After that the search waits a while (the caller's back-off), and begins again.
//
// Only a write that was done proves a leader; reads are answered by replicas too, and say nothing.

/** Hints followed in a row before the search waits. */
export const maxHopsInARow = 3;

/** What to do after a refusal: `follow` the search to its new target at once, or `wait` before the next attempt. */
export type SearchStep = 'follow' | 'wait';

/** The search for the leader of one group. `Node` is compared by identity. */
export class LeaderSearch<Node> {
  #leader: Node | undefined;
  #proven = false;
  #hops = 0;

  /** The node that probably leads; `undefined`: nobody is known. */
  get leader(): Node | undefined {
    return this.#leader;
  }

  /** Whether that node has done a write since it was found. */
  get isProven(): boolean {
    return this.#proven;
  }

  /**
   * `by` refused, naming `named` (absent: nobody, or nobody who can be reached). `others`: how many further nodes could be
   * asked instead; each may be asked once before the search waits.
   */
  refused(by: Node, named: Node | undefined, others: number): SearchStep {
    // Somebody else was found meanwhile; what this one believes is older.
    if (this.#leader !== undefined && this.#leader !== by) return 'follow';
    this.#become(named === by ? undefined : named);
    const allowed = this.#leader === undefined ? others : Math.max(others, maxHopsInARow);
    if (this.#hops < allowed) {
      this.#hops++;
      return 'follow';
    }
    this.#hops = 0;
    return 'wait';
  }

  /** The node cannot be reached, or broke its connection. */
  lost(node: Node): void {
    if (this.#leader === node) this.#become(undefined);
  }

  /** Somebody who does not lead says who does. Believed unless a leader is proven, or where `insist`. */
  told(node: Node, insist: boolean): void {
    if (this.#leader === node || (this.#proven && !insist)) return;
    this.#become(node);
  }

  /** The node did a write: it leads. */
  proved(node: Node): void {
    this.#leader = node;
    this.#proven = true;
    this.#hops = 0;
  }

  #become(leader: Node | undefined): void {
    this.#leader = leader;
    this.#proven = false;
  }
}
