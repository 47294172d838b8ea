/** Operators at work: nodes that join, leave and are replaced while everything else goes wrong, too. */
import type { Random } from '@shanghai/env';
import type { ShanghaiNode } from '@shanghai/server/testing';
import type { VirtualWorld } from './virtual-world.js';

/** A node of the cluster, as operators see it. */
export interface OperatedNode {
  readonly id: number;
  /** Absent: it is down, or was taken out. */
  readonly node: ShanghaiNode | undefined;
}

/** What operators work on. */
export interface MemberChangesParts {
  readonly world: VirtualWorld;
  readonly random: Random;
  /** Who was started and not taken out. */
  nodes(): readonly OperatedNode[];
  /** Starts a new node; `false` where there is no machine left for it. */
  begin(): boolean;
  count(what: string): void;
}

/** So few nodes a cluster keeps. */
const leastNodes = 3;
const mostNodes = 6;

/** Whoever changes the members, one wish at a time. */
export class MemberChanges {
  readonly #parts: MemberChangesParts;

  constructor(parts: MemberChangesParts) {
    this.#parts = parts;
  }

  /** Makes one wish, at any node that is up. */
  wish(): void {
    const { random, nodes, begin, count } = this.#parts;
    const all = nodes();
    const up = all.flatMap(({ node }) => node ?? []);
    const asked = up[random.below(Math.max(1, up.length))];
    const kind = random.float();
    if (all.length < mostNodes && (kind < 0.4 || all.length <= leastNodes)) {
      if (begin()) count('joins');
      return;
    }
    const victim = all[random.below(all.length)];
    const members = asked?.members;
    if (members === undefined || victim === undefined) return;
    if (kind < 0.7) this.#tell('leaves', victim.id, members.leave(victim.id, false));
    else if (kind < 0.9) this.#tell('replacements', victim.id, members.replace(victim.id, 0, false));
    else this.#tell('factors', 3, members.setReplicationFactor(3 + 2 * random.below(2)));
  }

  #tell(what: string, id: number, work: Promise<void>): void {
    const { world, count } = this.#parts;
    world.trace(() => `wish: ${what} ${id}`);
    work.then(
      () => count(what),
      (error: Error) => {
        count(`${what} refused`);
        world.trace(() => `wish: ${what} ${id}: ${error.message}`);
      },
    );
  }
}
