/** Which keys clients use: small families, each for one kind of proof, used for a while and then left for new ones. */
import type { Random } from '@shanghai/env';

/**
 * `pair`: two keys of one group that are written together, on conditions, and one by one. `appended`: a key that only
 * grows, so that every write ever acknowledged is to be seen at the end. `expiring`: a key whose values go by themselves.
 */
export type FamilyKind = 'pair' | 'appended' | 'expiring';

/** A family of keys. */
export interface KeyFamily {
  readonly name: string;
  readonly kind: FamilyKind;
  readonly keys: readonly string[];
}

const usesOf: Readonly<Record<FamilyKind, number>> = { pair: 80, appended: 150, expiring: 60 };

/** Hands out families. */
export class KeyFamilies {
  readonly #random: Random;
  readonly #current: { family: KeyFamily; left: number }[] = [];
  /** All that there ever were. */
  readonly all: KeyFamily[] = [];

  constructor(random: Random) {
    this.#random = random;
    for (const kind of ['pair', 'pair', 'pair', 'appended', 'appended', 'expiring'] as const) this.#make(kind);
  }

  /** One to use now. */
  draw(): KeyFamily {
    const at = this.#random.below(this.#current.length);
    const drawn = this.#current[at] as { family: KeyFamily; left: number };
    if (--drawn.left === 0) {
      this.#current.splice(at, 1);
      this.#make(drawn.family.kind);
    }
    return drawn.family;
  }

  #make(kind: FamilyKind): void {
    const name = `${kind}-${this.all.length}`;
    // What is in braces alone decides on the group.
    const keys = kind === 'pair' ? [`{${name}}a`, `{${name}}b`] : [kind === 'appended' ? `appended/${name}` : name];
    const family = { name, kind, keys };
    this.all.push(family);
    this.#current.push({ family, left: usesOf[kind] });
  }
}
