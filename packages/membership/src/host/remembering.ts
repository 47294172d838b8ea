import type { MembershipMemory, RememberedMembership } from '../ports/membership-memory.js';

/** Keeps what changes, one save at a time; what changes meanwhile goes with the next. */
export class Remembering {
  readonly #memory: MembershipMemory | undefined;
  readonly #onFailed: (error: unknown) => void;
  #wanted: RememberedMembership | undefined;
  #saving: Promise<void> | undefined;

  constructor(memory: MembershipMemory | undefined, onFailed: (error: unknown) => void) {
    this.#memory = memory;
    this.#onFailed = onFailed;
  }

  /** To be kept, instead of what was not kept yet. */
  save(remembered: RememberedMembership): void {
    if (this.#memory === undefined) return;
    this.#wanted = remembered;
    this.#saving ??= this.#saveAll(this.#memory);
  }

  /** Resolves when nothing is left to keep, or keeping failed. */
  async settled(): Promise<void> {
    await this.#saving;
  }

  async #saveAll(memory: MembershipMemory): Promise<void> {
    while (this.#wanted !== undefined) {
      const wanted = this.#wanted;
      this.#wanted = undefined;
      try {
        await memory.save(wanted);
      } catch (error) {
        this.#onFailed(error);
      }
    }
    this.#saving = undefined;
  }
}
