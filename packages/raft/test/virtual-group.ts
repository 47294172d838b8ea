/**
 * A group on virtual time: a tick moves every running node, messages take a part of a tick or several, and may be lost.
 * A node that is down hears and says nothing; when it comes back it has what its storage holds and nothing else.
 */
import { createSeededRandom, type Random } from '@shanghai/env';
import { expect } from 'vitest';
import { confStateOf } from '../src/core/configuration/configuration.js';
import { noData } from '../src/core/entry.js';
import type { Message } from '../src/core/message.js';
import { MemoryGroup, type MemoryNode } from '../src/testing/memory-group.js';

/** How messages travel. Shares are probabilities. */
export interface Conditions {
  readonly lostShare: number;
  /** So many take up to 40 ticks: they arrive behind others that were sent later. */
  readonly lateShare: number;
}

const calm: Conditions = { lostShare: 0, lateShare: 0 };
const stepsPerTick = 4;

/** A command that can be told from others. */
export function command(number: number, bytes = 4): Uint8Array {
  const data = new Uint8Array(bytes);
  new DataView(data.buffer).setUint32(0, number);
  return data;
}

/** Nodes on virtual time. */
export class VirtualGroup {
  readonly group: MemoryGroup;
  readonly random: Random;
  conditions = calm;
  /** Sent so far; and the bytes of the commands in them. */
  sentMessages = 0;
  sentBytes = 0;
  readonly #down = new Set<number>();
  readonly #cut = new Set<number>();
  #flying: { readonly at: number; readonly order: number; readonly message: Message }[] = [];
  #now = 0;
  #order = 0;

  constructor(nodes: number, seed: number) {
    this.random = createSeededRandom(seed);
    const random = (limit: number) => this.random.below(limit);
    this.group = new MemoryGroup({
      nodes,
      raft: { random, preVote: true, checkQuorum: true, maxInflightMessages: 64 },
    });
  }

  get nodes(): readonly MemoryNode[] {
    return this.group.nodes;
  }

  isUp(id: number): boolean {
    return !this.#down.has(id) && !this.#cut.has(id);
  }

  /** Cuts nodes off from everybody; they go on by themselves. */
  cut(...ids: readonly number[]): void {
    for (const id of ids) this.#cut.add(id);
  }

  reconnect(...ids: readonly number[]): void {
    for (const id of ids) this.#cut.delete(id);
  }

  crash(...ids: readonly number[]): void {
    for (const id of ids) this.#down.add(id);
  }

  restart(...ids: readonly number[]): void {
    for (const id of ids) {
      if (!this.#down.delete(id)) continue;
      this.group.restart(id);
    }
  }

  /** Who leads among those that can be heard, in the highest term. */
  leader(): MemoryNode | undefined {
    const leaders = this.nodes.filter(({ id, raft }) => this.isUp(id) && raft.marks().state === 'StateLeader');
    return leaders.sort((a, b) => b.raft.marks().term - a.raft.marks().term)[0];
  }

  /** Lets time pass until there is a leader among those that can be heard, and everybody there follows it. */
  waitForLeader(): MemoryNode {
    for (let i = 0; i < 2000; i++) {
      const leader = this.leader();
      const up = this.nodes.filter(({ id }) => this.isUp(id));
      if (leader !== undefined && up.every(({ raft }) => raft.marks().lead === leader.id)) return leader;
      this.run(1);
    }
    throw new Error('nobody was elected in 2000 ticks');
  }

  /** Proposes until a node has applied it, and returns its index. Tries again as a client would. */
  agree(number: number, bytes = 4): number {
    for (let attempt = 0; attempt < 40; attempt++) {
      const leader = this.waitForLeader();
      if (leader.raft.propose(command(number, bytes)) !== undefined) {
        this.run(5);
        continue;
      }
      for (let i = 0; i < 40; i++) {
        this.run(1);
        const index = this.indexOf(number);
        if (index !== undefined) return index;
      }
    }
    throw new Error(`${number} was not agreed on`);
  }

  /** Where a command was applied first; checks that it is nowhere else. */
  indexOf(number: number): number | undefined {
    const places = this.nodes.flatMap(({ applied }) =>
      applied.filter(({ data }) => data.length >= 4 && numberOf(data) === number).map(({ index }) => index),
    );
    return places.length === 0 ? undefined : Math.min(...places);
  }

  /** Lets time pass. */
  run(ticks: number): void {
    for (let i = 0; i < ticks; i++) {
      for (const { id, raft } of this.nodes) if (!this.#down.has(id)) raft.tick();
      for (let step = 0; step < stepsPerTick; step++) this.#step();
    }
  }

  /** Puts the state up to what a node has applied in the place of its log, but for the last few entries. */
  compact({ raft, storage }: MemoryNode, trailing = 2): void {
    const { applied, configuration } = raft.status();
    const term = raft.termAt(applied);
    if (term === undefined) return;
    storage.createSnapshot({ metadata: { index: applied, term, confState: confStateOf(configuration) }, data: noData });
    storage.compact(Math.max(applied - trailing, storage.firstIndex() - 1));
  }

  #step(): void {
    this.#now++;
    this.group.work(...this.nodes.filter(({ id }) => !this.#down.has(id)).map(({ id }) => id));
    for (const message of this.group.messages.splice(0)) this.#send(message);
    const due = this.#flying.filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at || a.order - b.order);
    this.#flying = this.#flying.filter(({ at }) => at > this.#now);
    for (const { message } of due) this.#deliver(message);
  }

  #send(message: Message): void {
    if (!this.isUp(message.from) || !this.isUp(message.to)) return;
    this.sentMessages++;
    for (const { data } of message.entries) this.sentBytes += data.length;
    const { lostShare, lateShare } = this.conditions;
    if (this.random.float() < lostShare) {
      this.group.node(message.from).raft.reportUnreachable(message.to);
      if (message.type === 'MsgSnap') this.group.node(message.from).raft.reportSnapshot(message.to, false);
      return;
    }
    const delay = this.random.float() < lateShare ? this.random.below(40 * stepsPerTick) : 1;
    this.#flying.push({ at: this.#now + delay, order: this.#order++, message });
  }

  #deliver(message: Message): void {
    if (!this.isUp(message.from) || !this.isUp(message.to)) return;
    this.group.deliver(message);
    if (message.type === 'MsgSnap') this.group.node(message.from).raft.reportSnapshot(message.to, true);
  }
}

/** The number of a command. */
export function numberOf(data: Uint8Array): number {
  return new DataView(data.buffer, data.byteOffset).getUint32(0);
}

/** Everybody has applied the same number of entries, at least up to `index`: proposals on their way may have come after it. */
export function expectAllBehind({ nodes }: VirtualGroup, index: number): void {
  const applied = nodes.map(({ raft }) => raft.marks().applied);
  expect(new Set(applied).size, applied.join(' ')).toBe(1);
  expect(applied[0]).toBeGreaterThanOrEqual(index);
}

/** Throws unless all nodes applied the same entries at the same places; what came by a snapshot is not there to compare. */
export function checkSameLogs(nodes: readonly MemoryNode[]): void {
  const known = new Map<number, string>();
  for (const { id, applied } of nodes) {
    let last = 0;
    for (const { index, term, data } of applied) {
      if (index <= last) throw new Error(`${id} applied ${index} after ${last}`);
      last = index;
      const text = `${term} ${data.join(' ')}`;
      if ((known.get(index) ?? text) !== text)
        throw new Error(`${id} applied '${text}' at ${index}, somebody else not`);
      known.set(index, text);
    }
  }
}
