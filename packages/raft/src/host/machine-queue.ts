/**
 * The calls of one state machine, one after the other: runs of entries, states that are put in, states that are taken.
 * They are asynchronous and may take long; nothing of the group waits for them but what needs their results.
 */
import type { Entry } from '../core/entry.js';
import { entriesBytes } from '../core/entry.js';
import type { Message } from '../core/message.js';
import type { RawNode } from '../core/raw-node.js';
import type { StateMachine } from '../ports/state-machine.js';

/** Committed entries as the core hands them out, and what it must hear when they are applied. */
interface ApplyTask {
  readonly raw: RawNode;
  readonly message: Message;
}

/** Entries that were applied together. */
export interface AppliedRun<Result> {
  readonly raw: RawNode;
  readonly entries: readonly Entry[];
  readonly results: readonly (Result | undefined)[];
  /** To be stepped. */
  readonly responses: readonly Message[];
}

/** What happens where a call is over. */
export interface MachineQueueOptions<Result> {
  readonly machine: StateMachine<Result>;
  readonly maxApplyBytes: number;
  onApplied(run: AppliedRun<Result>): void;
  onFailed(error: Error): void;
}

type Task = ApplyTask | (() => Promise<void>);

/** Runs them. After a failure nothing more is run. */
export class MachineQueue<Result> {
  readonly #options: MachineQueueOptions<Result>;
  #tasks: Task[] = [];
  #running: Promise<void> | undefined;
  #hasFailed = false;

  constructor(options: MachineQueueOptions<Result>) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#running === undefined;
  }

  /** Applies what a `MsgStorageApply` holds. */
  apply(raw: RawNode, message: Message): void {
    this.#add({ raw, message });
  }

  /** Runs a call between runs of entries. What it rejects with fails the group. */
  between(call: () => Promise<void>): void {
    this.#add(call);
  }

  /** What waits will not be run: for a log that lost it. What runs is finished. */
  dropWaiting(): void {
    this.#tasks = this.#tasks.filter((task) => typeof task === 'function');
  }

  /** Resolves when nothing runs or waits. Never rejects. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #add(task: Task): void {
    if (this.#hasFailed) return;
    this.#tasks.push(task);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    try {
      for (let task = this.#tasks.shift(); task !== undefined; task = this.#tasks.shift()) {
        if (typeof task === 'function') await task();
        else await this.#apply(this.#withFollowers(task));
      }
    } catch (error) {
      this.#hasFailed = true;
      this.#tasks = [];
      this.#options.onFailed(error as Error);
    } finally {
      // Not when the promise has settled: a task may come in between. A task has been awaited, so it was set before.
      this.#running = undefined;
    }
  }

  /** A run and those that wait right behind it, within the bound. */
  #withFollowers(first: ApplyTask): readonly ApplyTask[] {
    const tasks = [first];
    let bytes = entriesBytes(first.message.entries);
    for (;;) {
      const next = this.#tasks[0];
      if (next === undefined || typeof next === 'function' || next.raw !== first.raw) return tasks;
      bytes += entriesBytes(next.message.entries);
      if (bytes > this.#options.maxApplyBytes) return tasks;
      tasks.push(next);
      this.#tasks.shift();
    }
  }

  async #apply(tasks: readonly ApplyTask[]): Promise<void> {
    const { raw, message } = tasks[0] as ApplyTask;
    const entries = tasks.length === 1 ? message.entries : tasks.flatMap((task) => task.message.entries);
    const results = await this.#options.machine.apply(entries);
    const responses = tasks.flatMap((task) => task.message.responses);
    this.#options.onApplied({ raw, entries, results, responses });
  }
}
