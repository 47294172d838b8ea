/**
 * A group in memory for tests and examples: nodes whose messages are carried by hand, whose storage keeps everything, and
 * which apply what is committed to a function of the caller's. One thread, no time: whoever ticks decides when.
 */
import { type ConfChange, decodeConfChange } from '../core/configuration/conf-change.js';
import { type ConfState, emptyConfState } from '../core/configuration/configuration.js';
import { type Entry, isEmptyHardState, noData, type Snapshot } from '../core/entry.js';
import type { Message } from '../core/message.js';
import type { RaftOptions } from '../core/options.js';
import type { ReadState } from '../core/raft.js';
import { RaftError } from '../core/raft-error.js';
import { RawNode } from '../core/raw-node.js';
import { MemoryLogStorage } from './memory-log-storage.js';

/** What a group is made of. */
export interface MemoryGroupOptions {
  /** Voters at the start; ids ascending from 1. Default 3. */
  readonly nodes?: number;
  /** Told of every entry that a node applies, configuration changes apart. */
  readonly apply?: (nodeId: number, entry: Entry) => void;
  /** Of every node. */
  readonly raft?: Partial<Omit<RaftOptions, 'id' | 'storage' | 'asyncStorageWrites'>>;
}

/** A node of a group. */
export interface MemoryNode {
  readonly id: number;
  readonly raft: RawNode;
  readonly storage: MemoryLogStorage;
  /** Reads that the core has answered. */
  readonly readStates: ReadState[];
  readonly droppedReads: number[];
  /** Everything it has applied. */
  readonly applied: Entry[];
}

/** Nodes and the messages between them. */
export class MemoryGroup {
  readonly nodes: MemoryNode[] = [];
  /** Sent and not delivered, in order. Tests may look, take out, and put back. */
  readonly messages: Message[] = [];
  readonly #options: MemoryGroupOptions;
  readonly #cut = new Set<number>();

  constructor(options: MemoryGroupOptions = {}) {
    this.#options = options;
    const voters = Array.from({ length: options.nodes ?? 3 }, (_, i) => i + 1);
    const confState: ConfState = { ...emptyConfState, voters };
    const origin: Snapshot = { metadata: { index: 1, term: 1, confState }, data: noData };
    for (const id of voters) this.add(id, origin);
  }

  /** A further node that knows nothing, for a change that makes it a member. */
  add(id: number, origin?: Snapshot): MemoryNode {
    const storage = new MemoryLogStorage();
    if (origin !== undefined) storage.applySnapshot(origin);
    const node: MemoryNode = {
      id,
      storage,
      raft: this.#open(id, storage),
      readStates: [],
      droppedReads: [],
      applied: [],
    };
    this.nodes.push(node);
    return node;
  }

  /** Opens a node anew on what its storage holds: what it knew beside that is gone. */
  restart(id: number): MemoryNode {
    const place = this.nodes.findIndex((node) => node.id === id);
    const old = this.node(id);
    const { hardState } = old.storage.initialState();
    const applied = Math.max(hardState.commit, old.storage.firstIndex() - 1);
    const node = { ...old, raft: this.#open(id, old.storage, applied), readStates: [], droppedReads: [] };
    this.nodes[place] = node;
    return node;
  }

  node(id: number): MemoryNode {
    const node = this.nodes.find((one) => one.id === id);
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  }

  /** The node that leads the highest term. */
  leader(): MemoryNode | undefined {
    const leaders = this.nodes.filter(({ raft }) => raft.marks().state === 'StateLeader');
    return leaders.sort((a, b) => b.raft.marks().term - a.raft.marks().term)[0];
  }

  /** Lets nothing reach these nodes, nor leave them. */
  cut(...ids: readonly number[]): void {
    for (const id of ids) this.#cut.add(id);
  }

  /** Lets everything pass again. What was cut off meanwhile is lost. */
  heal(): void {
    this.#cut.clear();
  }

  /** Elects a node and lets everything settle. */
  elect(id: number): MemoryNode {
    const node = this.node(id);
    node.raft.campaign();
    this.settle();
    return node;
  }

  /** Works and delivers until there is nothing left to do. */
  settle(): void {
    for (;;) {
      this.work();
      const message = this.messages.shift();
      if (message === undefined) return;
      this.deliver(message);
    }
  }

  /** Lets every node, or some, do the work there is. Messages wait. */
  work(...ids: readonly number[]): void {
    for (const node of this.nodes) {
      if (ids.length > 0 && !ids.includes(node.id)) continue;
      while (node.raft.hasReady) this.#workOnce(node);
    }
  }

  /** Steps a message at its target, unless one of the two is cut off. */
  deliver(message: Message): void {
    const target = this.nodes.find(({ id }) => id === message.to);
    if (target === undefined || this.#cut.has(message.to) || this.#cut.has(message.from)) return;
    try {
      target.raft.step(message);
    } catch (error) {
      // An answer to somebody who was removed.
      if (!(error instanceof RaftError)) throw error;
    }
  }

  /** Ticks every node, or some, so often, and lets everything settle after each. */
  tick(times: number, ...ids: readonly number[]): void {
    for (let i = 0; i < times; i++) {
      for (const { id, raft } of this.nodes) if (ids.length === 0 || ids.includes(id)) raft.tick();
      this.settle();
    }
  }

  /** Proposes a change at the leader and lets everything settle. */
  change(change: ConfChange): void {
    this.leader()?.raft.proposeConfChange(change);
    this.settle();
  }

  #open(id: number, storage: MemoryLogStorage, applied?: number): RawNode {
    const known = applied ?? storage.firstIndex() - 1;
    // Every node waits for an election a little longer than the one before it.
    const random = () => id;
    return new RawNode({
      electionTick: 10,
      heartbeatTick: 1,
      random,
      ...this.#options.raft,
      id,
      storage,
      ...(known > 0 ? { applied: known } : {}),
    });
  }

  #workOnce(node: MemoryNode): void {
    const { raft, storage, readStates, droppedReads } = node;
    const ready = raft.ready();
    if (ready.snapshot !== undefined) storage.applySnapshot(ready.snapshot);
    storage.append(ready.entries);
    if (!isEmptyHardState(ready.hardState)) storage.setHardState(ready.hardState);
    this.messages.push(...ready.messages);
    readStates.push(...ready.readStates);
    droppedReads.push(...ready.droppedReads);
    for (const entry of ready.committedEntries) this.#apply(node, entry);
    raft.advance();
  }

  #apply(node: MemoryNode, entry: Entry): void {
    node.applied.push(entry);
    if (entry.type === 'EntryNormal') {
      if (entry.data.length > 0) this.#options.apply?.(node.id, entry);
    } else {
      const confState = node.raft.applyConfChange(decodeConfChange(entry.data));
      const { index, term } = entry;
      node.storage.createSnapshot({ metadata: { index, term, confState }, data: noData });
    }
  }
}
