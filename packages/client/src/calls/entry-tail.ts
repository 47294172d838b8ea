/**
 * Entries out of pages, as an iterator of its own: what a page still has is given at once, and an async generator would take
 * several turns of the queue for each entry.
 */
import type { LogTailResponse } from '@shanghai/proto';
import type { LogEntry } from '../named-logs.js';
import type { PageEntries } from '../wire/page-entries.js';

/** Pages that come, and who remembers what was given of them. */
export interface TailPages {
  /** A page and its entries; the next one is asked for when all of it was given. */
  pages(): AsyncGenerator<{ readonly message: LogTailResponse; readonly entries: PageEntries }, void, undefined>;
  /** Called before an entry is given. False where it was given before. */
  give(entry: LogEntry): boolean;
  /** A page was given wholly. */
  passed(message: LogTailResponse): void;
}

type Result = IteratorResult<LogEntry, void>;

/** The entries of a tail. */
export class EntryTail implements AsyncIterableIterator<LogEntry, void, undefined> {
  readonly #source: TailPages;
  readonly #pages: ReturnType<TailPages['pages']>;
  #page: { readonly message: LogTailResponse; readonly entries: PageEntries } | undefined;
  /** Calls that wait for a page, one behind the other. */
  #waiting: Promise<unknown> | undefined;

  constructor(source: TailPages) {
    this.#source = source;
    this.#pages = source.pages();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    const entry = this.#waiting === undefined ? this.#take() : undefined;
    return entry === undefined ? this.#inTurn(() => this.#fetch()) : Promise.resolve({ value: entry, done: false });
  }

  return(): Promise<Result> {
    return this.#inTurn(async () => {
      this.#page = undefined;
      await this.#pages.return();
      return { value: undefined, done: true };
    });
  }

  #inTurn(work: () => Promise<Result>): Promise<Result> {
    const result = this.#waiting === undefined ? work() : this.#waiting.then(work);
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.#waiting = settled;
    void settled.then(() => {
      if (this.#waiting === settled) this.#waiting = undefined;
    });
    return result;
  }

  async #fetch(): Promise<Result> {
    for (;;) {
      const entry = this.#take();
      if (entry !== undefined) return { value: entry, done: false };
      const next = await this.#pages.next();
      if (next.done === true) return { value: undefined, done: true };
      this.#page = next.value;
    }
  }

  #take(): LogEntry | undefined {
    const page = this.#page;
    if (page === undefined) return undefined;
    for (;;) {
      const entry = page.entries.next();
      if (entry === undefined) break;
      if (this.#source.give(entry)) return entry;
    }
    this.#source.passed(page.message);
    this.#page = undefined;
    return undefined;
  }
}
