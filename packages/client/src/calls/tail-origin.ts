import type { LogTailResponse } from '@shanghai/proto';
import type { LogEntry, LogStart, LogTailOptions } from '../named-logs.js';
import { startMessage, toLogName } from '../wire/log-wire.js';
import { packedVersion } from '../wire/packed-run.js';
import { toNumber, toUint64 } from '../wire/wire-values.js';
import type { CallEnvironment } from './call-environment.js';
import type { TailPages } from './entry-tail.js';
import { tailPages } from './tail-pages.js';

/** Entries of one origin of a log, numbered without end: what comes a second time is passed over by its number. */
export class TailOrigin implements TailPages {
  readonly #environment: CallEnvironment;
  readonly #name: string;
  readonly #options: LogTailOptions;
  readonly #end: () => Promise<number>;
  #from: LogStart = 0;
  /** The number of the next entry to be given; 0 before the first. */
  #expected = 0;

  /** `end` resolves to the number that the next entry appended will have. */
  constructor(environment: CallEnvironment, name: string, options: LogTailOptions, end: () => Promise<number>) {
    this.#environment = environment;
    this.#name = name;
    this.#options = options;
    this.#end = end;
  }

  async *pages(): ReturnType<TailPages['pages']> {
    const log = toLogName(this.#name);
    const origin = toUint64(this.#options.origin, 'origin');
    const { from = 0 } = this.#options;
    // "From the end" is made a sequence number first: if the stream broke before its first entry, "the end" would be
    // another place at the second attempt, and what was appended between would be missed.
    this.#from = from === 'end' ? await this.#end() : from;
    yield* tailPages(this.#environment, this.#options, () => ({
      log,
      origin,
      start: startMessage(this.#from),
      packedVersion,
    }));
  }

  give({ sequence }: LogEntry): boolean {
    if (sequence < this.#expected) return false;
    this.#expected = sequence + 1;
    this.#from = this.#expected;
    return true;
  }

  passed({ nextSequence }: LogTailResponse): void {
    const next = toNumber(nextSequence);
    if (next <= this.#expected) return;
    this.#expected = next;
    this.#from = next;
  }
}
