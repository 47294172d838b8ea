/**
 * Members that lack entries and get none: a learner whose snapshot never ends, a follower whose log does not fit. Seen from
 * what leaders say of them over time.
 */
import type { Copy } from './cluster-sight.js';

/** A member that does not advance although there is something for it. */
export interface StuckMember {
  readonly groupId: number;
  readonly nodeId: number;
  readonly isLearner: boolean;
}

/** A member that has not advanced for so long is stuck. */
export const stuckMs = 30_000;

interface Progress {
  readonly matchIndex: number;
  readonly snapshotSent: number | undefined;
  readonly sinceMs: number;
}

/** Remembers how far each member has come. */
export class StuckMembers {
  readonly #progress = new Map<string, Progress>();

  /** Looks at what is known now (`nowMs` never falls) and names those that are stuck. Members that are not heard are left out: they are down. */
  look(copies: readonly Copy[], nowMs: number): readonly StuckMember[] {
    const stuck: StuckMember[] = [];
    const seen = new Set<string>();
    for (const { group } of copies) {
      if (group.role !== 'leader') continue;
      for (const { nodeId, matchIndex, snapshotSent, isLearner, isActive } of group.members) {
        if (!isActive || matchIndex >= group.commitIndex) continue;
        const key = `${group.groupId}/${nodeId}`;
        seen.add(key);
        const known = this.#progress.get(key);
        if (known === undefined || known.matchIndex !== matchIndex || known.snapshotSent !== snapshotSent) {
          this.#progress.set(key, { matchIndex, snapshotSent, sinceMs: nowMs });
        } else if (nowMs - known.sinceMs >= stuckMs) stuck.push({ groupId: group.groupId, nodeId, isLearner });
      }
    }
    for (const key of this.#progress.keys()) if (!seen.has(key)) this.#progress.delete(key);
    return stuck;
  }
}
