/** What must hold of keys that only grow: every write once, and whatever anybody ever saw a beginning of the end. */
import { Violation } from '../raft/truth.js';

interface Appended {
  readonly acknowledged: Set<string>;
  readonly refused: Set<string>;
  /** Values that somebody saw. */
  readonly seen: Set<string>;
}

/** Everything that is known of these keys. Tokens end in `;` and each is written at most once. */
export class AppendedKeys {
  readonly #keys = new Map<string, Appended>();

  acknowledged(key: string, token: string): void {
    this.#of(key).acknowledged.add(token);
  }

  /** Whoever asked was told that nothing was done. */
  refused(key: string, token: string): void {
    this.#of(key).refused.add(token);
  }

  /** Somebody read it, at whatever level. */
  seen(key: string, value: string | undefined): void {
    this.#of(key).seen.add(value ?? '');
  }

  get keys(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /** Throws a `Violation` unless `value` is what this key can hold at the end. */
  check(key: string, value: string): void {
    const tokens = value.split(';').filter((token) => token !== '');
    const held = new Set(tokens.map((token) => `${token};`));
    const { acknowledged, refused, seen } = this.#of(key);
    if (held.size !== tokens.length) throw new Violation(`exactly once: ${key} holds something twice: ${value}`);
    for (const token of acknowledged) {
      if (!held.has(token)) throw new Violation(`durability: ${key} lacks ${token}, which was acknowledged: ${value}`);
    }
    for (const token of refused) {
      if (held.has(token)) throw new Violation(`truth: ${key} holds ${token}, which was refused: ${value}`);
    }
    for (const earlier of seen) {
      if (!value.startsWith(earlier)) {
        throw new Violation(`one order: ${key} was seen as ${earlier} and is ${value}`);
      }
    }
  }

  #of(key: string): Appended {
    let known = this.#keys.get(key);
    if (known === undefined) {
      known = { acknowledged: new Set(), refused: new Set(), seen: new Set() };
      this.#keys.set(key, known);
    }
    return known;
  }
}
