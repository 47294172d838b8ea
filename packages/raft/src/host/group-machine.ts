/**
 * A group's state machine, and the configurations along its log: what is applied, put in and taken, one call after the
 * other. Changes of the configuration take effect at the end of the run that holds them.
 */
import { decodeConfChange } from '../core/configuration/conf-change.js';
import type { ConfState } from '../core/configuration/configuration.js';
import type { Entry, Snapshot, SnapshotMetadata } from '../core/entry.js';
import { RaftError } from '../core/raft-error.js';
import type { RawNode } from '../core/raw-node.js';
import type { StateMachine } from '../ports/state-machine.js';
import { ConfigurationHistory } from './configuration-history.js';
import type { HostContext } from './host-context.js';
import { type AppliedRun, MachineQueue } from './machine-queue.js';
import type { Outcome } from './proposal-tracker.js';
import type { TakenSnapshot } from './snapshot-sender.js';

/** What it stands on, and whom it tells. */
export interface GroupMachineOptions<Result> {
  readonly groupId: number;
  readonly host: HostContext;
  readonly machine: StateMachine<Result>;
  /** Where the log begins. */
  readonly start: { readonly index: number; readonly confState: ConfState };
  /** Entries were applied; the outcome of each: what its command gave, or the configuration that a change made. */
  onApplied(run: AppliedRun<Result>, outcomes: readonly Outcome[]): void;
  onFailed(error: Error): void;
}

/** One group's state. */
export class GroupMachine<Result> {
  readonly queue: MachineQueue<Result>;
  readonly history: ConfigurationHistory;
  /** The last entry that was applied, or put in with a snapshot. */
  appliedIndex: number;
  readonly #options: GroupMachineOptions<Result>;

  constructor(options: GroupMachineOptions<Result>) {
    const { machine, start, host, onFailed } = options;
    this.#options = options;
    this.history = new ConfigurationHistory(start.index, start.confState);
    this.appliedIndex = machine.appliedIndex;
    this.queue = new MachineQueue({
      machine,
      maxApplyBytes: host.limits.maxApplyBytes,
      onApplied: (run) => this.#onApplied(run),
      onFailed,
    });
  }

  get configuration(): ConfState {
    return this.history.latest.confState;
  }

  /** Puts a snapshot into the state machine, behind all that it has to apply before. */
  restore(snapshot: Snapshot): Promise<void> {
    return new Promise((resolve) => {
      this.queue.between(async () => {
        await this.#options.machine.restore(snapshot);
        resolve();
      });
    });
  }

  /** A snapshot was put in, and is in the log as well, or will be. */
  onRestored({ index, confState }: SnapshotMetadata): void {
    this.appliedIndex = Math.max(this.appliedIndex, index);
    this.history.reset(index, confState);
    this.#tellConfiguration(index, confState);
  }

  /** Takes the state between two runs; `undefined` where its place in the log is not known now. */
  take(raw: () => RawNode | undefined): Promise<TakenSnapshot | undefined> {
    const { machine } = this.#options;
    return new Promise((resolve, reject) => {
      this.queue.between(async () => {
        const index = this.appliedIndex;
        const term = raw()?.termAt(index);
        if (term === undefined || machine.appliedIndex !== index) {
          resolve(undefined);
          return;
        }
        const metadata = { index, term, confState: this.history.at(index) };
        // What it rejects with is no reason to end the group: the follower waits, and it is tried again.
        await machine
          .snapshot(metadata)
          .then(({ data, source }) => resolve({ snapshot: { metadata, data }, source }), reject);
      });
    });
  }

  /** What was put in before the log had space for it. */
  catchUp(): void {
    const { restored, appliedIndex } = this.#options.machine;
    if (restored !== undefined && restored.index > this.appliedIndex) this.onRestored(restored);
    this.appliedIndex = appliedIndex;
  }

  #onApplied(run: AppliedRun<Result>): void {
    const last = run.entries[run.entries.length - 1];
    if (last === undefined) return;
    let outcomes: readonly Outcome[] = run.results;
    for (const [i, entry] of run.entries.entries()) {
      if (entry.type !== 'EntryNormal') outcomes = outcomes.with(i, this.#applyChange(run.raw, entry));
    }
    this.appliedIndex = Math.max(this.appliedIndex, last.index);
    this.#options.onApplied(run, outcomes);
  }

  /** `undefined` where the configuration cannot take it: then it changes nothing, on every node. */
  #applyChange(raw: RawNode, { index, data }: Entry): ConfState | undefined {
    try {
      const configuration = raw.applyConfChange(decodeConfChange(data));
      this.history.add(index, configuration);
      this.#tellConfiguration(index, configuration);
      return configuration;
    } catch (error) {
      if (error instanceof RaftError) return undefined;
      throw error;
    }
  }

  #tellConfiguration(index: number, configuration: ConfState): void {
    const { host, groupId } = this.#options;
    host.membersChanged();
    host.listener.configurationChanged?.({ groupId, index, configuration });
  }
}
