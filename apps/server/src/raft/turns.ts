/** Does one thing after the other, in the order of the calls. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Begins when everything before has ended, however it ended. */
  run<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** Resolves when everything that was begun before the call has ended. */
  async idle(): Promise<void> {
    await this.#last;
  }
}
