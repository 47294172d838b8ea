/**
 * One node: the real core, with a simulated disk and a state machine that keeps a digest of everything it applied.
 * Storage is written to asynchronously; appends and applies take time, and end in order.
 */
import { crc32, type Random } from '@shanghai/env';
import {
  type ConfState,
  decodeConfChange,
  type Entry,
  type Message,
  RaftError,
  type RaftOptions,
  RawNode,
  type Snapshot,
} from '@shanghai/raft';
import type { EventQueue } from '../event-queue.js';
import type { ExerciseCounts } from './exercise.js';
import { SimulatedStorage } from './simulated-storage.js';
import { marksOf, type NodeMarks, type Truth } from './truth.js';

/** How a disk behaves. */
export interface DiskConditions {
  readonly maxSyncMs: number;
  /** So many syncs take up to two seconds. */
  readonly stallShare: number;
}

/** A disk that is always quick. */
export const calmDisk: DiskConditions = { maxSyncMs: 2, stallShare: 0 };

const stallMs = 2000;
const trailingEntries = 5;

/** What a node stands in. */
export interface NodeSurroundings {
  readonly queue: EventQueue;
  readonly random: Random;
  readonly truth: Truth;
  readonly options: Partial<RaftOptions>;
  readonly exercise: ExerciseCounts;
  /** Disks lose what they said was synced. */
  readonly areDisksLying: boolean;
  send(message: Message, onLost: () => void): void;
  /** Told of entries as this node applies them, and of configurations. */
  onApplied(id: number, entry: Entry): void;
  onConfiguration(id: number, state: ConfState): void;
  trace(line: () => string): void;
}

interface WaitingRead {
  readonly acknowledgedBefore: number;
  index: number | undefined;
}

/** A node that can crash and come back. */
export class SimulatedNode {
  readonly id: number;
  readonly storage = new SimulatedStorage();
  disk: DiskConditions = calmDisk;
  isRunning = false;
  isPaused = false;
  /** Called once, at its next crash. */
  onCrash: (() => void) | undefined;
  /** Everything that was begun in another life means nothing in this one. */
  #life = 0;
  #raft: RawNode | undefined;
  readonly #surroundings: NodeSurroundings;
  #marks: NodeMarks = { term: 0, commit: 0, applied: 0, state: 'StateFollower' };
  #state: { index: number; term: number; digest: number; confState: ConfState };
  readonly #reads = new Map<number, WaitingRead>();
  #nextRead = 1;
  readonly #inbox: Message[] = [];
  #isDiskBusy = false;
  #crashAt: 'anything' | 'vote' | undefined;
  readonly #appendWork: Message[] = [];
  readonly #applyWork: Message[] = [];

  constructor(id: number, origin: Snapshot | undefined, surroundings: NodeSurroundings) {
    this.id = id;
    this.#surroundings = surroundings;
    if (origin !== undefined) this.storage.applySnapshot(origin);
    this.#state = stateOf(this.storage.kept());
    this.storage.present = () => this.#snapshot();
  }

  get raft(): RawNode | undefined {
    return this.isRunning ? this.#raft : undefined;
  }

  get appliedIndex(): number {
    return this.#state.index;
  }

  get digest(): number {
    return this.#state.digest;
  }

  start(): void {
    const { random, options } = this.#surroundings;
    this.#life++;
    this.#state = stateOf(this.storage.kept());
    this.#raft = new RawNode({
      id: this.id,
      storage: this.storage,
      applied: this.#state.index,
      electionTick: 10,
      heartbeatTick: 1,
      asyncStorageWrites: true,
      random: (limit) => random.below(limit),
      trace: (level, describe) => {
        if (level !== 'debug') this.#surroundings.trace(describe);
      },
      ...options,
    });
    this.isRunning = true;
    this.#marks = marksOf(this.#raft);
    this.#isDiskBusy = false;
    this.#appendWork.length = 0;
    this.#applyWork.length = 0;
    this.#inbox.length = 0;
    this.#reads.clear();
  }

  /** The process is gone, and what was not synced with it, or most of it. */
  crash(): void {
    this.#surroundings.trace(() => `${this.id} crashes`);
    this.isRunning = false;
    this.isPaused = false;
    this.#crashAt = undefined;
    const { random, exercise, areDisksLying } = this.#surroundings;
    exercise.crashes++;
    exercise.lostRecords += this.storage.crash(random);
    if (areDisksLying) this.storage.loseSynced(random);
    const { onCrash } = this;
    this.onCrash = undefined;
    onCrash?.();
  }

  /** It will be gone as soon as it has written something, or a vote for another, before that is synced. */
  crashAtNextWrite(of: 'anything' | 'vote'): void {
    this.#crashAt = of;
  }

  /** Nothing more is wrong with it. */
  recover(): void {
    this.disk = calmDisk;
    this.onCrash = undefined;
    this.#crashAt = undefined;
  }

  /** Goes on with what came while it was paused. */
  resume(): void {
    this.isPaused = false;
    for (const message of this.#inbox.splice(0)) this.receive(message);
  }

  tick(count: number): void {
    if (!this.isRunning || this.isPaused) return;
    this.#do((raft) => {
      for (let i = 0; i < count; i++) raft.tick();
    });
  }

  receive(message: Message): void {
    if (!this.isRunning) return;
    if (this.isPaused) this.#inbox.push(message);
    else this.#step(message);
  }

  /** Returns whether the proposal was taken. */
  propose(data: Uint8Array): boolean {
    let isTaken = false;
    this.#do((raft) => {
      isTaken = raft.propose(data) === undefined;
      if (!isTaken) this.#surroundings.exercise.refusedProposals++;
    });
    return isTaken;
  }

  /** Asks for something of the core: a change, a transfer. */
  ask(request: (raft: RawNode) => void): void {
    this.#do(request);
  }

  /** Asks to read; what comes of it is checked when it comes. */
  read(): void {
    const context = this.#nextRead++;
    this.#reads.set(context, { acknowledgedBefore: this.#surroundings.truth.acknowledgedIndex, index: undefined });
    this.#do((raft) => {
      if (raft.readIndex(context) !== undefined) this.#reads.delete(context);
    });
  }

  /** Keeps the state as a snapshot and cuts the log behind it. */
  compact(): void {
    if (!this.isRunning || this.#state.index <= this.storage.firstIndex() + trailingEntries) return;
    this.storage.createSnapshot(this.#snapshot());
    this.storage.compact(Math.min(this.#state.index, this.storage.lastIndex()) - trailingEntries);
    this.#surroundings.exercise.compactions++;
    this.#surroundings.trace(() => `${this.id} compacts its log up to ${this.storage.firstIndex() - 1}`);
  }

  #snapshot(): Snapshot {
    const { index, term, confState, digest } = this.#state;
    const data = new Uint8Array(4);
    new DataView(data.buffer).setUint32(0, digest);
    return { metadata: { index, term, confState }, data };
  }

  #step(message: Message): void {
    this.#do((raft) => {
      try {
        raft.step(message);
      } catch (error) {
        // Transports may carry answers to somebody who has left.
        if (!(error instanceof RaftError)) throw error;
      }
    });
  }

  /** Lets the core do something, and sees to the work that comes of it. */
  #do(action: (raft: RawNode) => void): void {
    const raft = this.#raft;
    if (raft === undefined || !this.isRunning || this.isPaused) return;
    action(raft);
    while (raft.hasReady) this.#handleReady(raft);
    this.#checkMarks(raft);
  }

  #handleReady(raft: RawNode): void {
    const { messages, readStates, droppedReads } = raft.ready();
    for (const { context, index } of readStates) {
      const waiting = this.#reads.get(context);
      if (waiting !== undefined) waiting.index = index;
    }
    for (const context of droppedReads) this.#reads.delete(context);
    this.#surroundings.exercise.droppedReads += droppedReads.length;
    this.#answerReads();
    for (const message of messages) {
      if (message.type === 'MsgStorageAppend') this.#append(message);
      else if (message.type === 'MsgStorageApply') this.#queueApply(message);
      else this.#send(message);
    }
  }

  #send(message: Message): void {
    const { to, type, term, reject } = message;
    const { truth, exercise } = this.#surroundings;
    if (type === 'MsgVoteResp' && !reject) truth.voted(this.id, term, to);
    else if (type === 'MsgSnap') exercise.snapshotsSent++;
    else if (type === 'MsgAppResp' && reject) exercise.rejectedAppends++;
    else if (type === 'MsgTimeoutNow') exercise.transfers++;
    const life = this.#life;
    const onLost = () => {
      exercise.messagesLost++;
      if (life !== this.#life) return;
      this.#do((raft) => (type === 'MsgSnap' ? raft.reportSnapshot(to, false) : raft.reportUnreachable(to)));
    };
    this.#surroundings.send(message, onLost);
    // The report of a snapshot's arrival is the transport's: it comes when it has been carried.
    if (type === 'MsgSnap') this.#later(20, () => this.#do((raft) => raft.reportSnapshot(to, true)));
  }

  #append(work: Message): void {
    const { truth } = this.#surroundings;
    for (const entry of work.entries) truth.written(this.id, entry, this.#raft?.termAt(entry.index - 1));
    this.storage.write(work);
    this.#appendWork.push(work);
    // Not at once: the core is in the middle of something.
    const isVote = work.vote !== 0 && work.vote !== this.id && work.entries.length === 0;
    if (this.#crashAt === 'anything' || (this.#crashAt === 'vote' && isVote)) this.#later(0, () => this.crash());
    if (!this.#isDiskBusy) this.#sync();
  }

  /** One sync at a time, for all that was written before it. */
  #sync(): void {
    const { random } = this.#surroundings;
    const covered = this.#appendWork.length;
    if (covered === 0) return;
    this.#isDiskBusy = true;
    const isStalled = random.float() < this.disk.stallShare;
    this.#later(random.float() * (isStalled ? stallMs : this.disk.maxSyncMs), () => {
      // What was written meanwhile may be made durable by this sync as well; it is not promised.
      this.#surroundings.exercise.overwrites += this.storage.sync();
      this.#isDiskBusy = false;
      for (const { snapshot, responses } of this.#appendWork.splice(0, covered)) {
        if (snapshot !== undefined) this.#restore(snapshot);
        for (const response of responses) {
          if (response.to === this.id) this.receive(response);
          else if (this.isRunning) this.#send(response);
        }
      }
      if (!this.#isDiskBusy) this.#sync();
    });
  }

  /** One piece of work at a time, in order. */
  #queueApply(work: Message): void {
    this.#applyWork.push(work);
    if (this.#applyWork.length === 1) this.#applyNext();
  }

  #applyNext(): void {
    const [work] = this.#applyWork;
    if (work === undefined) return;
    // On a slow disk applying is slow as well: snapshots come while it is at work.
    this.#later(this.#surroundings.random.float() * this.disk.maxSyncMs, () => {
      this.#apply(work);
      this.#applyWork.shift();
      this.#applyNext();
    });
  }

  #restore(snapshot: Snapshot): void {
    this.#state = stateOf(snapshot);
    this.#surroundings.exercise.snapshotsRestored++;
    this.#surroundings.truth.stateAt(this.id, this.#state.index, this.#state.digest);
  }

  #apply({ entries, responses }: Message): void {
    for (const entry of entries) this.#applyEntry(entry);
    for (const response of responses) this.receive(response);
    this.#answerReads();
  }

  #applyEntry(entry: Entry): void {
    const { truth, onApplied, onConfiguration } = this.#surroundings;
    if (entry.index <= this.#state.index) return;
    let { confState } = this.#state;
    if (entry.type !== 'EntryNormal') {
      confState = this.#raft?.applyConfChange(decodeConfChange(entry.data)) ?? confState;
      onConfiguration(this.id, confState);
    }
    const head = new Uint8Array(8);
    new DataView(head.buffer).setUint32(0, entry.index);
    new DataView(head.buffer).setUint32(4, entry.term);
    const digest = crc32(entry.data, crc32(head, this.#state.digest));
    this.#state = { index: entry.index, term: entry.term, digest, confState };
    truth.appliedEntry(this.id, entry, digest, this.#marks.term);
    onApplied(this.id, entry);
  }

  #answerReads(): void {
    for (const [context, { index, acknowledgedBefore }] of this.#reads) {
      if (index === undefined || this.#state.index < index) continue;
      this.#reads.delete(context);
      this.#surroundings.exercise.reads++;
      this.#surroundings.truth.read(this.id, acknowledgedBefore, this.#state.index);
    }
  }

  #checkMarks(raft: RawNode): void {
    const before = this.#marks;
    const after = marksOf(raft);
    this.#surroundings.truth.moved(this.id, before, after);
    this.#marks = after;
    if (after.state !== 'StateLeader' || (before.state === 'StateLeader' && before.term === after.term)) return;
    const { truth, exercise } = this.#surroundings;
    exercise.elections++;
    truth.elected(this.id, after.term, raft.status().lastIndex, (index) => raft.termAt(index));
  }

  /** In this life only, and not while paused: then when it goes on. */
  #later(delayMs: number, action: () => void): void {
    const life = this.#life;
    const run = () => {
      if (life !== this.#life || !this.isRunning) return;
      if (this.isPaused) this.#surroundings.queue.after(50, run);
      else action();
    };
    this.#surroundings.queue.after(delayMs, run);
  }
}

function stateOf({ metadata: { index, term, confState }, data }: Snapshot) {
  const digest = data.length === 4 ? new DataView(data.buffer, data.byteOffset).getUint32(0) : 0;
  return { index, term, digest, confState };
}
