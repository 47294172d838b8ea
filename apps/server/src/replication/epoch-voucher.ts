/**
 * Whether a node may go on in the epoch that its directory names. A directory can be put back to what it was, and then the
 * node would give numbers out a second time. What speaks for the directory when the program starts:
 *
 * - It ended in order, and the system group, which no directory of one node can be put back together with, has counted no
 *   start since: nothing was written behind it.
 * - Or the count is right, and every other member has said what it holds, and none holds more: nothing that was lost got
 *   anywhere.
 *
 * Else the node goes on in a new epoch. Writing waits for this, but not for long: where the system group's majority is not
 * reached, a node that is alone in a partition must be able to write. It goes on in its epoch then, and this is found out
 * when the system group is there. Where this node's own copy of the system group was found to be put back, it writes nothing:
 * it has to join anew.
 */
import { type Clock, delay } from '@shanghai/env';
import type { Replica } from '../raft/replica.js';
import type { SystemGroup } from '../raft/system-group.js';
import { ServerError } from '../requests/server-error.js';

/** What it stands on. */
export interface EpochVoucherParts {
  readonly nodeId: number;
  readonly system: SystemGroup;
  readonly own: Replica;
  readonly clock: Clock;
  /** Its abort ends all waiting. */
  readonly signal: AbortSignal;
  /** Whether every other member has said what it holds, and what it said has been acted upon. */
  readonly hasHeardAll: () => boolean;
  readonly beginEpoch: () => Promise<unknown>;
}

/** Writing waits for at most so long for each, the system group and the others. */
const patienceMs = 3000;
const pollMs = 50;

/** The voucher of one run of the program. */
export class EpochVoucher {
  readonly #parts: EpochVoucherParts;
  readonly #firstEpoch: number;
  #isVouched = false;
  #isCounted = false;
  #counting: Promise<boolean> | undefined;
  #asking: Promise<void> | undefined;
  /** Somebody has waited long enough. */
  #isTried = false;

  constructor(parts: EpochVoucherParts) {
    this.#parts = parts;
    this.#firstEpoch = parts.own.machine.streams.own.epoch;
  }

  /** Resolves when the node may write: at once, when that is settled or was tried. Rejects as beginning an epoch does. */
  async vouch(): Promise<void> {
    if (!this.#isTried) await this.retry();
  }

  /** Tries what was not settled before; resolves to whether it is settled now. */
  async retry(): Promise<boolean> {
    if (this.#isVouched) return true;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    await this.#asking;
    this.#isTried = true;
    return this.#isVouched;
  }

  /** The program ends in order: what comes is closed. Never rejects. */
  async close(): Promise<void> {
    if (!this.#isVouched) return;
    const { own } = this.#parts;
    const { run = 0 } = own.machine.streams.own;
    await own.propose({ kind: 'originRun', run, isClosed: true }).catch(() => undefined);
  }

  async #ask(): Promise<void> {
    const { own, system, nodeId, beginEpoch } = this.#parts;
    const { run = 0, isClosed = false } = own.machine.streams.own;
    if (!(await this.#count())) return;
    const counted = system.catalogue.originRun(nodeId);
    const isBegunHere = () => own.machine.streams.own.epoch !== this.#firstEpoch;
    const isLast = counted === run + 1;
    const isTrusted = isBegunHere() || (isLast && (isClosed || (await this.#hearAll())));
    // What the others said may have begun one meanwhile.
    if (!isTrusted && !isBegunHere()) await beginEpoch();
    await own.propose({ kind: 'originRun', run: counted, isClosed: false });
    this.#isVouched = true;
  }

  /** Has this run counted, once; `false`: the system group was not reached. */
  async #count(): Promise<boolean> {
    return this.#isCounted || (await this.#within(() => this.#countOnce()));
  }

  /** What was asked for may come to be after it was waited for. */
  #countOnce(): Promise<boolean> {
    const { system, nodeId } = this.#parts;
    this.#counting ??= system
      .change({ type: 'beginRun', nodeId })
      .then(() => {
        this.#isCounted = true;
        return true;
      })
      .finally(() => {
        this.#counting = undefined;
      });
    return this.#counting;
  }

  #hearAll(): Promise<boolean> {
    return this.#within(async () => this.#parts.hasHeardAll());
  }

  async #within(attempt: () => Promise<boolean>): Promise<boolean> {
    const { clock, signal } = this.#parts;
    const endMs = clock.monotonicMs() + patienceMs;
    const timeout = new AbortController();
    const stopped = AbortSignal.any([signal, timeout.signal]);
    const over = delay(clock, patienceMs, stopped).then(
      () => false,
      () => false,
    );
    try {
      return await this.#until(attempt, over, endMs);
    } finally {
      timeout.abort();
    }
  }

  async #until(attempt: () => Promise<boolean>, over: Promise<boolean>, endMs: number): Promise<boolean> {
    const { clock, signal } = this.#parts;
    for (;;) {
      if (await Promise.race([attempt().catch(unlessFailed), over])) return true;
      if (signal.aborted || clock.monotonicMs() >= endMs) return false;
      await delay(clock, pollMs, signal).catch(() => undefined);
    }
  }
}

/** A log that has failed takes nothing any more, however long it is waited for. */
function unlessFailed(error: unknown): false {
  if (error instanceof ServerError && error.code === 'SERVICE_UNAVAILABLE') throw error;
  return false;
}
