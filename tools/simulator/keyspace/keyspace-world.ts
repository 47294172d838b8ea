import type { Random } from '@shanghai/env';
import type { EntryStamp } from '../../../packages/replication/src/core/entry-id.js';
import { compareStamps } from '../../../packages/replication/src/core/entry-id.js';
import { compareHlc, type Hlc, laterHlc } from '../../../packages/replication/src/core/hlc.js';
import { entryKey, type KeyspaceEntry } from '../../../packages/replication/src/core/keyspace/operation.js';
import { visibleVersion, winnerOf } from '../../../packages/replication/src/core/keyspace/row.js';
import { SimulatedReplica } from './simulated-replica.js';

/** What can happen, with its weight. */
const events = {
  fetch: 40,
  write: 16,
  settle: 12,
  pass: 8,
  mark: 8,
  page: 5,
  repeat: 3,
  cut: 2,
  heal: 2,
  trim: 4,
  verdict: 2,
  jump: 1,
  wipe: 0.8,
  remove: 0.1,
} as const;

/** A kind of event. */
export type KeyspaceEvent = keyof typeof events;

const keys = 5;
const epochZero = 1_000_000;

/** Something was not as it must be. */
export class KeyspaceViolation extends Error {}

/** Replicas of one keyspace, and all that happens to them. */
export class KeyspaceWorld {
  readonly replicas: SimulatedReplica[];
  readonly counts = new Map<string, number>();
  readonly #random: Random;
  readonly #trace: ((line: string) => void) | undefined;
  /** Everything that was ever written, and what of it was promised to be read again. */
  readonly #written: KeyspaceEntry[] = [];
  readonly #cuts = new Set<string>();
  #nowMs = epochZero;
  #nextEpoch = 2;

  constructor(random: Random, nodes: number, trace?: (line: string) => void) {
    this.#random = random;
    this.#trace = trace;
    this.replicas = Array.from({ length: nodes }, (_, i) => new SimulatedReplica(i + 1, (one) => this.#hasOwn(one)));
    this.#pass(1);
  }

  /** Lets one thing happen. */
  step(): void {
    const kind = this.#drawEvent();
    this.#count(kind);
    this.#perform(kind, this.#any(this.replicas));
  }

  #perform(kind: KeyspaceEvent, replica: SimulatedReplica): void {
    switch (kind) {
      case 'fetch':
        this.#fetch(replica, this.#any(this.replicas), 1 + this.#draw(4));
        break;
      case 'write':
        this.#write(replica);
        break;
      case 'settle':
        replica.settle(this.#members());
        break;
      case 'pass':
        this.#pass(this.#draw(10) === 0 ? 5_000 : 1 + this.#draw(50));
        break;
      case 'mark':
        replica.mark();
        break;
      case 'page':
        replica.takePage(this.#members());
        break;
      case 'repeat':
        replica.repeat(this.#anyStream(replica));
        break;
      case 'cut':
        this.#cuts.add(linkOf(replica, this.#any(this.replicas)));
        break;
      case 'heal':
        this.#cuts.clear();
        break;
      case 'trim':
        replica.trim(this.#anyStream(replica), 1 + this.#draw(6));
        break;
      case 'verdict':
        this.#judge(replica);
        break;
      case 'jump':
        replica.clockOffsetMs = this.#any([0, 0, -20_000, 8_000, 30_000, 600_000]);
        this.#note(`clock of ${replica.id} is off by ${replica.clockOffsetMs} ms`);
        break;
      case 'wipe':
        this.#wipe(replica);
        break;
      case 'remove':
        this.#remove(replica);
        break;
    }
  }

  /** Ends all faults, brings everything to everyone, lets all time pass, and demands that all are right and equal. */
  finish(): void {
    this.#cuts.clear();
    for (const replica of this.replicas) replica.clockOffsetMs = 0;
    this.#pass(2_000_000);
    for (let round = 0; round < 6 * this.replicas.length; round++) {
      for (const replica of this.replicas) {
        for (const source of this.replicas) this.#fetch(replica, source, 1_000_000);
        for (let pages = 0; pages < keys + 2; pages++) replica.takePage(this.#members());
        replica.giveUp();
        replica.mark();
      }
    }
    this.#pass(2_000_000);
    for (let round = 0; round < 3; round++) {
      for (const replica of this.replicas) replica.mark();
      for (const replica of this.replicas) {
        for (const source of this.replicas) this.#fetch(replica, source, 1_000_000);
      }
    }
    for (const replica of this.replicas) replica.settle(this.#members());
    this.#check();
  }

  #check(): void {
    const first = this.replicas[0] as SimulatedReplica;
    for (const replica of this.replicas) {
      const held = replica.store.firstHeld();
      this.#demand(held === undefined, `replica ${replica.id} still holds ${JSON.stringify(held)}`);
      const [ours, theirs] = [replica.store.dump(), first.store.dump()];
      this.#demand(ours === theirs, `replicas ${first.id} and ${replica.id} differ:\n${theirs}\n--\n${ours}`);
    }
    for (let number = 1; number <= keys; number++) this.#checkKey(first, number);
  }

  /** What the surviving entries say of a key, told without any of the code under test that folds. */
  #checkKey(replica: SimulatedReplica, number: number): void {
    const survives = ({ stamp }: KeyspaceEntry) =>
      this.replicas.some((one) => one.position(`${stamp.origin}.${stamp.epoch}`) >= stamp.sequence);
    const entries = this.#written.filter(survives);
    const isDropped = (stamp: EntryStamp) =>
      entries.some(({ stamp: by, operation }) => {
        if (operation.type !== 'verdict' || operation.decision !== 'drop') return false;
        if (operation.origin !== stamp.origin || operation.epoch !== stamp.epoch) return false;
        return (
          operation.targets.some(({ sequence }) => sequence === stamp.sequence) && compareHlc(by.hlc, stamp.hlc) < 0
        );
      });
    const writes = entries.filter(({ operation }) => operation.type !== 'verdict' && operation.key[0] === number);
    const last = writes
      .filter(({ stamp }) => !isDropped(stamp))
      .sort((a, b) => compareStamps(a.stamp, b.stamp))
      .at(-1);
    const isThere = last?.operation.type === 'put' && last.operation.expiresAtMs === 0;
    const row = replica.store.row(Uint8Array.of(number));
    const found = row === undefined ? 'none' : entryKey(winnerOf(row).stamp);
    const expected = isThere && last !== undefined ? entryKey(last.stamp) : 'none';
    this.#demand(found === expected, `key ${number} shows ${found}, the entries say ${expected}`);
  }

  #fetch(replica: SimulatedReplica, source: SimulatedReplica, most: number): void {
    if (replica === source || this.#cuts.has(linkOf(replica, source))) return;
    for (const name of source.streams()) {
      if (most < 100 && this.#draw(2) === 0) continue;
      replica.fetch(source, name, most, this.#members(), most < 100 && this.#draw(6) === 0);
    }
    replica.learnMarks(source, this.#members());
    if (replica.takeover !== undefined) this.#count('takeover');
  }

  #write(replica: SimulatedReplica): void {
    const key = Uint8Array.of(1 + this.#draw(keys));
    const value = Uint8Array.of(replica.id, this.#draw(256));
    const ttlMs = this.#draw(5) === 0 ? 1 + this.#draw(10_000) : 0;
    const entry = replica.write(this.#draw(3) === 0 ? { type: 'delete', key } : { type: 'put', key, value, ttlMs });
    this.#written.push(entry);
    const shown = visibleVersion(replica.store.row(key), replica.logTimeMs);
    const winner = winnerOf(replica.store.row(key) ?? []);
    this.#demand(entryKey(winner.stamp) === entryKey(entry.stamp), `replica ${replica.id} does not show its own write`);
    this.#demand(
      (shown !== undefined) === (entry.operation.type === 'put'),
      `replica ${replica.id} shows a write wrongly`,
    );
  }

  #judge(replica: SimulatedReplica): void {
    const held = replica.store.tail().held;
    const first = held[this.#draw(Math.max(1, held.length))];
    if (first === undefined) return;
    const { origin, epoch } = first.stamp;
    const same = held
      .filter(({ stamp }) => stamp.origin === origin && stamp.epoch === epoch)
      .slice(0, 1 + this.#draw(3));
    const targets = same.map(({ stamp, operation }) => ({ sequence: stamp.sequence, key: operation.key }));
    const decision = this.#draw(2) === 0 ? 'accept' : 'drop';
    this.#count(decision);
    this.#written.push(replica.judge({ decision, origin, epoch, targets }));
  }

  #wipe(replica: SimulatedReplica): void {
    // What a removed member had written is brought to all before anything else may happen to it.
    if (!this.replicas.every((other) => other.hasLasts())) return;
    let above: Hlc = { ms: replica.logTimeMs, counter: 0 };
    for (const other of this.replicas) above = laterHlc(above, other.markOf(replica.id));
    replica.wipe(this.#nextEpoch++, above);
    this.#note(`replica ${replica.id} lost everything`);
  }

  /** A member goes for good; those that stay agree on the last of its entries that counts. */
  #remove(replica: SimulatedReplica): void {
    // What a removed member had written is brought to all before another goes.
    if (this.replicas.length <= 2 || !this.replicas.every((other) => other.hasLasts())) return;
    this.replicas.splice(this.replicas.indexOf(replica), 1);
    const lasts = this.replicas.map((other) => other.lastOf(replica.id));
    const last = lasts.reduce((a, b) => ((a.epoch - b.epoch || a.sequence - b.sequence) >= 0 ? a : b));
    for (const other of this.replicas) {
      other.remove(last);
      if (other.takeover?.source === replica) other.takePage(this.#members());
    }
    this.#note(`member ${replica.id} is removed behind ${entryKey(last)}`);
  }

  #hasOwn(replica: SimulatedReplica): boolean {
    return this.replicas.every((other) =>
      other
        .streams()
        .every((name) => !name.startsWith(`${replica.id}.`) || other.position(name) <= replica.position(name)),
    );
  }

  #members(): readonly number[] {
    return this.replicas.map(({ id }) => id);
  }

  #pass(ms: number): void {
    this.#nowMs += ms;
    for (const replica of this.replicas) replica.setTime(this.#nowMs);
  }

  #anyStream(replica: SimulatedReplica): string {
    return this.#any(replica.streams()) ?? '';
  }

  #drawEvent(): KeyspaceEvent {
    const all = Object.entries(events) as [KeyspaceEvent, number][];
    let place = this.#random.float() * all.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [kind, weight] of all) {
      place -= weight;
      if (place < 0) return kind;
    }
    return 'fetch';
  }

  #draw(below: number): number {
    return this.#random.below(below);
  }

  #any<T>(list: readonly T[]): T {
    return list[this.#draw(Math.max(1, list.length))] as T;
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #note(line: string): void {
    this.#trace?.(`${this.#nowMs}: ${line}`);
  }

  #demand(holds: boolean, message: string): void {
    if (!holds) throw new KeyspaceViolation(message);
  }
}

function linkOf(a: SimulatedReplica, b: SimulatedReplica): string {
  return [a.id, b.id].sort((x, y) => x - y).join('-');
}
