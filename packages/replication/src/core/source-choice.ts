/**
 * From whom the entries of each origin are fetched: from one source at a time, or every entry would come as often as there
 * are peers. The origin itself, whenever it can be reached; else, after a while, whoever holds more of it than this node,
 * and then the same one for as long as it has more. What this node itself lost, in epochs that have ended, comes back to it
 * from others in the same way. A source that is left may still bring something: it is cut off where it overlaps.
 *
 * Where rows will come in the place of trimmed entries, they come from one source at a time: those of two would be merged
 * twice, and what one of them left half done would have to be undone for the other. So that source is asked for all origins
 * of which rows are needed, until none are.
 */
import { streamKey } from './entry-id.js';
import type { VersionVector } from './version-vector.js';

/** What there is to choose from. */
export interface Sources {
  readonly nowMs: number;
  /** Whom this node has a session with, and what they say they hold. */
  readonly reachable: ReadonlyMap<number, VersionVector>;
  /** Nodes that may come within reach; other origins were removed, and only others have their entries. */
  readonly members: ReadonlySet<number>;
  readonly held: VersionVector;
  /** In which this node writes: of it others hold no more than this node. */
  readonly ownEpoch: number;
  /** Whether rows come in the place of a log's trimmed entries. */
  readonly hasRows: (logId: number) => boolean;
}

/** Chooses, and remembers what was chosen. */
export class SourceChoice {
  readonly #own: number;
  readonly #relayDelayMs: number;
  readonly #missedSinceMs = new Map<number, number>();
  #chosen: ReadonlyMap<number, number> = new Map();
  /** Who sends rows now. */
  #giver: number | undefined;

  constructor(own: number, relayDelayMs: number) {
    this.#own = own;
    this.#relayDelayMs = relayDelayMs;
  }

  /** Origin → source, as it was chosen last. */
  get chosen(): ReadonlyMap<number, number> {
    return this.#chosen;
  }

  /** Origin → source, from now on. An origin without one is not named. */
  choose(sources: Sources): ReadonlyMap<number, number> {
    const { reachable, members, held } = sources;
    const origins = new Set([...members, ...held.origins()]);
    for (const vector of reachable.values()) for (const origin of vector.origins()) origins.add(origin);
    const chosen = new Map<number, number>();
    for (const origin of origins) {
      const source = this.#sourceOf(origin, sources);
      if (source !== undefined) chosen.set(origin, source);
    }
    this.#chooseGiver(chosen, sources);
    this.#chosen = chosen;
    return chosen;
  }

  #chooseGiver(chosen: Map<number, number>, sources: Sources): void {
    const needing = [...chosen].filter(([origin, source]) => needsRows(origin, source, sources));
    const isKept = needing.some(([, source]) => source === this.#giver);
    if (!isKept) this.#giver = needing.length === 0 ? undefined : Math.min(...needing.map(([, source]) => source));
    if (this.#giver === undefined) return;
    for (const [origin] of needing) chosen.set(origin, this.#giver);
  }

  #sourceOf(origin: number, sources: Sources): number | undefined {
    const { nowMs, reachable, members } = sources;
    if (origin !== this.#own) {
      if (reachable.has(origin)) {
        this.#missedSinceMs.delete(origin);
        return origin;
      }
      const sinceMs = this.#missedSinceMs.get(origin) ?? nowMs;
      this.#missedSinceMs.set(origin, sinceMs);
      if (members.has(origin) && nowMs - sinceMs < this.#relayDelayMs) return undefined;
    }
    return this.#relayOf(origin, sources);
  }

  #relayOf(origin: number, { reachable, held, ownEpoch }: Sources): number | undefined {
    const current = this.#chosen.get(origin);
    let best: number | undefined;
    let bestLead = 0;
    const beforeEpoch = origin === this.#own ? ownEpoch : Number.POSITIVE_INFINITY;
    for (const [nodeId, vector] of reachable) {
      const lead = vector.leadOver(held, origin, beforeEpoch);
      if (lead > 0 && nodeId === current) return current;
      if (lead > bestLead) {
        best = nodeId;
        bestLead = lead;
      }
    }
    if (best !== undefined) return best;
    // It has no more now, but may be the first that gets more. The marks of the origin come from there too.
    const isKept = origin !== this.#own && current !== undefined && current !== origin && reachable.has(current);
    return isKept ? current : this.#anyRelay(origin, reachable);
  }

  /** Even who has no more entries may have a later mark: somebody must be asked. */
  #anyRelay(origin: number, reachable: ReadonlyMap<number, VersionVector>): number | undefined {
    if (origin === this.#own) return undefined;
    let lowest: number | undefined;
    for (const nodeId of reachable.keys()) if (lowest === undefined || nodeId < lowest) lowest = nodeId;
    return lowest;
  }
}

/** Whether a source has trimmed what this node lacks of an origin in logs that have rows. */
function needsRows(origin: number, source: number, { reachable, held, hasRows }: Sources): boolean {
  for (const { stream, firstSequence } of reachable.get(source)?.ofOrigin(origin) ?? []) {
    if (firstSequence > held.lastOf(streamKey(stream)) + 1 && hasRows(stream.logId)) return true;
  }
  return false;
}
