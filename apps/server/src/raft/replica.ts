/**
 * A group's copy on this node: its state, and the command log that feeds it.
 *
 * It stamps proposals with log time (never falling, and not by a clock that is off), holds the barriers of the read levels, and
 * makes the state durable at checkpoints, behind which alone the log is cut.
 */
import type { Clock } from '@shanghai/env';
import type { ProposalDone } from '@shanghai/raft';
import type { ApplyResult } from '../apply/apply-result.js';
import { Broadcast } from '../apply/broadcast.js';
import { type CommandBody, type CommandHeader, manySlots } from '../apply/command.js';
import { encodeCommand } from '../apply/command-codec.js';
import type { StateMachine } from '../apply/state-machine.js';
import type { StorageEngine } from '../engine/storage-engine.js';
import { decodeReadToken, encodeReadToken } from '../requests/read-token.js';
import type { ReadContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import { AppliedWaits } from './applied-waits.js';
import { ClockPatience } from './clock-patience.js';
import type { CommandLog } from './command-log.js';
import type { GroupState } from './group-state.js';
import { type JudgeClock, LogClock } from './log-clock.js';
import { LogPins } from './log-pins.js';
import { leaderNamedBy } from './proposal-refusals.js';

/** Time entries are at least so far apart. */
const timeEntryMs = 1000;

/** What a proposal carries beside its body. */
export type ProposalHeader = Partial<Omit<CommandHeader, 'logTimeMs'>>;

/** What applying a command gave. */
export type Done = Exclude<ApplyResult, { type: 'failed' }>;

/** Asks the leader of a group, at its gRPC address, to move log time to its clock; resolves to the index that has it. */
export type TimeAtLeader = (leader: string, groupId: number) => Promise<number>;

/** Where a copy gets the time from, beside its clock. */
export interface ReplicaTime {
  /** Absent: it is not asked. */
  readonly timeAtLeader?: TimeAtLeader;
  /** Absent: the clock is believed. */
  readonly judgeClock?: JudgeClock;
  /** Told whenever that, or who leads, may have changed. Absent: neither does. */
  readonly judgeChanged?: Broadcast;
}

const believe: JudgeClock = () => ({ isOff: false, isKnown: true, safeLeadMs: undefined });

/** One group on this node. */
export class Replica {
  readonly groupId: number;
  readonly state: GroupState;
  readonly log: CommandLog<ApplyResult>;
  /** What is to be copied from the log. */
  readonly pins: LogPins;
  readonly #clock: Clock;
  readonly #waits: AppliedWaits;
  readonly #timeAtLeader: TimeAtLeader | undefined;
  readonly #logClock: LogClock;
  readonly #patience: ClockPatience;
  readonly #durableAtStart: number;
  #timeEntry: Promise<unknown> | undefined;
  #timeEntryAtMs = Number.NEGATIVE_INFINITY;
  #token: { readonly index: number; readonly bytes: Uint8Array } | undefined;

  constructor(
    state: GroupState,
    log: CommandLog<ApplyResult>,
    clock: Clock,
    readTimeoutMs: number,
    { timeAtLeader, judgeClock = believe, judgeChanged = new Broadcast() }: ReplicaTime = {},
  ) {
    this.groupId = log.groupId;
    this.state = state;
    this.log = log;
    this.pins = new LogPins(clock);
    this.#clock = clock;
    this.#timeAtLeader = timeAtLeader;
    this.#logClock = new LogClock(clock, judgeClock, this.machine.visible.logTimeMs);
    const isKnown = () => this.#logClock.isFounded || !this.#leadsOthers();
    this.#patience = new ClockPatience({ clock, isKnown, changed: judgeChanged });
    state.onApplied = () => {
      this.#logClock.observe(this.machine.visible.logTimeMs);
      this.#patience.look();
    };
    this.#durableAtStart = log.status().firstIndex - 1;
    this.#waits = new AppliedWaits({
      groupId: log.groupId,
      published: state.changes.published,
      appliedIndex: () => this.machine.visible.appliedIndex,
      failure: () => this.#failure(),
      clock,
      timeoutMs: readTimeoutMs,
    });
  }

  /** The group's store now; a snapshot from another node puts another one in. Not to be kept across a wait. */
  get store(): StorageEngine {
    return this.state.store;
  }

  /** The state machine over the store; likewise. */
  get machine(): StateMachine {
    return this.state.machine;
  }

  /** The time now as this node stamps what it proposes: never falls, and not a clock that the others contradict. */
  nowMs(): number {
    return this.#logClock.stamp();
  }

  /** What is durable without the log. */
  get durableAppliedIndex(): number {
    return Math.max(this.#durableAtStart, this.state.durableIndex);
  }

  /** Proposes a command and resolves to what applying it gave; refusals of the state machine become `ServerError`s. */
  propose(body: CommandBody, header: ProposalHeader = {}): Promise<Done> {
    return new Promise((resolve, reject) => this.submit(body, header, { resolve, reject }));
  }

  /** As `propose`, for whoever does many: tells `done` once, possibly before it returns. Neither call may throw. */
  submit(body: CommandBody, header: ProposalHeader, done: ProposalDone<Done>): void {
    const known = this.#patience.untilKnown();
    if (known === undefined) this.#submit(body, header, done);
    else known.then(() => this.#submit(body, header, done)).catch((error: Error) => done.reject(error));
  }

  #submit(body: CommandBody, header: ProposalHeader, done: ProposalDone<Done>): void {
    const full: CommandHeader = {
      logTimeMs: this.#logClock.stamp(),
      sessionId: header.sessionId ?? 0,
      requestNumber: header.requestNumber ?? 0,
      retry: header.retry ?? false,
      slot: header.slot ?? manySlots,
      epoch: header.epoch ?? 0,
    };
    this.log.submit(encodeCommand(full, body), {
      resolve: (result) => {
        if (result.type !== 'failed') done.resolve(result);
        else done.reject(new ServerError(result.code, result.message, { details: result.details }));
      },
      reject: (error) => done.reject(error),
    });
  }

  /**
   * Resolves when a read of this level may look at the state, to the milliseconds since the leader was last heard: 0
   * where this node leads, and for linearizable reads, which its leader has just confirmed. Never waits for long:
   * `CLUSTER_ERROR` where there is no leader, or what the read must see is not applied here in time.
   */
  async readBarrier(read: ReadContext): Promise<number> {
    switch (read.level) {
      case 'linearizable': {
        const index = await this.log.readIndex();
        if (index > this.machine.visible.appliedIndex) await this.#waits.until(index);
        return 0;
      }
      case 'session':
        await this.#sessionBarrier(read.token);
        return this.#leaderHeardMsAgo() ?? 0;
      case 'stale':
        return this.#freshness();
    }
  }

  /**
   * What a later read of level `session` must have seen: the state as it is now, and what the store may show already of
   * the run that is being written.
   */
  token(): Uint8Array {
    const index = this.machine.shownIndex;
    if (this.#token?.index !== index) this.#token = { index, bytes: encodeReadToken({ groupId: this.groupId, index }) };
    return this.#token.bytes;
  }

  /** Whether a key with this expiry should be gone by the clock although log time has not got there. */
  isDue(expiresAtMs: number): boolean {
    return expiresAtMs !== 0 && expiresAtMs <= this.#clock.nowMs();
  }

  /**
   * Moves log time to the clock's with an entry of its own, at most once a second; else does nothing. A node that does not
   * lead asks its leader. Where the log takes no entry, log time stands still, and with it what readers see.
   */
  async advanceTime(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#timeEntry === undefined) {
      if (nowMs - this.#timeEntryAtMs < timeEntryMs) return;
      this.#timeEntryAtMs = nowMs;
      this.#timeEntry = this.#moveTime()
        .catch(() => undefined)
        .finally(() => {
          this.#timeEntry = undefined;
        });
    }
    await this.#timeEntry;
  }

  /**
   * Makes what is applied durable and cuts the log behind it. `syncOthers` syncs what the group keeps outside its store
   * and resolves to the first entry it could not take (infinite: it took all), which the log keeps.
   * Resolves to the durable applied index.
   */
  async checkpoint(syncOthers: () => Promise<number>): Promise<number> {
    const index = await this.state.checkpoint(syncOthers);
    await this.log.compact(this.pins.cuttable(index, this.log.status().raft.logBytes));
    return this.durableAppliedIndex;
  }

  /** Resolves when entry `index` is applied here. */
  async untilApplied(index: number): Promise<void> {
    await this.#waits.until(index);
  }

  async close(drainMs: number): Promise<void> {
    this.#patience.close();
    await this.log.close(drainMs);
    this.#waits.close(new ServerError('SERVICE_UNAVAILABLE', 'the node is closing; ask another'));
    await this.state.close();
  }

  async #moveTime(): Promise<void> {
    try {
      await this.propose({ kind: 'time' });
    } catch (error) {
      const leader = error instanceof ServerError ? leaderNamedBy(error)?.leader : undefined;
      if (leader === undefined || leader === '' || this.#timeAtLeader === undefined) throw error;
      await this.untilApplied(await this.#timeAtLeader(leader, this.groupId));
    }
  }

  async #sessionBarrier(bytes: Uint8Array | undefined): Promise<void> {
    if (bytes === undefined) throw new ServerError('INVALID_REQUEST', "a read of level 'session' needs a token");
    const token = decodeReadToken(bytes);
    const { restored } = this.machine;
    // An index of before: the state it was seen in may never have come here.
    if (token.groupId === this.groupId && restored !== undefined && token.index < restored.index) throw otherCluster();
    if (token.groupId !== this.groupId || token.index <= this.machine.visible.appliedIndex) return;
    const { role, lastIndex } = this.log.status();
    // Whoever leads has everything that was ever acknowledged.
    if (role === 'leader' && token.index > lastIndex) {
      throw new ServerError(
        'CLUSTER_ERROR',
        `this node leads and has entry ${lastIndex}, the token names ${token.index}`,
      );
    }
    await this.#waits.until(token.index);
  }

  /** A replica that never heard a leader may be older than anybody would believe. */
  #freshness(): number {
    const heardMsAgo = this.#leaderHeardMsAgo();
    if (heardMsAgo !== undefined) return heardMsAgo;
    throw new ServerError(
      'CLUSTER_ERROR',
      `this node has not heard a leader of group ${this.groupId} since it started, and cannot say how old its state is; ` +
        'ask another node',
    );
  }

  #leadsOthers(): boolean {
    const { role, raft } = this.log.status();
    return role === 'leader' && raft.configuration.voters.length > 1;
  }

  #leaderHeardMsAgo(): number | undefined {
    const { role, raft } = this.log.status();
    return role === 'leader' ? 0 : raft.leaderHeardMsAgo;
  }

  #failure(): ServerError | undefined {
    if (this.log.status().state !== 'failed') return undefined;
    return new ServerError('SERVICE_UNAVAILABLE', `group ${this.groupId} has failed`);
  }
}

function otherCluster(): ServerError {
  return new ServerError(
    'INVALID_REQUEST',
    'the token was given out before this cluster was restored from a backup; read without it, or with level linearizable',
  );
}
