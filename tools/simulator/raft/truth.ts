/**
 * What must hold of all nodes together, checked as things happen. The names are those of the Raft paper, figure 3, where
 * it has one.
 */
import type { Entry, RawNode, StateType } from '@shanghai/raft';

/** Something happened that consensus rules out. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** What is known of the whole group, by somebody who sees everything. */
export class Truth {
  /** Leader of each term. */
  readonly #leaders = new Map<number, number>();
  /** Term and content of every entry that somebody has applied; the index is the place. */
  readonly #applied: ({ readonly term: number; readonly content: string } | undefined)[] = [];
  /** Digest of the state after each index. */
  readonly #digests: (number | undefined)[] = [];
  /** The highest index of a proposal that a client was told of. */
  #acknowledgedIndex = 0;

  get acknowledgedIndex(): number {
    return this.#acknowledgedIndex;
  }

  /** The highest index that somebody has applied. */
  get appliedIndex(): number {
    return this.#applied.length - 1;
  }

  /** Election safety, and leader completeness. */
  elected(id: number, term: number, termAt: (index: number) => number | undefined): void {
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== id) {
      throw new Violation(`election safety: ${id} and ${other} both lead term ${term}`);
    }
    this.#leaders.set(term, id);
    for (let index = this.#applied.length - 1; index > 0; index--) {
      const entry = this.#applied[index];
      const own = termAt(index);
      if (entry === undefined || own === undefined) break;
      if (own !== entry.term) {
        throw new Violation(
          `leader completeness: ${id} leads term ${term} with ${own} at ${index}, committed was ${entry.term}`,
        );
      }
    }
  }

  /** State machine safety, and log matching of what is committed. */
  appliedEntry(id: number, entry: Entry, digest: number): void {
    const content = `${entry.type} ${Buffer.from(entry.data).toString('base64')}`;
    const known = this.#applied[entry.index];
    if (known === undefined) this.#applied[entry.index] = { term: entry.term, content };
    else if (known.term !== entry.term || known.content !== content) {
      throw new Violation(
        `state machine safety: ${id} applied ${entry.term} '${content}' at ${entry.index}, somebody else ${known.term} '${known.content}'`,
      );
    }
    this.stateAt(id, entry.index, digest);
  }

  /** The state after an index is the same everywhere, also where it came by a snapshot. */
  stateAt(id: number, index: number, digest: number): void {
    const known = this.#digests[index];
    if (known === undefined) this.#digests[index] = digest;
    else if (known !== digest) throw new Violation(`state machine safety: the state of ${id} at ${index} differs`);
  }

  acknowledged(index: number): void {
    this.#acknowledgedIndex = Math.max(this.#acknowledgedIndex, index);
  }

  /** A read must see every write that was acknowledged before it was asked for. */
  read(id: number, acknowledgedBefore: number, seen: number): void {
    if (seen < acknowledgedBefore) {
      throw new Violation(`stale read: ${id} answered as of ${seen}, ${acknowledgedBefore} was acknowledged before`);
    }
  }

  /** What a node says of itself never goes back while it runs. */
  moved(id: number, before: NodeMarks, after: NodeMarks): void {
    for (const mark of ['term', 'commit', 'applied'] as const) {
      if (after[mark] < before[mark]) {
        throw new Violation(`monotone ${mark}: that of ${id} went from ${before[mark]} to ${after[mark]}`);
      }
    }
    if (after.applied > after.commit)
      throw new Violation(`${id} applied ${after.applied} of ${after.commit} committed`);
  }
}

/** Where a node stands. */
export interface NodeMarks {
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  readonly state: StateType;
}

/** The marks of a node now. */
export function marksOf(raft: RawNode): NodeMarks {
  const { term, commit, applied, state } = raft.marks();
  return { term, commit, applied, state };
}
