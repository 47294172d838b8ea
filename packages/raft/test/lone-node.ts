/**
 * One core whose peers are the test. Time, messages and the disk are moved by hand: with `asyncStorageWrites` work waits
 * in `appends` and `applies` until the test says that it is done.
 */

import { decodeConfChange } from '../src/core/configuration/conf-change.js';
import { type ConfState, emptyConfState } from '../src/core/configuration/configuration.js';
import { type Entry, type HardState, isEmptyHardState, noData } from '../src/core/entry.js';
import { createMessage, type Message, type MessageFields, type MessageType } from '../src/core/message.js';
import type { RaftOptions } from '../src/core/options.js';
import type { ReadState } from '../src/core/raft.js';
import { RawNode } from '../src/core/raw-node.js';
import { MemoryLogStorage } from '../src/testing/memory-log-storage.js';

/** What a node begins with. */
export interface LoneNodeOptions extends Partial<Omit<RaftOptions, 'storage'>> {
  readonly conf?: Partial<ConfState>;
  /** Terms of the entries in its log, from index 1 on. */
  readonly log?: readonly number[];
  readonly hardState?: Partial<HardState>;
}

/** An entry with a term and an index, of so many bytes. */
export function entryAt(index: number, term: number, bytes = 0): Entry {
  return { index, term, type: 'EntryNormal', data: new Uint8Array(bytes) };
}

/** Entries behind `after`, one for each term. */
export function entriesAfter(after: number, ...terms: readonly number[]): Entry[] {
  return terms.map((term, i) => entryAt(after + 1 + i, term));
}

/** A node alone with its test. */
export class LoneNode {
  readonly storage = new MemoryLogStorage();
  readonly raft: RawNode;
  /** What it has sent, in order. */
  readonly sent: Message[] = [];
  readonly applied: Entry[] = [];
  readonly readStates: ReadState[] = [];
  readonly droppedReads: number[] = [];
  /** Storage work that is not done. */
  readonly appends: Message[] = [];
  readonly applies: Message[] = [];
  readonly traces: string[] = [];
  readonly #isAsync: boolean;

  constructor({ conf, log = [], hardState, ...options }: LoneNodeOptions = {}) {
    const confState = { ...emptyConfState, voters: [1, 2, 3], ...conf };
    this.storage.createSnapshot({ metadata: { index: 0, term: 0, confState }, data: noData });
    this.storage.append(entriesAfter(0, ...log));
    this.storage.setHardState({ term: log.at(-1) ?? 0, vote: 0, commit: 0, ...hardState });
    this.#isAsync = options.asyncStorageWrites ?? false;
    this.raft = new RawNode({
      id: 1,
      electionTick: 10,
      heartbeatTick: 1,
      random: () => 0,
      trace: (_, describe) => this.traces.push(describe()),
      ...options,
      storage: this.storage,
    });
  }

  /** Makes it lead: the others vote for it, and with `isCommitted` acknowledge its first entry. Nothing of it stays in `sent`. */
  lead(isCommitted = true): this {
    this.raft.campaign();
    this.finish();
    const { term } = this.raft.marks();
    const { voters } = this.raft.status().configuration;
    for (const id of [...voters.incoming, ...voters.outgoing]) {
      if (id !== this.raft.id) this.step({ type: 'MsgVoteResp', from: id, term });
    }
    this.finish();
    const index = this.raft.status().lastIndex;
    if (isCommitted) {
      for (const id of [...voters.incoming, ...voters.outgoing]) this.acknowledge(id, index);
      this.finish();
    }
    this.sent.length = 0;
    return this;
  }

  /** A follower says that it has everything up to `index`. */
  acknowledge(from: number, index: number): void {
    if (from !== this.raft.id) this.step({ type: 'MsgAppResp', from, index, term: this.raft.marks().term });
  }

  /** Steps a message to this node and does what work there is. */
  step(fields: MessageFields): void {
    this.raft.step(createMessage({ to: this.raft.id, ...fields }));
    this.work();
  }

  tick(times: number): void {
    for (let i = 0; i < times; i++) {
      this.raft.tick();
      this.work();
    }
  }

  /** Does the work there is; storage work waits where it is asynchronous. */
  work(): void {
    while (this.raft.hasReady) {
      const ready = this.raft.ready();
      this.readStates.push(...ready.readStates);
      this.droppedReads.push(...ready.droppedReads);
      if (this.#isAsync) {
        for (const message of ready.messages) this.#queue(message);
        continue;
      }
      if (ready.snapshot !== undefined) this.storage.applySnapshot(ready.snapshot);
      this.storage.append(ready.entries);
      if (!isEmptyHardState(ready.hardState)) this.storage.setHardState(ready.hardState);
      this.sent.push(...ready.messages);
      for (const entry of ready.committedEntries) this.#apply(entry);
      this.raft.advance();
    }
  }

  /** Ends the oldest appending; its answers are sent and stepped. */
  completeAppend(): void {
    const work = this.appends.shift();
    if (work === undefined) throw new Error('nothing is being appended');
    if (work.snapshot !== undefined) this.storage.applySnapshot(work.snapshot);
    this.storage.append(work.entries);
    const { term, vote, commit } = work;
    if (!isEmptyHardState({ term, vote, commit })) this.storage.setHardState({ term, vote, commit });
    for (const response of work.responses) this.#answer(response);
    this.work();
  }

  /** Ends the oldest applying. */
  completeApply(): void {
    const work = this.applies.shift();
    if (work === undefined) throw new Error('nothing is being applied');
    for (const entry of work.entries) this.#apply(entry);
    for (const response of work.responses) this.#answer(response);
    this.work();
  }

  /** Ends all storage work, and what comes of it. */
  finish(): void {
    this.work();
    while (this.appends.length + this.applies.length > 0) {
      if (this.appends.length > 0) this.completeAppend();
      else this.completeApply();
    }
  }

  /** Takes out what was sent, or what of a type was. */
  take(type?: MessageType): Message[] {
    const all = this.sent.splice(0);
    return type === undefined ? all : all.filter((message) => message.type === type);
  }

  #queue(message: Message): void {
    if (message.type === 'MsgStorageAppend') this.appends.push(message);
    else if (message.type === 'MsgStorageApply') this.applies.push(message);
    else this.sent.push(message);
  }

  #answer(response: Message): void {
    if (response.to === this.raft.id) this.raft.step(response);
    else this.sent.push(response);
  }

  #apply(entry: Entry): void {
    this.applied.push(entry);
    if (entry.type !== 'EntryNormal') this.raft.applyConfChange(decodeConfChange(entry.data));
  }
}
