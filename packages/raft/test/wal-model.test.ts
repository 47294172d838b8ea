import { createSeededRandom, type Random } from '@shanghai/env';
import { createFaultDisk, createManualClock, type FaultDisk } from '@shanghai/env/testing';
import type { WalDurability } from '@shanghai/wal';
import { expect, test } from 'vitest';
import { emptyConfState, type GroupLog } from '../src/index.js';
import { openWalHostLog } from '../src/wal/index.js';
import { GroupHistory } from './support/group-history.js';
import { entryOf, openWalOn, type RefusingWal, refusing, write } from './support/wal-fixture.js';

const runs = process.env['SHANGHAI_DEEP'] === '1' ? 1000 : 25;
const types = ['EntryNormal', 'EntryNormal', 'EntryNormal', 'EntryConfChange', 'EntryConfChangeV2'] as const;

/** One run: groups that do whatever a host may do, on a disk that refuses, closes and crashes. */
class Run {
  readonly #random: Random;
  readonly #durability: WalDurability;
  readonly #histories = [0, 2, 5].map((groupId) => new GroupHistory(groupId));
  #disk: FaultDisk;
  #wal: RefusingWal | undefined;
  #logs: GroupLog[] = [];
  refused = 0;
  segmentsGone = 0;

  constructor(seed: number, durability: WalDurability) {
    this.#random = createSeededRandom(seed);
    this.#durability = durability;
    this.#disk = createFaultDisk({ seed, keepsTrace: false });
    for (const history of this.#histories) history.isSynced = durability === 'always';
  }

  async run(steps: number): Promise<void> {
    await this.#open();
    for (let step = 0; step < steps; step++) {
      if (this.#one(8)) await this.#restart();
      else await this.#turn();
    }
    await this.#restart();
    await this.#wal?.close();
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  #one(of: number): boolean {
    return this.#below(of) === 0;
  }

  async #open(): Promise<void> {
    const wal = await openWalOn(this.#disk, {
      durability: this.#durability,
      segmentBytes: 65_536,
      firstSegmentBytes: 8192,
    });
    // Refusals come at once, or when what was appended before them is durable.
    this.#wal = refusing(wal, this.#one(2));
    const log = await openWalHostLog({ wal: this.#wal, loneVoter: 1, clock: createManualClock() });
    this.#logs = [];
    for (const history of this.#histories) {
      const group = await log.open(history.groupId);
      history.expectRecovered(group);
      this.#logs.push(group);
    }
    this.segmentsGone = Math.max(this.segmentsGone, wal.info().firstLsn - 1);
  }

  async #restart(): Promise<void> {
    if (this.#one(2)) {
      await this.#wal?.close();
      for (const history of this.#histories) history.acknowledgeAll();
    } else {
      // What is under way when the power fails is lost or not.
      for (let calls = this.#below(4); calls > 0; calls--) void this.#call(this.#below(3)).catch(() => undefined);
      for (let turns = this.#below(12); turns > 0; turns--) await undefined;
      this.#disk.crash();
      await this.#wal?.close().catch(() => undefined);
    }
    this.#disk = this.#disk.restart(this.#one(3) ? 'none' : 'random');
    await this.#open();
  }

  /** Calls at once, some of them refused. */
  async #turn(): Promise<void> {
    const calls: Promise<string | undefined>[] = [];
    for (let count = 1 + this.#below(5); count > 0; count--) {
      this.#wal?.refuse(this.#one(6) ? (this.#one(2) ? 'DISK_FULL' : 'QUEUE_FULL') : undefined);
      calls.push(this.#call(this.#below(3)));
    }
    this.#wal?.refuse(undefined);
    const outcomes = await Promise.all(calls);
    this.refused += outcomes.filter((outcome) => outcome !== undefined).length;
    for (const [at, history] of this.#histories.entries()) history.expectCurrent(this.#logs[at] as GroupLog);
  }

  #call(at: number): Promise<string | undefined> {
    const history = this.#histories[at] as GroupHistory;
    const log = this.#logs[at] as GroupLog;
    const { last, lastIndex } = history;
    const confState = { ...emptyConfState, voters: [1, 2, 3 + this.#below(5)] };
    const { commit } = last.hardState;
    const committed = Math.max(last.index, Math.min(commit, lastIndex));
    if (this.#one(6) && !this.#isCompacting) {
      const index = last.index + this.#below(committed - last.index + 1);
      this.#isCompacting = true;
      return history.compact(log, index, confState).finally(() => {
        this.#isCompacting = false;
      });
    }
    const term = Math.max(last.hardState.term, last.term, last.entries.at(-1)?.term ?? 0) + this.#below(2);
    if (this.#one(15)) {
      const index = lastIndex + this.#below(3) + 1;
      return history.append(log, write([], { term: term + 1, vote: 0, commit: index }, { index, term, confState }));
    }
    const first = this.#one(4) ? committed + 1 : lastIndex + 1;
    const bytes = this.#one(6) ? 5000 : this.#below(60);
    const entries = Array.from({ length: this.#below(4) }, (_, i) =>
      entryOf(first + i, term, bytes, types[this.#below(types.length)]),
    );
    const newCommit = committed + this.#below(Math.max(1, first + entries.length - committed));
    const hardState = this.#one(2) ? undefined : { term, vote: this.#below(4), commit: newCommit };
    return history.append(log, write(entries, hardState));
  }

  #isCompacting = false;
}

for (const durability of ['always', 'never'] as const) {
  test(`whatever happens, groups hold what was acknowledged, nothing that was refused, and no commit index of it: mode ${durability}`, async () => {
    let refused = 0;
    let segmentsGone = 0;
    for (let seed = 1; seed <= runs; seed++) {
      const run = new Run(seed, durability);
      await run.run(40).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.stack : error}`, { cause: error });
      });
      refused += run.refused;
      segmentsGone += run.segmentsGone > 0 ? 1 : 0;
    }
    expect(refused).toBeGreaterThan(runs * 5);
    expect(segmentsGone).toBeGreaterThan(runs / 4);
  });
}
