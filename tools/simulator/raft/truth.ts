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
  /** Every entry that somebody has applied; the index is the place. */
  readonly #applied: (AppliedEntry | undefined)[] = [];
  /** Digest of the state after each index. */
  readonly #digests: (number | undefined)[] = [];
  /** Term and content of every entry that somebody has written, and the term before it, by `index/term`. */
  readonly #written = new Map<string, string>();
  /** Whom a node voted for, by `node/term`. */
  readonly #votes = new Map<string, number>();
  /** The highest index of a proposal that a client was told of. */
  #acknowledgedIndex = 0;

  get acknowledgedIndex(): number {
    return this.#acknowledgedIndex;
  }

  /** The highest index that somebody has applied. */
  get appliedIndex(): number {
    return this.#applied.length - 1;
  }

  /** Election safety, and leader completeness. `termAt`: of the leader's log, `undefined` where it is compacted or ends. */
  elected(id: number, term: number, lastIndex: number, termAt: (index: number) => number | undefined): void {
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== id) {
      throw new Violation(`election safety: ${id} and ${other} both lead term ${term}`);
    }
    this.#leaders.set(term, id);
    // A leader of an old term may be elected late, when a newer one has committed more: what counts is what was
    // committed before its term.
    for (let index = this.#applied.length - 1; index > 0; index--) {
      const entry = this.#applied[index];
      if (entry !== undefined && entry.knownInTerm >= term) continue;
      const own = termAt(index);
      if (entry === undefined || (own === undefined && index <= lastIndex)) break;
      if (own !== entry.term) {
        throw new Violation(
          `leader completeness: ${id} leads term ${term} with ${own ?? 'nothing'} at ${index}, committed was ${entry.term}`,
        );
      }
    }
  }

  /** A node votes for one candidate of a term, whatever happens to it between two votes. */
  voted(id: number, term: number, candidate: number): void {
    const key = `${id}/${term}`;
    const other = this.#votes.get(key);
    if (other !== undefined && other !== candidate) {
      throw new Violation(`one vote: ${id} voted for ${other} and for ${candidate} in term ${term}`);
    }
    this.#votes.set(key, candidate);
  }

  /** Log matching: entries with the same index and term are the same, and behind the same one. */
  written(id: number, entry: Entry, termBefore: number | undefined): void {
    const key = `${entry.index}/${entry.term}`;
    const text = `${termBefore} ${contentOf(entry)}`;
    const known = this.#written.get(key);
    if (known === undefined) this.#written.set(key, text);
    else if (known !== text) {
      throw new Violation(`log matching: at ${key} ${id} writes '${text}', somebody else '${known}'`);
    }
  }

  /** State machine safety, and log matching of what is committed. `nodeTerm`: that of the node that applies it. */
  appliedEntry(id: number, entry: Entry, digest: number, nodeTerm: number): void {
    const content = contentOf(entry);
    const known = this.#applied[entry.index];
    if (known === undefined) this.#applied[entry.index] = { term: entry.term, content, knownInTerm: nodeTerm };
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

interface AppliedEntry {
  readonly term: number;
  readonly content: string;
  /** It was committed in this term, or an earlier one. */
  readonly knownInTerm: number;
}

function contentOf({ type, data }: Entry): string {
  return `${type} ${Buffer.from(data).toString('base64')}`;
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
