/**
 * The groups of a node on one log, one transport and one timer.
 *
 * A *turn* gathers the work of all groups that have some: each does its share, in the order in which they got work, and
 * what is left waits for the next turn, so that a busy group cannot hold up the others. What they write in a turn goes to
 * the log together, and what they send to one node leaves as one frame. A *tick* is a turn with time in it: it also says
 * to every node that shares a group with this one that it lives, if only by an empty frame.
 */
import type { Clock, Random, Timer } from '@shanghai/env';
import type { ClockVerdict } from '../core/clock-judge.js';
import { RaftError } from '../core/raft-error.js';
import type { GroupLog, HostLog } from '../ports/group-log.js';
import type { GroupMessage, Peer, PeerFrame, PeerTransport } from '../ports/peer-transport.js';
import type { SnapshotSink } from '../ports/state-machine.js';
import { alignLog } from './align-log.js';
import { DiskWatch } from './disk-watch.js';
import { GroupDriver } from './group-driver.js';
import { GroupHandle } from './group-handle.js';
import type { HostContext, HostedGroup } from './host-context.js';
import { resolveHostLimits } from './host-limits.js';
import type { HostListener } from './host-listener.js';
import type { GroupOptions, HostLimits, HostOptions } from './host-options.js';
import { Outbox } from './outbox.js';
import { PeerClocks } from './peer-clocks.js';
import type { RaftGroup } from './raft-group.js';
import type { HostStatus, RaftHost } from './raft-host.js';

/** What is known of another node. */
interface HeardNode {
  readonly startId: string;
  readonly heardMs: number;
}

interface OpenGroup {
  readonly driver: GroupDriver<unknown>;
  readonly handle: RaftGroup<unknown>;
}

/** One node's groups. */
export class Host implements RaftHost, HostContext {
  readonly nodeId: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: HostLimits;
  readonly listener: HostListener;
  readonly transport: PeerTransport;
  readonly outbox: Outbox;
  snapshotsSent = 0;
  readonly #log: HostLog;
  readonly #disk: DiskWatch;
  readonly #clocks: PeerClocks;
  readonly #onFatal: ((error: Error) => void) | undefined;
  readonly #groups = new Map<number, OpenGroup>();
  readonly #opening = new Set<number>();
  #runnable = new Set<HostedGroup>();
  readonly #ticking = new Set<HostedGroup>();
  readonly #heard = new Map<number, HeardNode>();
  /** Nodes that share a group with this one; ascending. `undefined`: to be found out. */
  #neighbours: readonly number[] | undefined;
  #isTurnDue = false;
  #timer: Timer | undefined;
  #nextTickMs: number;
  #failure: Error | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: HostOptions) {
    const { nodeId, clock, random, transport, log, limits, listener, onFatal } = options;
    if (!Number.isSafeInteger(nodeId) || nodeId < 1) throw new RangeError(`nodeId must be from 1, not ${nodeId}`);
    this.nodeId = nodeId;
    this.clock = clock;
    this.random = random;
    this.transport = transport;
    this.limits = resolveHostLimits(limits);
    this.listener = listener ?? {};
    this.outbox = new Outbox(transport, clock, this.limits.commitDelayMs);
    this.#log = log;
    this.#disk = new DiskWatch(log, this.limits, this.listener, clock.monotonicMs());
    this.#clocks = new PeerClocks(clock, transport, this.listener);
    this.#onFatal = onFatal;
    this.#nextTickMs = clock.monotonicMs();
  }

  /** Begins to hear and to tick. */
  start(): void {
    this.transport.open({
      onFrame: (from, startId, frame) => this.#onFrame(from, startId, frame),
      onUnreachable: (nodeId) => this.#onUnreachable(nodeId),
      onGone: (nodeId) => this.#onGone(nodeId),
      onSnapshot: (from, offer) => this.#onSnapshot(from, offer),
    });
    this.#armTick();
  }

  get isStalled(): boolean {
    return this.#disk.isStalled;
  }

  async openGroup<Result>(options: GroupOptions<Result>): Promise<RaftGroup<Result>> {
    const { groupId } = options;
    if (this.#failure !== undefined || this.#closed !== undefined) throw this.#closedError();
    if (this.#groups.has(groupId) || this.#opening.has(groupId))
      throw new RangeError(`group ${groupId} is open already`);
    this.#opening.add(groupId);
    try {
      return await this.#open(options);
    } finally {
      this.#opening.delete(groupId);
    }
  }

  group(groupId: number): RaftGroup<unknown> | undefined {
    return this.#groups.get(groupId)?.handle;
  }

  setPeers(peers: readonly Peer[]): void {
    this.transport.setPeers(peers.filter(({ nodeId }) => nodeId !== this.nodeId));
  }

  status(): HostStatus {
    const nowMs = this.clock.monotonicMs();
    const groups = [...this.#groups.values()].map(({ handle }) => handle.status());
    return {
      nodeId: this.nodeId,
      groups: groups.sort((a, b) => a.groupId - b.groupId),
      peers: this.#others().map((nodeId) => {
        const heardMs = this.heardMs(nodeId);
        return { nodeId, heardMsAgo: heardMs === undefined ? undefined : nowMs - heardMs };
      }),
      stalledMs: this.#disk.isStalled ? this.#disk.waitedMs(nowMs) : undefined,
      failure: this.#failure,
    };
  }

  judgeClock(): ClockVerdict {
    return this.#clocks.judge(this.#others());
  }

  close(drainMs: number): Promise<void> {
    this.#closed ??= this.#close(drainMs);
    return this.#closed;
  }

  schedule(group: HostedGroup): void {
    this.#runnable.add(group);
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    this.clock.soon(() => this.#turn([]));
  }

  setTicking(group: HostedGroup, isTicking: boolean): void {
    if (isTicking) this.#ticking.add(group);
    else this.#ticking.delete(group);
  }

  membersChanged(): void {
    this.#neighbours = undefined;
  }

  heardMs(nodeId: number): number | undefined {
    return this.#heard.get(nodeId)?.heardMs;
  }

  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#timer?.cancel();
    this.outbox.close();
    for (const { driver } of this.#groups.values()) driver.fail(error);
    this.transport.close().then(
      () => this.#onFatal?.(error),
      () => this.#onFatal?.(error),
    );
  }

  async #open<Result>(options: GroupOptions<Result>): Promise<RaftGroup<Result>> {
    const { groupId } = options;
    const log = await this.#log.open(groupId);
    const driver = await this.#started(options, log);
    const handle = new GroupHandle(driver, () => this.#forget(groupId));
    if (this.#failure !== undefined || this.#closed !== undefined) {
      await handle.close(0);
      throw this.#closedError();
    }
    this.#groups.set(groupId, { driver: driver as GroupDriver<unknown>, handle });
    this.membersChanged();
    await leading(driver);
    return handle;
  }

  async #started<Result>(options: GroupOptions<Result>, log: GroupLog): Promise<GroupDriver<Result>> {
    try {
      await alignLog(log, options, this.nodeId);
      const driver = new GroupDriver(this, options, log);
      await driver.start();
      return driver;
    } catch (error) {
      log.close();
      throw error;
    }
  }

  #forget(groupId: number): void {
    this.#groups.delete(groupId);
    this.membersChanged();
  }

  async #close(drainMs: number): Promise<void> {
    await Promise.all([...this.#groups.values()].map(({ handle }) => handle.close(drainMs)));
    this.#timer?.cancel();
    this.outbox.close();
    await this.transport.close();
  }

  /** Lets every group that has work do its share, and sends what came of it. */
  #turn(beatTo: readonly number[]): void {
    this.#isTurnDue = false;
    const groups = this.#runnable;
    this.#runnable = new Set();
    for (const group of groups) if (group.run()) this.schedule(group);
    this.outbox.flush(beatTo);
  }

  #armTick(): void {
    const nowMs = this.clock.monotonicMs();
    const { tickMs } = this.limits;
    // Ticks that were missed are not made up for: the others have not waited for them either.
    const isLate = this.#nextTickMs + tickMs <= nowMs;
    this.#nextTickMs = (isLate ? nowMs : this.#nextTickMs) + tickMs;
    this.#timer = this.clock.setTimer(this.#nextTickMs - nowMs, () => this.#tick());
  }

  #tick(): void {
    const nowMs = this.clock.monotonicMs();
    this.#watchDisk(nowMs);
    if (this.#failure !== undefined) return;
    this.#armTick();
    this.#wakeLeaderless(nowMs);
    for (const group of [...this.#ticking]) group.tick(nowMs);
    this.#turn(this.#others());
    this.#clocks.tick(this.#others());
  }

  #watchDisk(nowMs: number): void {
    const news = this.#disk.check(nowMs);
    if (news === 'stalled') for (const { driver } of this.#groups.values()) driver.stepDown();
    else if (news === 'fatal') {
      const what = `the disk has not answered for ${Math.round(this.#disk.waitedMs(nowMs))} ms`;
      this.fail(new RaftError('DISK_STALLED', `${what}; see to the disk, then start the node again`));
    }
  }

  /** Groups asleep whose leader's node has not been heard for an election timeout. */
  #wakeLeaderless(nowMs: number): void {
    const electionMs = this.limits.electionTicks * this.limits.tickMs;
    for (const { driver } of this.#groups.values()) {
      const { lead, state } = driver.marks;
      if (!driver.sleeper.isAsleep || state === 'StateLeader') continue;
      if (nowMs - (this.heardMs(lead) ?? Number.NEGATIVE_INFINITY) >= electionMs) driver.wake();
    }
  }

  #onFrame(from: number, startId: string, { messages, signals, clock }: PeerFrame): void {
    const known = this.#heard.get(from);
    this.#heard.set(from, { startId, heardMs: this.clock.monotonicMs() });
    if (known !== undefined && known.startId !== startId) this.#wakeGroupsWith(from);
    if (clock !== undefined) this.#clocks.receive(from, clock);
    for (const { groupId, message } of messages) {
      if (message.from === from && message.to === this.nodeId) this.#groups.get(groupId)?.driver.receive(message);
    }
    for (const signal of signals) this.#groups.get(signal.groupId)?.driver.receiveSignal(from, signal);
  }

  /** A node was started anew: it does not know who leads, or leads no more. */
  #wakeGroupsWith(nodeId: number): void {
    for (const { driver } of this.#groups.values()) {
      if (driver.sleeper.isAsleep && driver.members.includes(nodeId)) driver.wake();
    }
  }

  #onUnreachable(nodeId: number): void {
    for (const { driver } of this.#groups.values()) {
      if (driver.marks.state !== 'StateLeader' || driver.sleeper.isAsleep) continue;
      driver.guard(({ raw }) => raw.reportUnreachable(nodeId));
    }
  }

  #onGone(nodeId: number): void {
    for (const { driver } of this.#groups.values()) driver.succession.nodeGone(nodeId);
  }

  async #onSnapshot(from: number, offer: GroupMessage): Promise<SnapshotSink> {
    const group = this.#groups.get(offer.groupId);
    const { message } = offer;
    if (group === undefined || message.type !== 'MsgSnap' || message.from !== from || message.to !== this.nodeId) {
      throw new RaftError('CLOSED', `group ${offer.groupId} is not open on node ${this.nodeId}`);
    }
    return group.driver.receiveSnapshot(from, offer);
  }

  #others(): readonly number[] {
    if (this.#neighbours !== undefined) return this.#neighbours;
    const all = new Set([...this.#groups.values()].flatMap(({ driver }) => driver.members));
    all.delete(this.nodeId);
    this.#neighbours = [...all].sort((a, b) => a - b);
    return this.#neighbours;
  }

  #closedError(): RaftError {
    return new RaftError('CLOSED', `the host of node ${this.nodeId} is closed`, { cause: this.#failure });
  }
}

/** Resolves when a group with one voter leads; at once for all others, and where it cannot come to lead now. */
function leading(driver: GroupDriver<unknown>): Promise<void> {
  const isDone = () => driver.marks.state === 'StateLeader' || driver.core === undefined;
  if (!driver.isOnlyVoter || isDone()) return Promise.resolve();
  return new Promise((resolve) => {
    driver.onProgress = () => {
      if (!isDone()) return;
      driver.onProgress = undefined;
      resolve();
    };
  });
}
