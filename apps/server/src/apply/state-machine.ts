/**
 * A group's replicated state: entries in, results out, the same on every replica.
 *
 * Entries that became durable together come as one run. A run is decoded, what it will read is fetched, then a pure,
 * synchronous step applies entry after entry to the counters, tables and the run's write set, and all writes of the run
 * go to the store as one batch together with the counters. So the store always shows a state between two entries, and
 * says which. The batch is not synced: the command log still has the entries until a checkpoint.
 *
 * What readers see is the state of the last batch that completed (`visible`), never the step's own.
 */
import { type Clock, delay, invariant } from '@shanghai/env';
import type { StreamId } from '@shanghai/replication';
import type { CommandApplier, CommittedEntry } from '../raft/command-log.js';
import { clusterVersionName, supportedVersions, versionOfChange } from '../version/cluster-version.js';
import { AppliedNotes } from './applied-notes.js';
import { type ApplyResult, done, failed } from './apply-result.js';
import { Catalogue } from './catalogue.js';
import type { CatalogueCommand } from './catalogue-command.js';
import { type Change, ChangeRing, type ChangeRingLimits } from './change-ring.js';
import type { Command, CommandHeader, WriteCommand } from './command.js';
import { decodeCommand } from './command-codec.js';
import { CommandError } from './command-error.js';
import { isDiskFull } from './disk-full.js';
import { decodeCounters, emptyCounters, encodeCounters, type GroupCounters } from './group-counters.js';
import { isWrite, keysOfJoined, keysOfWrite } from './joined-command.js';
import { applyWrites, operationSlots } from './key-value-apply.js';
import { type FoldTime, KeyspaceFolds, looksAtRows } from './keyspace-folds.js';
import { type AcceptedAppend, LogTable } from './log-table.js';
import type { LogWriter } from './log-writer.js';
import {
  isOriginCommand,
  type OriginAppend,
  type OriginAppendCommand,
  type OriginCommand,
  type OriginReceiveCommand,
} from './origin-command.js';
import type { OriginNote } from './origin-notes.js';
import { decodeRestoredMark, type RestoredMark } from './restored-mark.js';
import { decodeResult, encodeFailure, encodeOutcomes } from './result-codec.js';
import { SessionTable } from './session-table.js';
import { metaKey, originKey, restoredKey, statePrefix } from './state-keys.js';
import { readStatePart } from './state-part.js';
import type { StateStore } from './state-store.js';
import { type AcceptedRun, joinRuns, type StreamRun } from './stream-run.js';
import { type StreamChanges, StreamTable } from './stream-table.js';
import { UpkeepFold } from './upkeep-fold.js';
import { WriteSet } from './write-set.js';

/** What a state machine is made of. */
export interface StateMachineOptions {
  readonly store: StateStore;
  readonly logWriter: LogWriter;
  readonly ring: ChangeRingLimits;
  /** The ring of the state whose place this one takes. Whoever opens it says when: `ChangeRing.restart`. */
  readonly changes?: ChangeRing;
  /** Waits between attempts while the disk is full. */
  readonly clock: Clock;
  /** The cluster version up to which commands are understood here. Default: that of this program. */
  readonly highestVersion?: number;
  /** Told of every run that became visible. */
  readonly onApplied?: (run: AppliedRun) => void;
}

/** A run that became visible. `durationMs`: from the first look at it until its batch was written. */
export interface AppliedRun {
  readonly entries: number;
  readonly operations: number;
  readonly durationMs: number;
  /** Sessions that expired or were evicted. */
  readonly sessionsEnded: number;
}

/** Streams that a run changed, and what it wrote to them. */
export interface ShownStreams extends StreamChanges {
  readonly runs: readonly AcceptedRun[];
}

const diskFullRetryMs = 500;

/** The state of one group. One `apply` at a time. */
export class StateMachine implements CommandApplier<ApplyResult> {
  readonly store: StateStore;
  readonly sessions = new SessionTable();
  readonly logs = new LogTable();
  /** Only an own group has any. */
  readonly streams = new StreamTable(this.logs.producers);
  /** Likewise. */
  readonly keyspaces = new KeyspaceFolds();
  /** Likewise. */
  readonly upkeep = new UpkeepFold(this.streams);
  readonly catalogue = new Catalogue();
  readonly changes: ChangeRing;
  readonly #options: StateMachineOptions;
  readonly #counters: GroupCounters;
  #visible: Readonly<GroupCounters>;
  #shownIndex: number;
  #restored: RestoredMark | undefined;
  /** Told of every run that changed streams, when readers see it; must not throw. */
  onStreams: ((shown: ShownStreams) => void) | undefined;
  readonly #notes: AppliedNotes;
  readonly #closing = new AbortController();
  #isServing = false;
  /** Attempts of the run under way that met a full disk and are waiting to be made again. */
  #attemptsWaiting = 0;

  private constructor(options: StateMachineOptions, counters: GroupCounters, notes: AppliedNotes) {
    this.#notes = notes;
    this.#options = options;
    this.store = options.store;
    this.#counters = counters;
    this.#visible = { ...counters };
    this.#shownIndex = counters.appliedIndex;
    this.changes = options.changes ?? new ChangeRing(options.ring, counters.revision);
  }

  /** Loads the state of a store. */
  static async open(options: StateMachineOptions): Promise<StateMachine> {
    const meta = await options.store.getEntry(metaKey, { horizonMs: 0 });
    const counters = meta === undefined ? emptyCounters() : decodeCounters(meta.value);
    const machine = new StateMachine(options, counters, await AppliedNotes.load(options.store));
    const restored = await options.store.getEntry(restoredKey, { horizonMs: 0 });
    if (restored !== undefined) machine.#restored = decodeRestoredMark(restored.value);
    machine.sessions.load(await readStatePart(options.store, statePrefix.sessionHeader));
    machine.logs.load(await readStatePart(options.store, statePrefix.log));
    machine.logs.producers.load(await readStatePart(options.store, statePrefix.producer));
    machine.logs.consumers.load(await readStatePart(options.store, statePrefix.consumer));
    machine.logs.hidden.load(await readStatePart(options.store, statePrefix.hidden));
    machine.catalogue.load(await readStatePart(options.store, statePrefix.catalogue));
    await machine.upkeep.load(options.store);
    machine.streams.load(await readStatePart(options.store, statePrefix.stream));
    machine.streams.marks.load(await readStatePart(options.store, statePrefix.mark));
    await machine.keyspaces.load(options.store);
    const own = await options.store.getEntry(originKey, { horizonMs: 0 });
    if (own !== undefined) machine.streams.loadOwn(own.value);
    return machine;
  }

  /** What the state was restored from, if it was. */
  get restored(): RestoredMark | undefined {
    return this.#restored;
  }

  /** The counters of the state that readers see. */
  get visible(): Readonly<GroupCounters> {
    return this.#visible;
  }

  /** The last entry of which readers of the store may see something: that of the run being written, else of `visible`. */
  get shownIndex(): number {
    return this.#shownIndex;
  }

  /** Whether a run waits for space on the disk; see `CommandApplier`. */
  get waitsForSpace(): boolean {
    return this.#attemptsWaiting > 0;
  }

  /** From now on a full disk is waited out. Before, while the node opens, it rejects: nobody could be told why nothing happens. */
  beginServing(): void {
    this.#isServing = true;
  }

  async apply(entries: readonly CommittedEntry[]): Promise<readonly ApplyResult[]> {
    const commands = entries.map((entry) => (entry.command === undefined ? undefined : decodeCommand(entry.command)));
    const startMs = this.#options.clock.monotonicMs();
    const endedBefore = this.sessions.ended;
    const writes = new WriteSet(this.store);
    const keys = await this.#keysRead(commands);
    if (keys.length > 0) await writes.prefetch(keys);
    const run: Run = { writes, changes: [], accepted: [], runs: [], originNotes: [], fresh: 0 };
    const results = entries.map((entry, i) => this.#step(entry, commands[i], run));
    this.keyspaces.end();
    await this.#commit(run);
    if (run.fresh === 0) return results;
    this.#options.onApplied?.({
      entries: run.fresh,
      operations: writes.operations.length,
      durationMs: this.#options.clock.monotonicMs() - startMs,
      sessionsEnded: this.sessions.ended - endedBefore,
    });
    return results;
  }

  /**
   * Deletes the notes that nobody needs once everything up to `durableIndex` is durable. A full disk leaves them for the
   * next time: the log can be cut all the same, which may be what makes space.
   */
  forgetNotes(durableIndex: number): Promise<void> {
    return this.#notes.forget(durableIndex);
  }

  /** Lets a log go on behind the last sequence its files hold. Only before the first new entry. */
  async alignLog(logId: number, lastSequence: number): Promise<void> {
    const writes = new WriteSet(this.store);
    this.logs.align(logId, lastSequence, writes);
    await this.store.batch(writes.operations);
  }

  /** Likewise, a stream. */
  async alignStream(stream: StreamId, lastSequence: number): Promise<void> {
    const writes = new WriteSet(this.store);
    this.streams.align(stream, lastSequence);
    this.streams.store(writes);
    await this.store.batch(writes.operations);
    this.streams.publish();
  }

  /** Whether files of the log are the group's. */
  holdsLog(logId: number): boolean {
    return this.logs.get(logId) !== undefined || this.streams.holds(logId);
  }

  /** Whether no files of the log are the group's any more once the state up to `durableIndex` is durable. */
  isLogGone(logId: number, durableIndex: number): boolean {
    return this.logs.isGone(logId, durableIndex) && this.streams.isGone(logId, durableIndex);
  }

  /** Ends waiting for a full disk: such a run rejects. */
  stop(): void {
    this.#closing.abort(new Error('the state machine was stopped'));
  }

  async #keysRead(commands: readonly (Command | undefined)[]): Promise<Buffer[]> {
    const keys: Buffer[] = [];
    for (const command of commands) {
      if (command === undefined) continue;
      const { header, body } = command;
      if (looksAtRows(body)) keys.push(...(await this.keyspaces.keysRead(body, this.store)));
      else if (isWrite(body)) keysOfWrite(header, body, this.sessions, keys);
      else if (body.kind === 'joined') keysOfJoined(body, this.sessions, keys);
    }
    return keys;
  }

  #step(entry: CommittedEntry, command: Command | undefined, run: Run): ApplyResult {
    const counters = this.#counters;
    if (entry.index <= counters.appliedIndex) {
      this.#recall(entry, command, run);
      return done;
    }
    invariant(entry.index === counters.appliedIndex + 1, `entry ${entry.index} after ${counters.appliedIndex}`);
    counters.appliedIndex = entry.index;
    counters.appliedTerm = entry.term;
    run.fresh++;
    if (command === undefined) return done;
    counters.logTimeMs = Math.max(counters.logTimeMs, command.header.logTimeMs);
    const result = this.#perform(entry.index, command, run);
    this.sessions.endEntry(run.writes);
    this.keyspaces.advance(this.streams.own.origin, this.#foldTime(run.writes));
    this.sessions.expire(counters.logTimeMs, run.writes);
    return result;
  }

  #perform(index: number, { header, body }: Command, run: Run): ApplyResult {
    if (isOriginCommand(body)) return this.#performOrigin(index, body, run);
    const counters = this.#counters;
    const { writes } = run;
    switch (body.kind) {
      case 'independent':
      case 'atomic':
      case 'transact':
        return this.#performWrite(index, header, body, run);
      case 'joined': {
        const results = body.commands.map((one) => this.#performWrite(index, one.header, one.body, run));
        return { type: 'joined', results };
      }
      case 'openSession': {
        const sessionId = counters.nextSessionId++;
        this.sessions.open(sessionId, body.ttlMs, index, counters.logTimeMs, writes);
        return { type: 'session', sessionId, ttlMs: body.ttlMs };
      }
      case 'time':
        return done;
      case 'settings':
        if (body.version <= counters.settingsVersion) return done;
        counters.settingsVersion = body.version;
        counters.maxValueBytes = body.maxValueBytes;
        counters.slots = body.slots;
        return done;
      case 'logStart':
        return this.logs.start(body.logId, body.origin, writes);
      case 'logAppend':
        return this.logs.append(body, index, counters, writes, run.accepted);
      case 'logTrim':
        return this.logs.trim(body.logId, body.firstSequence, writes);
      case 'logDrop':
        return this.logs.drop(body.logId, index, writes);
      case 'consumerCommit':
      case 'consumerSeek':
      case 'consumerDelete':
      case 'logHide':
        return this.logs.upkeep(body, counters.logTimeMs, writes);
      case 'catalogue':
        this.#requireKnown(body.change);
        return this.catalogue.apply(body.change, counters.logTimeMs, writes);
    }
  }

  #performOrigin(entryIndex: number, body: OriginCommand, run: Run): ApplyResult {
    const { writes } = run;
    switch (body.kind) {
      case 'originAppend': {
        const results = body.appends.map((append, place) =>
          this.streams.append(append, entryIndex, writes, (accepted, firstKept) => {
            const { logId, epoch } = accepted.stream;
            run.originNotes.push({ entryIndex, place, logId, epoch, firstSequence: accepted.firstSequence });
            run.runs.push({ entryIndex, run: accepted, firstKept, isRecalled: false });
            this.upkeep.fold(accepted, 0, writes);
            this.keyspaces.fold(accepted, 0, this.streams.own.origin, this.#foldTime(writes));
          }),
        );
        return { type: 'appends', results };
      }
      case 'originReceive':
        for (const received of body.runs) {
          this.#receive(entryIndex, received, run);
        }
        return done;
      case 'originSkip':
        return this.streams.skip(body.stream, body.firstSequence);
      case 'originTrim':
        return this.streams.trim(body.stream, body.firstSequence);
      case 'originEpoch':
        return this.streams.beginEpoch(body.origin, body.epoch);
      case 'originRun':
        return this.streams.setRun(body.run, body.isClosed);
      case 'originForget':
        return this.streams.forget(body.stream, writes);
      case 'originDrop':
        this.upkeep.dropLog(body.logId, writes);
        this.keyspaces.drop(body.logId, writes);
        return this.streams.drop(body.logId, entryIndex, writes);
      case 'hlcCeiling':
        this.streams.raiseCeiling(body.hlc);
        return done;
      case 'originMarks':
        this.streams.marks.set(body.marks, writes);
        return done;
      case 'keyspaceSettle':
        this.keyspaces.settle(body, this.streams, this.#foldTime(writes));
        return done;
      case 'keyspaceRows':
        return this.keyspaces.takeRows(body, this.streams, this.#foldTime(writes));
      case 'keyspaceClean':
        this.keyspaces.clean(body, this.streams, this.#foldTime(writes));
        return done;
      case 'keyspacePurge':
        this.keyspaces.purge(body, this.streams, writes);
        return done;
    }
  }

  #receive(entryIndex: number, received: StreamRun, run: Run): void {
    const before = this.streams.get(received.stream)?.lastSequence ?? 0;
    if (!this.streams.receive(received)) return;
    run.runs.push(this.#toWrite(entryIndex, received, false));
    const skip = before + 1 - received.firstSequence;
    this.upkeep.fold(received, skip, run.writes);
    this.keyspaces.fold(received, skip, this.streams.own.origin, this.#foldTime(run.writes));
  }

  #foldTime(writes: WriteSet): FoldTime {
    return { writes, nowMs: this.#counters.logTimeMs };
  }

  #toWrite(entryIndex: number, run: StreamRun, isRecalled: boolean): AcceptedRun {
    return { entryIndex, run, firstKept: this.streams.get(run.stream)?.firstSequence ?? 1, isRecalled };
  }

  /** A cluster that went on without this program is not followed half blind. */
  #requireKnown(change: CatalogueCommand): void {
    const { highestVersion = supportedVersions.highest } = this.#options;
    const version = versionOfChange(change);
    if (version <= highestVersion) return;
    throw new CommandError(
      'UNSUPPORTED_COMMAND',
      `the cluster works in version ${clusterVersionName(version)}, this program supports up to ` +
        `${clusterVersionName(highestVersion)}; start a newer program`,
    );
  }

  #performWrite(index: number, header: CommandHeader, body: WriteCommand, run: Run): ApplyResult {
    const { sessionId, requestNumber } = header;
    if (sessionId === 0) return applyWrites(body, this.#counters, run.writes, run.changes);
    const verdict = this.sessions.judge(sessionId, requestNumber, index, this.#counters.logTimeMs, run.writes);
    switch (verdict.type) {
      case 'expired':
        return failed('SESSION_EXPIRED', `session ${sessionId} is not known (any more); open a new one`);
      case 'forgotten':
        return failed('OUTCOME_UNKNOWN', `request ${requestNumber} of session ${sessionId} is no longer remembered`);
      case 'answered':
        return decodeResult(verdict.result);
      case 'new': {
        const result = applyWrites(body, this.#counters, run.writes, run.changes);
        invariant(result.type === 'outcomes' || result.type === 'failed', `a write gave '${result.type}'`);
        const encoded =
          result.type === 'failed'
            ? encodeFailure(result)
            : encodeOutcomes(result.outcomes, operationSlots(body, this.#counters.slots));
        this.sessions.remember(sessionId, requestNumber, encoded);
        return result;
      }
    }
  }

  /** An entry the store holds already: only the log files may lack it. */
  #recall({ index }: CommittedEntry, command: Command | undefined, run: Run): void {
    const body = command?.body;
    if (body?.kind === 'originAppend' || body?.kind === 'originReceive') this.#recallRuns(index, body, run);
    const note = this.#notes.append(index);
    if (note === undefined || body?.kind !== 'logAppend') return;
    if (this.logs.get(note.logId) === undefined) return;
    run.accepted.push({ ...note, command: body });
  }

  #recallRuns(index: number, body: OriginAppendCommand | OriginReceiveCommand, run: Run): void {
    const recall = (recalled: StreamRun) => {
      if (this.streams.get(recalled.stream) !== undefined) run.runs.push(this.#toWrite(index, recalled, true));
    };
    if (body.kind === 'originReceive') {
      for (const received of body.runs) recall(received);
      return;
    }
    const { origin } = this.streams.own;
    for (const { place, logId, epoch, firstSequence } of this.#notes.originAppends(index)) {
      const { lastHlc, count, bytes } = body.appends[place] as OriginAppend;
      recall({ stream: { logId, origin, epoch }, firstSequence, lastHlc, count, bytes });
    }
  }

  /** Writes a run's outcome and shows it. */
  async #commit(run: Run): Promise<void> {
    const { writes, accepted } = run;
    const runs = joinRuns(run.runs);
    const writeFiles = async () => {
      const { logWriter } = this.#options;
      if (accepted.length > 0) await this.#untilSpace(() => logWriter.write(accepted));
      if (runs.length > 0) await this.#untilSpace(() => logWriter.writeRuns(runs));
    };
    if (run.fresh === 0) {
      await writeFiles();
      return;
    }
    const { appliedIndex } = this.#counters;
    this.#notes.add(appliedIndex, accepted, run.originNotes, writes);
    this.streams.store(writes);
    this.sessions.endRun(writes);
    writes.put(metaKey, encodeCounters(this.#counters));
    const shown = { ...this.#counters };
    this.#shownIndex = appliedIndex;
    await Promise.all([this.#untilSpace(() => this.store.batch(writes.operations)), writeFiles()]);
    this.#visible = shown;
    this.#showStreams(runs);
    this.changes.publish(run.changes, shown.revision);
  }

  #showStreams(runs: readonly AcceptedRun[]): void {
    const { streams, dropped } = this.streams.publish();
    if (streams.length + dropped.length > 0) this.onStreams?.({ streams, dropped, runs });
  }

  /** A full disk is waited out: the entries are committed and must be applied, and nothing of the attempt was kept. */
  async #untilSpace(attempt: () => Promise<unknown>): Promise<void> {
    let waits = false;
    try {
      for (;;) {
        try {
          await attempt();
          return;
        } catch (error) {
          if (!isDiskFull(error) || !this.#isServing || this.#closing.signal.aborted) throw error;
        }
        if (!waits) this.#attemptsWaiting++;
        waits = true;
        await delay(this.#options.clock, diskFullRetryMs, this.#closing.signal);
      }
    } finally {
      if (waits) this.#attemptsWaiting--;
    }
  }
}

/** What a run gathers while it is stepped. */
interface Run {
  readonly writes: WriteSet;
  readonly changes: Change[];
  readonly accepted: AcceptedAppend[];
  readonly runs: AcceptedRun[];
  readonly originNotes: OriginNote[];
  /** Entries that were new to the state. */
  fresh: number;
}
