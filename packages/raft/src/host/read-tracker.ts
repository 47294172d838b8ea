import type { Random } from '@shanghai/env';
import { refusal } from './proposal-error.js';

interface Reader {
  readonly resolve: (index: number) => void;
  readonly reject: (error: Error) => void;
}

interface AskedReads {
  readonly readers: readonly Reader[];
  readonly sinceMs: number;
}

/** As many reads may wait in one group. */
const maxReads = 65_536;

/** Reads of this node that wait for an index. Those of one turn are asked for together, under one number. */
export class ReadTracker {
  #queued: Reader[] = [];
  readonly #asked = new Map<number, AskedReads>();
  /** Starts anywhere: an answer to a question of before a restart must not be taken for one of now. */
  #lastContext: number;
  #count = 0;

  constructor(random: Random) {
    this.#lastContext = random.uint32() * 2 ** 20;
  }

  get count(): number {
    return this.#count;
  }

  queue(): Promise<number> {
    if (this.#count >= maxReads) return Promise.reject(refusal('BUSY', `${maxReads} reads wait already`));
    this.#count++;
    return new Promise((resolve, reject) => this.#queued.push({ resolve, reject }));
  }

  /** The number under which all that wait are to be asked for now; `undefined` where none do. */
  ask(nowMs: number): number | undefined {
    if (this.#queued.length === 0) return undefined;
    const context = ++this.#lastContext;
    this.#asked.set(context, { readers: this.#queued, sinceMs: nowMs });
    this.#queued = [];
    return context;
  }

  /** Somebody else leads: who was asked may be gone. Those that wait are asked for anew; others' answers are late. */
  askAgain(): void {
    const waiting = [...this.#asked.values()].flatMap(({ readers }) => readers);
    this.#asked.clear();
    this.#queued = [...waiting, ...this.#queued];
  }

  answered(context: number, index: number): void {
    for (const { resolve } of this.#take(context)) resolve(index);
  }

  refused(context: number, error: Error): void {
    for (const { reject } of this.#take(context)) reject(error);
  }

  /** Those asked for at or before `askedMs` get no answer any more. */
  expire(askedMs: number, leaderId: number): void {
    for (const [context, { sinceMs }] of this.#asked) {
      if (sinceMs > askedMs) return;
      this.refused(
        context,
        refusal('NOT_LEADER', `nobody has said in time up to where to read; node ${leaderId} was asked`, leaderId),
      );
    }
  }

  end(error: Error): void {
    const readers = this.#queued.splice(0);
    this.#count -= readers.length;
    for (const { reject } of readers) reject(error);
    for (const context of [...this.#asked.keys()]) this.refused(context, error);
  }

  #take(context: number): readonly Reader[] {
    const readers = this.#asked.get(context)?.readers ?? [];
    this.#asked.delete(context);
    this.#count -= readers.length;
    return readers;
  }
}
