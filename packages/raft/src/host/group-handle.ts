import { type ConfChange, encodeConfChange } from '../core/configuration/conf-change.js';
import type { ConfState } from '../core/configuration/configuration.js';
import type { Entry } from '../core/entry.js';
import type { GroupDriver } from './group-driver.js';
import { groupStatus } from './group-status.js';
import { refusal } from './proposal-error.js';
import type { GroupStatus, ProposalDone, RaftGroup } from './raft-group.js';

/** A group as its owner uses it. */
export class GroupHandle<Result> implements RaftGroup<Result> {
  readonly #driver: GroupDriver<Result>;
  readonly #onClosed: () => void;
  #isClosing = false;
  #closed: Promise<void> | undefined;

  constructor(driver: GroupDriver<Result>, onClosed: () => void) {
    this.#driver = driver;
    this.#onClosed = onClosed;
  }

  get groupId(): number {
    return this.#driver.groupId;
  }

  propose(data: Uint8Array): Promise<Result> {
    return this.#propose(data, false);
  }

  submit(data: Uint8Array, done: ProposalDone<Result>): void {
    const driver = this.#driver;
    const refused = this.#isClosing ? driver.closedError() : driver.refusalOf(data.length);
    if (refused !== undefined) done.reject(refused);
    else
      driver.propose({
        data,
        isChange: false,
        resolve: (result) => done.resolve(result),
        reject: (error) => done.reject(error),
      });
  }

  changeConfiguration(change: ConfChange): Promise<ConfState> {
    return this.#propose(encodeConfChange(change), true);
  }

  async readIndex(): Promise<number> {
    if (this.#isClosing) throw this.#driver.closedError();
    return this.#driver.read();
  }

  async transferLeadership(to: number): Promise<void> {
    const driver = this.#driver;
    const { host, marks, state } = driver;
    const refused = this.#isClosing ? driver.closedError() : driver.refusalOf(0);
    if (refused !== undefined && refused.code !== 'BUSY') throw refused;
    if (to === host.nodeId) throw refusal('REFUSED', `node ${to} leads already`, marks.lead);
    if (!state.configuration.voters.includes(to)) throw refusal('REFUSED', `node ${to} is no voter`, marks.lead);
    const { electionTicks, tickMs } = host.limits;
    const done = driver.transfer.begin(to, host.clock.monotonicMs() + electionTicks * tickMs);
    driver.wake();
    return done;
  }

  compact(durableIndex: number): Promise<void> {
    return this.#driver.isClosed ? Promise.resolve() : this.#driver.compactor.compact(durableIndex);
  }

  committedEntries(from: number, to: number, maxBytes: number): readonly Entry[] | 'compacted' {
    const { log, state } = this.#driver;
    if (to - 1 > state.appliedIndex) throw new RangeError(`entry ${to - 1} is not applied; ${state.appliedIndex} is`);
    if (from < log.firstIndex()) return 'compacted';
    const entries = log.entries(from, to, maxBytes);
    return typeof entries === 'string' ? 'compacted' : entries;
  }

  status(): GroupStatus {
    return groupStatus(this.#driver);
  }

  close(drainMs: number): Promise<void> {
    this.#isClosing = true;
    this.#closed ??= this.#close(drainMs);
    return this.#closed;
  }

  async #close(drainMs: number): Promise<void> {
    await drained(this.#driver, drainMs);
    await this.#driver.stop();
    this.#onClosed();
  }

  #propose<Outcome>(data: Uint8Array, isChange: boolean): Promise<Outcome> {
    const driver = this.#driver;
    const refused = this.#isClosing ? driver.closedError() : driver.refusalOf(data.length);
    if (refused !== undefined) return Promise.reject(refused);
    return new Promise((resolve, reject) => driver.propose({ data, isChange, resolve, reject }));
  }
}

/** Resolves when nothing is in flight, or `drainMs` are over. */
function drained(driver: GroupDriver<unknown>, drainMs: number): Promise<void> {
  const isDone = () => driver.proposals.count === 0 && driver.reads.count === 0;
  if (isDone() || drainMs === 0 || driver.failure !== undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      timer.cancel();
      driver.onProgress = undefined;
      resolve();
    };
    const timer = driver.host.clock.setTimer(drainMs, finish, { keepsProcess: true });
    driver.onProgress = () => {
      if (isDone()) finish();
    };
  });
}
