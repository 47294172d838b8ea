/**
 * What this node writes as an origin: appends get their stamps in the order of the calls, and go into its own group many at
 * a time. So stamps, commands and sequences all follow one order, and an entry costs no proposal of its own.
 */
import { type Clock, invariant } from '@shanghai/env';
import { advanceHlc, compareHlc, type Hlc, laterHlc, nextHlc, stampHlc } from '@shanghai/replication';
import type { ApplyResult } from '../apply/apply-result.js';
import type { OriginAppend } from '../apply/origin-command.js';
import type { AppendWork } from '../logs/append-batches.js';
import { stampRecords } from '../logs/log-file-record.js';
import type { Replica } from '../raft/replica.js';
import { ServerError } from '../requests/server-error.js';

/** An append of this node. */
export interface OwnAppend extends AppendWork {
  readonly logId: number;
}

/** Where it went. */
export type OwnAppended = Extract<ApplyResult, { type: 'logAppended' }>;

interface Waiting {
  readonly append: OriginAppend;
  resolve(result: OwnAppended): void;
  reject(error: unknown): void;
}

/** One command holds so many appends, or bytes of them, at most; a larger append goes alone. */
const maxAppends = 1024;
const maxBytes = 1024 * 1024;

/** A stamp of another node that is further ahead than this moves nobody's clock. */
const maxAheadMs = 10_000;

/** The writer of one node. */
export class OriginWriter {
  readonly #own: Replica;
  readonly #clock: Clock;
  #lastHlc: Hlc;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #isScheduled = false;

  constructor(own: Replica, clock: Clock) {
    this.#own = own;
    this.#clock = clock;
    this.#lastHlc = own.machine.streams.own.highestHlc;
    for (const { lastHlc } of own.machine.streams.allVisible()) this.observe(lastHlc);
  }

  /** Rejects with what was refused, or with `OUTCOME_UNKNOWN`. Appends are judged and numbered in the order of the calls. */
  append({ logId, recordCount, recordBytes, producer, expectedLastSequence }: OwnAppend): Promise<OwnAppended> {
    const firstHlc = this.#stamp();
    const lastHlc = advanceHlc(firstHlc, recordCount - 1);
    this.#lastHlc = lastHlc;
    const bytes = stampRecords(recordBytes, recordCount, firstHlc, producer);
    const append = {
      ...{ logId, firstHlc, lastHlc, count: recordCount, bytes },
      ...(producer === undefined ? {} : { producer }),
      ...(expectedLastSequence === undefined ? {} : { expectedLastSequence }),
    };
    return new Promise((resolve, reject) => {
      if (this.#queuedBytes + bytes.length > maxBytes) this.#flush();
      this.#queue.push({ append, resolve, reject });
      this.#queuedBytes += bytes.length;
      if (this.#queue.length >= maxAppends) this.#flush();
      else this.#schedule();
    });
  }

  /** Resolves when no entry of this node that is not there yet can have a stamp up to that of the call. */
  async raiseCeiling(): Promise<void> {
    this.#flush();
    const hlc = this.#stamp();
    this.#lastHlc = hlc;
    await this.#own.propose({ kind: 'hlcCeiling', hlc });
  }

  /** Writes in another epoch from here on, with stamps above `above`. */
  async beginEpoch(origin: number, epoch: number, above: Hlc): Promise<void> {
    this.#lastHlc = laterHlc(this.#lastHlc, above);
    this.#flush();
    await this.#own.propose({ kind: 'originEpoch', origin, epoch });
  }

  /** A stamp was seen: what this node writes next is later, unless it is not to be believed. */
  observe(hlc: Hlc): void {
    if (compareHlc(hlc, this.#lastHlc) > 0 && hlc.ms <= this.#own.nowMs() + maxAheadMs) this.#lastHlc = hlc;
  }

  /** What is folded here is earlier than what this node writes next, whatever the clock shows. */
  follow(hlc: Hlc): void {
    this.#lastHlc = laterHlc(this.#lastHlc, hlc);
  }

  #stamp(): Hlc {
    const hlc = stampHlc(this.#lastHlc, this.#own.nowMs());
    invariant(compareHlc(hlc, nextHlc(this.#lastHlc)) >= 0, 'stamps grow');
    return hlc;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#clock.soon(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const waiting = this.#queue;
    if (waiting.length === 0) return;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#own.propose({ kind: 'originAppend', appends: waiting.map(({ append }) => append) }).then(
      (result) => {
        invariant(result.type === 'appends', `appends gave '${result.type}'`);
        for (const [i, one] of waiting.entries()) answer(one, result.results[i] as ApplyResult);
      },
      (error: unknown) => {
        for (const { reject } of waiting) reject(error);
      },
    );
  }
}

function answer({ resolve, reject }: Waiting, result: ApplyResult): void {
  if (result.type === 'failed') reject(new ServerError(result.code, result.message, { details: result.details }));
  else if (result.type === 'logAppended') resolve(result);
  else reject(new ServerError('INTERNAL_ERROR', `an append gave '${result.type}'`));
}
