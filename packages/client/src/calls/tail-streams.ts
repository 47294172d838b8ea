import type { LogTailRequest, LogTailResponse } from '@shanghai/proto';
import type { LogPosition } from '../log-consumers.js';
import type { LogEntry, LogTailOptions } from '../named-logs.js';
import { positionOf, scopeMessage, startMessage, toLogName } from '../wire/log-wire.js';
import { packedVersion } from '../wire/packed-run.js';
import { toUint64 } from '../wire/wire-values.js';
import type { CallEnvironment } from './call-environment.js';
import type { TailPages } from './entry-tail.js';
import { tailPages } from './tail-pages.js';

/**
 * Entries of several streams of a log of mode multi-master, and then what comes, over as many connections as it takes: each
 * goes on behind what was given of every stream. `from: 'end'` is the end as of the connection that gave the first page.
 */
export class TailStreams implements TailPages {
  readonly #environment: CallEnvironment;
  readonly #log: string;
  readonly #options: LogTailOptions;
  readonly #places = new Map<string, Place>();
  /** The stream of the entry that was given last. */
  #last: Place | undefined;

  constructor(environment: CallEnvironment, log: string, options: LogTailOptions) {
    this.#environment = environment;
    this.#log = log;
    this.#options = options;
    for (const position of options.positions ?? []) this.#reach(position);
  }

  pages(): ReturnType<TailPages['pages']> {
    return tailPages(this.#environment, this.#options, () => this.#request());
  }

  give({ origin, epoch, sequence }: LogEntry): boolean {
    const last = this.#last;
    if (last !== undefined && last.origin === origin && last.epoch === epoch) last.sequence = sequence;
    else this.#last = this.#reach({ origin, epoch, sequence });
    return true;
  }

  passed({ positions }: LogTailResponse): void {
    for (const position of positions?.positions ?? []) this.#reach(positionOf(position));
  }

  #reach(position: LogPosition): Place {
    const name = `${position.origin}.${position.epoch}`;
    const known = this.#places.get(name);
    if (known !== undefined) {
      known.sequence = Math.max(known.sequence, position.sequence);
      return known;
    }
    const place = { ...position };
    this.#places.set(name, place);
    return place;
  }

  #request(): LogTailRequest {
    const { from = 0, epoch, allOrigins, order, origin } = this.#options;
    const positions = [...this.#places.values()];
    const scope = scopeMessage({
      ...(allOrigins === undefined ? {} : { allOrigins }),
      ...(order === undefined ? {} : { order }),
      ...(epoch === undefined || positions.length > 0 ? {} : { epoch }),
      ...(positions.length === 0 ? {} : { positions }),
    });
    const start = from === 'end' ? ({ $case: 'fromEnd', value: true } as const) : startMessage(from);
    return { log: toLogName(this.#log), origin: toUint64(origin, 'origin'), start, ...scope, packedVersion };
  }
}

interface Place extends LogPosition {
  sequence: number;
}
