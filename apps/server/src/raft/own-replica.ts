/**
 * The node's own group on this node (apply/own-group.ts). Most nodes never need one, so it is made when the first log or
 * keyspace of mode multi-master is heard of, and opened with the node from then on.
 */
import type { Replica } from './replica.js';

/** The own group, once it is there. */
export class OwnReplica {
  readonly #open: () => Promise<Replica>;
  #opening: Promise<Replica> | undefined;
  #replica: Replica | undefined;
  #isServing = false;
  #isClosed = false;

  /** `open` makes the group where there is none. */
  constructor(open: () => Promise<Replica>) {
    this.#open = open;
  }

  /** `undefined`: it is not open yet. */
  get replica(): Replica | undefined {
    return this.#replica;
  }

  /** As a list to go through with those of other groups. */
  get all(): readonly Replica[] {
    return this.#replica === undefined ? [] : [this.#replica];
  }

  /** Opens it where it is not open. Rejects as opening a group does; then the next call tries again. */
  open(): Promise<Replica> {
    if (this.#isClosed) return Promise.reject(new Error('the node is closing'));
    this.#opening ??= this.#openOnce().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** See `GroupState.beginServing`; holds for when it is opened later, too. */
  beginServing(): void {
    this.#isServing = true;
    this.#replica?.state.beginServing();
  }

  /** From now on it is not opened any more. Resolves when an opening under way has ended. */
  async stop(): Promise<void> {
    this.#isClosed = true;
    await this.#opening?.catch(() => undefined);
  }

  async #openOnce(): Promise<Replica> {
    const replica = await this.#open();
    if (this.#isServing) replica.state.beginServing();
    this.#replica = replica;
    return replica;
  }
}
