import type { Timer } from '@shanghai/env';
import type { Credit } from '../core/credit.js';
import type { StreamId } from '../core/entry-id.js';
import type { Hlc } from '../core/hlc.js';
import { type AcknowledgementLevel, Holdings } from '../core/holdings.js';
import { Intake } from '../core/intake.js';
import type { ControlMessage } from '../core/message.js';
import { ReplicationError } from '../core/replication-error.js';
import { findDivergence, findReversion } from '../core/reversion.js';
import { SourceChoice } from '../core/source-choice.js';
import type { OriginMark, StreamPosition } from '../core/stream-position.js';
import { VersionVector } from '../core/version-vector.js';
import type { SessionHandlers, TransportSession } from '../ports/replication-transport.js';
import { Acknowledgements } from './acknowledgements.js';
import { FollowerLink } from './follower-link.js';
import { LagWatch } from './lag-watch.js';
import type { ReplicationListener } from './replication-listener.js';
import type { ReplicatorStatus, StatusFilter } from './replication-status.js';
import type { ReplicationMember, Replicator } from './replicator.js';
import type { ReplicatorContext } from './replicator-context.js';
import { type ReplicatorLimits, type ReplicatorOptions, resolveReplicatorLimits } from './replicator-options.js';
import { RunCache } from './run-cache.js';
import { SourceLink } from './source-link.js';
import { statusOf } from './status-of.js';
import { StoreQueue } from './store-queue.js';

/**
 * Opens the transport and begins to fetch and ship. Throws `TypeError` or `RangeError` for options that cannot work.
 */
export function openReplicator(options: ReplicatorOptions): Replicator {
  const { nodeId, store } = options;
  if (!Number.isSafeInteger(nodeId) || nodeId < 1) throw new RangeError(`node id ${nodeId}; it is at least 1`);
  if (store.ownOrigin !== nodeId) throw new TypeError(`the store is of node ${store.ownOrigin}, not of ${nodeId}`);
  const replicator = new OpenReplicator(options, resolveReplicatorLimits(options.limits));
  replicator.open();
  return replicator;
}

/** The least window: below it the grants cost more than what they allow. */
const leastWindowBytes = 65_536;

class OpenReplicator implements Replicator {
  readonly #options: ReplicatorOptions;
  readonly #limits: ReplicatorLimits;
  readonly #listener: ReplicationListener;
  readonly #held: VersionVector;
  readonly #marks: Map<number, OriginMark>;
  readonly #intake: Intake;
  readonly #holdings: Holdings;
  readonly #acknowledgements: Acknowledgements;
  readonly #choice: SourceChoice;
  readonly #lags: LagWatch;
  readonly #context: ReplicatorContext;
  /** Whom this node fetches from, and whom it ships to. */
  readonly #fetching = new Map<number, FollowerLink>();
  readonly #shipping = new Map<number, SourceLink>();
  /** What each follower said that it holds, also while it cannot be reached. */
  readonly #told = new Map<number, VersionVector>();
  readonly #paused = new Set<number>();
  #isAllPaused = false;
  #unobserve: () => void = () => undefined;
  #timer: Timer | undefined;
  #markedMs = Number.NEGATIVE_INFINITY;
  #isMarking = false;
  #isBeginning = false;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: ReplicatorOptions, limits: ReplicatorLimits) {
    const { store, clock, listener = {} } = options;
    this.#options = options;
    this.#limits = limits;
    this.#listener = listener;
    this.#held = new VersionVector(store.positions());
    this.#marks = new Map(store.marks().map((mark) => [mark.origin, mark]));
    this.#intake = new Intake(this.#held, this.#marks);
    this.#holdings = new Holdings(options.nodeId, this.#held, this.#marks);
    this.#acknowledgements = new Acknowledgements(this.#holdings, limits.maxWaiters);
    this.#choice = new SourceChoice(options.nodeId, limits.relayDelayMs);
    this.#lags = new LagWatch(this.#held, listener, limits.laggingMs, limits.staleMs);
    const queue = new StoreQueue(store, limits.maxReceives, (error) => this.#storeFailed(error));
    this.#context = { store, clock, listener, queue, cache: new RunCache(store, limits.cacheBytes) };
  }

  open(): void {
    const { store, transport, members } = this.#options;
    this.#unobserve = store.observe({
      onPositions: (positions) => this.#takePositions(positions),
      onMarks: (marks) => this.#takeMarks(marks),
      onLogRemoved: (logId) => this.#removeLog(logId),
    });
    transport.open({ onSession: (session) => this.#takeSession(session) });
    this.setMembers(members);
    this.#tick();
  }

  setMembers(members: readonly ReplicationMember[]): void {
    if (this.#closing !== undefined) return;
    const { nodeId, transport } = this.#options;
    const others = members.filter((member) => member.nodeId !== nodeId);
    const ids = new Set(others.map((member) => member.nodeId));
    this.#holdings.setMembers(ids);
    for (const [peer, link] of [...this.#fetching]) if (!ids.has(peer)) link.end('it is no member any more');
    for (const [peer, link] of [...this.#shipping]) if (!ids.has(peer)) link.end('it is no member any more');
    for (const peer of this.#told.keys()) {
      if (ids.has(peer)) continue;
      this.#told.delete(peer);
      this.#lags.forget(peer);
    }
    transport.setPeers(others);
    this.#acknowledgements.advanceAll();
    this.#choose();
  }

  pause(follower: number | 'all'): void {
    if (follower === 'all') this.#isAllPaused = true;
    else this.#paused.add(follower);
    this.#tellPaused();
  }

  resume(follower: number | 'all'): void {
    if (follower === 'all') {
      this.#isAllPaused = false;
      this.#paused.clear();
    } else this.#paused.delete(follower);
    this.#tellPaused();
  }

  whenHeldBy(stream: StreamId, sequence: number, level: AcknowledgementLevel, signal?: AbortSignal): Promise<void> {
    if (this.#closing !== undefined || this.#failure !== undefined) return Promise.reject(closed());
    return this.#acknowledgements.wait(stream, sequence, level, signal);
  }

  heldBy(stream: StreamId, level: AcknowledgementLevel): number {
    return this.#holdings.heldBy(stream, level);
  }

  stableAt(logId: number, origin: number): Hlc | undefined {
    return this.#holdings.stableAt(logId, origin);
  }

  watermark(logId: number): Hlc {
    return this.#holdings.watermark(logId);
  }

  hasHeardAll(): boolean {
    if (this.#isBeginning) return false;
    const { nodeId } = this.#options;
    for (const member of this.#holdings.members) {
      const isHeard = this.#fetching.get(member)?.isSourceKnown === true || this.#told.has(member);
      if (member !== nodeId && !isHeard) return false;
    }
    return true;
  }

  status(filter: StatusFilter = {}): ReplicatorStatus {
    return statusOf({
      filter,
      nodeId: this.#options.nodeId,
      nowMs: this.#options.clock.monotonicMs(),
      members: this.#holdings.members,
      held: this.#held,
      told: this.#told,
      lags: this.#lags,
      shipping: this.#shipping,
      fetching: this.#fetching,
      isPaused: (follower) => this.#isPaused(follower),
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stop('this node closes');
    this.#acknowledgements.rejectAll(closed());
    await this.#options.transport.close();
    await this.#context.queue.close();
  }

  #stop(reason: string): void {
    this.#timer?.cancel();
    this.#unobserve();
    for (const link of [...this.#fetching.values()]) link.end(reason);
    for (const link of [...this.#shipping.values()]) link.end(reason);
  }

  get #isRunning(): boolean {
    return this.#closing === undefined && this.#failure === undefined;
  }

  #takeSession(session: TransportSession): SessionHandlers {
    const { peer, role } = session;
    if (!this.#isRunning || peer === this.#options.nodeId || !this.#holdings.members.has(peer)) {
      this.#context.clock.soon(() => session.close(`node ${peer} is no member`));
      return silence;
    }
    return role === 'follower' ? this.#fetchFrom(session) : this.#shipTo(session);
  }

  #fetchFrom(session: TransportSession): SessionHandlers {
    const { peer } = session;
    this.#fetching.get(peer)?.end('a newer session has taken the place of this one');
    const { store } = this.#options;
    const onEnd = (reason: string) => {
      if (this.#fetching.get(peer) === link) this.#fetching.delete(peer);
      this.#listener.disconnected?.(peer, 'follower', reason);
      if (this.#isRunning) this.#choose();
    };
    const core = {
      source: peer,
      held: this.#held,
      marks: this.#marks,
      intake: this.#intake,
      own: () => ({ origin: store.ownOrigin, epoch: store.ownEpoch() }),
    };
    const link = new FollowerLink(this.#context, core, this.#window(), session, onEnd);
    this.#fetching.set(peer, link);
    this.#listener.connected?.(peer, 'follower');
    // Not from within the handing out of the session, which has no handlers yet.
    this.#context.clock.soon(() => {
      if (this.#fetching.get(peer) !== link) return;
      link.step({ type: 'open' });
      this.#choose();
    });
    return {
      onControl: (message) => this.#takeFromSource(link, message),
      onData: (message) => link.step({ type: 'data', message }),
      onDrain: () => undefined,
      onEnd: (reason) => {
        link.stop();
        onEnd(reason);
      },
    };
  }

  #shipTo(session: TransportSession): SessionHandlers {
    const { peer } = session;
    this.#shipping.get(peer)?.end('a newer session has taken the place of this one');
    const onEnd = (reason: string) => {
      if (this.#shipping.get(peer) === link) this.#shipping.delete(peer);
      this.#listener.disconnected?.(peer, 'source', reason);
    };
    const { runBytes, maxBehindLogs } = this.#limits;
    const core = { held: this.#held, marks: this.#marks, runBytes, maxBehindLogs };
    const link = new SourceLink(this.#context, core, session, onEnd);
    this.#shipping.set(peer, link);
    this.#listener.connected?.(peer, 'source');
    this.#context.clock.soon(() => {
      if (this.#shipping.get(peer) !== link) return;
      link.step({ type: 'open' });
      if (this.#isPaused(peer)) link.step({ type: 'pause', isPaused: true });
    });
    return {
      onControl: (message) => this.#takeFromFollower(link, message),
      onData: () => link.end('a follower does not ship'),
      onDrain: () => link.step({ type: 'full', isFull: false }),
      onEnd: (reason) => {
        link.stop();
        onEnd(reason);
      },
    };
  }

  #takeFromSource(link: FollowerLink, message: ControlMessage): void {
    if (message.type !== 'positions') {
      link.end(`a source does not send '${message.type}'`);
      return;
    }
    if (!this.#mayHold(link.source, message.positions, (reason) => link.end(reason))) return;
    const wasKnown = link.isSourceKnown;
    link.step({ ...message, type: 'sourcePositions' });
    if (!wasKnown && link.isSourceKnown) this.#choose();
  }

  #takeFromFollower(link: SourceLink, message: ControlMessage): void {
    if (message.type !== 'positions') {
      link.takeControl(message);
      return;
    }
    const { positions, isComplete } = message;
    if (!this.#mayHold(link.follower, positions, (reason) => link.end(reason))) return;
    link.takeControl(message);
    const isFirst = isComplete && this.#told.get(link.follower) !== link.told;
    if (isFirst) {
      this.#told.set(link.follower, link.told);
      this.#holdings.set(link.follower, link.told, link.marks);
    }
    for (const { stream } of positions) this.#lags.touch(stream.origin, link.follower);
    if (isFirst) this.#acknowledgements.advanceAll();
    else this.#acknowledgements.advance(positions);
  }

  /** Compares what a peer says it holds with what is held here. */
  #mayHold(peer: number, positions: readonly StreamPosition[], end: (reason: string) => void): boolean {
    const other = findDivergence(this.#held, positions);
    if (other !== undefined) {
      this.#listener.diverged?.(other.stream, other.lastSequence, peer);
      end(`it holds another entry ${other.lastSequence} of log ${other.stream.logId}, origin ${other.stream.origin}`);
      return false;
    }
    const { nodeId, store } = this.#options;
    const lost = findReversion(this.#held, nodeId, positions);
    if (lost !== undefined && lost.stream.epoch >= store.ownEpoch()) this.#beginEpoch(peer, lost);
    return true;
  }

  #beginEpoch(peer: number, lost: StreamPosition): void {
    if (this.#isBeginning) return;
    this.#isBeginning = true;
    const ownSequence = this.#held.get(lost.stream)?.lastSequence ?? 0;
    this.#options.store.beginEpoch().then(
      (epoch) => {
        this.#isBeginning = false;
        this.#listener.reverted?.(lost.stream, ownSequence, peer, lost.lastSequence, epoch);
        if (this.#isRunning) this.#choose();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #takePositions(positions: readonly StreamPosition[]): void {
    for (const position of positions) {
      this.#held.set(position);
      this.#intake.settle(position.stream);
      this.#lags.touch(position.stream.origin);
    }
    for (const link of this.#shipping.values()) link.step({ type: 'held', positions });
    for (const link of this.#fetching.values()) link.step({ type: 'held', positions });
    this.#acknowledgements.advance(positions);
    this.#listener.advanced?.(positions);
  }

  #takeMarks(marks: readonly OriginMark[]): void {
    for (const mark of marks) this.#marks.set(mark.origin, mark);
    for (const link of this.#fetching.values()) link.step({ type: 'marks', marks });
  }

  #removeLog(logId: number): void {
    this.#held.removeLog(logId);
    this.#intake.removeLog(logId);
    for (const link of this.#shipping.values()) link.step({ type: 'logRemoved', logId });
    for (const link of this.#fetching.values()) link.held.removeLog(logId);
  }

  #tick(): void {
    const { clock } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#makeMark(nowMs);
    this.#choose();
    for (const link of [...this.#fetching.values()]) link.step({ type: 'tick' });
    for (const link of [...this.#shipping.values()]) link.tick();
    this.#lags.tick(nowMs, this.#lagSubjects());
    this.#timer = clock.setTimer(this.#limits.tickMs, () => this.#tick());
  }

  *#lagSubjects() {
    for (const [follower, told] of this.#told) yield { follower, told };
  }

  #makeMark(nowMs: number): void {
    const isDue = nowMs - this.#markedMs >= this.#limits.markIntervalMs;
    if (!isDue || this.#isMarking || this.#holdings.members.size < 2) return;
    this.#isMarking = true;
    this.#markedMs = nowMs;
    this.#options.store.makeOwnMark().then(
      () => {
        this.#isMarking = false;
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #choose(): void {
    const { clock, store } = this.#options;
    const before = this.#choice.chosen;
    // Of those that have not said yet what they hold it is not known what they would send.
    const reachable = new Map(
      [...this.#fetching].filter(([, link]) => link.isSourceKnown).map(([peer, link]) => [peer, link.held]),
    );
    const sources = { nowMs: clock.monotonicMs(), reachable, members: this.#holdings.members, held: this.#held };
    const hasRows = (logId: number) => store.hasRows(logId);
    const chosen = this.#choice.choose({ ...sources, ownEpoch: store.ownEpoch(), hasRows });
    const wanted = new Map<number, number[]>();
    for (const [origin, source] of chosen) {
      const origins = wanted.get(source);
      if (origins === undefined) wanted.set(source, [origin]);
      else origins.push(origin);
      if (before.get(origin) !== source) this.#listener.sourceChanged?.(origin, source);
    }
    for (const origin of before.keys()) if (!chosen.has(origin)) this.#listener.sourceChanged?.(origin, undefined);
    for (const [peer, link] of [...this.#fetching]) link.step({ type: 'want', origins: wanted.get(peer) ?? [] });
  }

  #window(): Credit {
    const { windowEntries, windowBytes, nodeWindowBytes } = this.#limits;
    const sources = Math.max(1, this.#holdings.members.size - 1);
    const share = Math.floor(nodeWindowBytes / sources);
    return { entries: windowEntries, bytes: Math.max(leastWindowBytes, Math.min(windowBytes, share)) };
  }

  #isPaused(follower: number): boolean {
    return this.#isAllPaused || this.#paused.has(follower);
  }

  #tellPaused(): void {
    for (const [peer, link] of this.#shipping) {
      const isPaused = this.#isPaused(peer);
      if (link.isPaused !== isPaused) link.step({ type: 'pause', isPaused });
    }
  }

  /** What could not be taken was not kept; it is fetched anew. Anything else means that the store is at its end. */
  #storeFailed(error: unknown): void {
    const isRefusal = error instanceof ReplicationError && error.code !== 'CLOSED';
    if (!isRefusal) {
      this.#fail(error);
      return;
    }
    this.#intake.reset();
    for (const link of [...this.#fetching.values()]) link.end(error.message);
  }

  #fail(error: unknown): void {
    if (!this.#isRunning) return;
    this.#failure = error instanceof Error ? error : new Error(String(error));
    this.#stop('its store has failed');
    this.#acknowledgements.rejectAll(closed());
    this.#options.onFatal(this.#failure);
  }
}

const silence: SessionHandlers = {
  onControl: () => undefined,
  onData: () => undefined,
  onDrain: () => undefined,
  onEnd: () => undefined,
};

function closed(): ReplicationError {
  return new ReplicationError('CLOSED', 'the replicator is closed');
}
