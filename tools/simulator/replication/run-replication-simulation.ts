/**
 * Nodes that all write, on virtual time, with faults; then none, until all copies are the same. The replicator, its sessions
 * and queues are those that ship; the store and the network are those in memory. A seed is a whole simulation.
 */
import { createSeededRandom, type Random } from '@shanghai/env';
import { createManualClock, type ManualClock } from '@shanghai/env/testing';
import { type StreamId, streamKey } from '@shanghai/replication';
import { MemoryEntryDirectory, MemoryReplicationNetwork } from '@shanghai/replication/testing';
import { ReplicationTruth, ReplicationViolation } from './replication-truth.js';
import { type ReplicaWorld, SimulatedReplica } from './simulated-replica.js';

/** What a simulation is of. */
export interface ReplicationSimulationOptions {
  readonly seed: number;
  /** ≥ 2. */
  readonly nodes: number;
  /** Of virtual time, with faults. */
  readonly seconds: number;
  /** Told of faults. */
  readonly onTrace?: (line: string) => void;
}

/** How it went. */
export interface ReplicationSimulationResult {
  readonly seed: number;
  readonly violation: string | undefined;
  readonly counts: ReadonlyMap<string, number>;
}

const plainLogs = [1, 2];
const foldedLog = 3;
/** In this time all must be the same when nothing is wrong any more. */
const recoveryMs = 30_000;

/** Runs one. */
export async function runReplicationSimulation(
  options: ReplicationSimulationOptions,
): Promise<ReplicationSimulationResult> {
  const simulation = new Simulation(options);
  try {
    await simulation.run();
  } catch (error) {
    simulation.fail(error);
  }
  await simulation.close();
  const { violation, counts } = simulation;
  return { seed: options.seed, violation, counts };
}

class Simulation {
  violation: string | undefined;
  readonly counts = new Map<string, number>();
  readonly #options: ReplicationSimulationOptions;
  readonly #random: Random;
  readonly #clock: ManualClock = createManualClock();
  readonly #network: MemoryReplicationNetwork;
  readonly #truth: ReplicationTruth;
  readonly #directories = new Map<number, MemoryEntryDirectory>();
  readonly #replicas: SimulatedReplica[] = [];
  readonly #cut = new Set<string>();
  #epochs = 0;
  #texts = 0;
  #slowMs = 1;

  constructor(options: ReplicationSimulationOptions) {
    this.#options = options;
    this.#random = createSeededRandom(options.seed);
    this.#truth = new ReplicationTruth(this.#directories);
    this.#network = new MemoryReplicationNetwork({
      clock: this.#clock,
      delayMs: () => 1 + this.#random.below(3 + this.#slowMs),
      maxUnderWay: 8,
      onMessage: (from, to, message, session) => {
        if (this.violation !== undefined) return;
        try {
          this.#truth.sent(from, to, message, session);
        } catch (error) {
          this.fail(error);
        }
      },
    });
  }

  fail(error: unknown): void {
    if (this.violation !== undefined) return;
    this.violation =
      error instanceof ReplicationViolation ? error.message : String(error instanceof Error ? error.stack : error);
    this.#options.onTrace?.(`VIOLATION ${this.violation}`);
  }

  async run(): Promise<void> {
    const { nodes, seconds } = this.#options;
    const random = this.#random;
    const world: ReplicaWorld = {
      clock: this.#clock,
      random,
      network: this.#network,
      truth: this.#truth,
      directories: this.#directories,
      limits: {
        windowEntries: 2 + random.below(30),
        windowBytes: 65_536 + random.below(50_000),
        runBytes: 64 + random.below(400),
        cacheBytes: 1 + random.below(4_000),
        relayDelayMs: 200 + random.below(2_000),
        markIntervalMs: 100 + random.below(900),
        laggingMs: 300,
        staleMs: 3_000,
      },
      nextEpoch: () => ++this.#epochs,
      foldedLog,
      members: Array.from({ length: nodes }, (_, i) => ({ nodeId: i + 1, address: '' })),
      count: (what) => this.#count(what),
      fail: (error) => this.fail(error),
    };
    for (let nodeId = 1; nodeId <= nodes; nodeId++) this.#replicas.push(new SimulatedReplica(world, nodeId));
    const endMs = seconds * 1_000;
    while (this.#clock.monotonicMs() < endMs && this.violation === undefined) {
      await this.#clock.advance(1 + random.below(40));
      this.#write();
      if (random.below(12) === 0) await this.#disturb();
    }
    await this.#calm();
  }

  async close(): Promise<void> {
    for (const replica of this.#replicas) await replica.crash();
  }

  /** Some node writes some entries, and waits for somebody to hold them. */
  #write(): void {
    const random = this.#random;
    const replica = this.#pick();
    if (!replica.isUp || random.below(3) === 0) return;
    const { store, replicator } = replica;
    const logId = [...plainLogs, foldedLog][random.below(3)] as number;
    const many = random.below(20) === 0 ? 40 : 3;
    const size = random.below(50) === 0 ? 80_000 : 20;
    const data = Array.from(
      { length: 1 + random.below(many) },
      () => new Uint8Array(Buffer.from(`${this.#texts++}`.padEnd(random.below(size), '.'))),
    );
    const stream: StreamId = { logId, origin: replica.nodeId, epoch: store.ownEpoch() };
    const level = random.below(2) === 0 ? 'quorum' : 'all';
    const needed = level === 'all' ? this.#options.nodes : Math.floor(this.#options.nodes / 2) + 1;
    store.append(logId, data).then(
      (first) => {
        this.#count('appended');
        const last = first + data.length - 1;
        replicator.whenHeldBy(stream, last, level).then(
          () => {
            this.#count(`held by ${level}`);
            // Who was put back since does not hold any more what it did.
            if (this.#hasLost()) return;
            try {
              this.#truth.acknowledged(stream, last, needed);
            } catch (error) {
              this.fail(error);
            }
          },
          () => undefined,
        );
      },
      () => undefined,
    );
  }

  #hasLost(): boolean {
    return (this.counts.get('put back') ?? 0) + (this.counts.get('wiped') ?? 0) > 0;
  }

  async #disturb(): Promise<void> {
    const random = this.#random;
    const replica = this.#pick();
    const other = this.#pick();
    const kinds = [
      'break',
      'cut',
      'heal',
      'heal',
      'crash',
      'start',
      'start',
      'pause',
      'resume',
      'slow',
      'trim',
      'backup',
      'delay',
      'skew',
      'disaster',
      'alone',
    ];
    const kind = kinds[random.below(kinds.length)] as string;
    this.#options.onTrace?.(`${this.#clock.monotonicMs()} ${kind} ${replica.nodeId} ${other.nodeId}`);
    switch (kind) {
      case 'break':
        this.#network.endSessions(() => random.below(2) === 0);
        break;
      case 'cut':
        this.#cutOff(replica.nodeId, other.nodeId);
        break;
      case 'alone':
        for (const { nodeId } of this.#replicas) this.#cutOff(replica.nodeId, nodeId);
        break;
      case 'heal':
        this.#heal();
        break;
      case 'crash':
        if (replica.isUp) await replica.crash();
        break;
      case 'start':
        for (const down of this.#replicas) if (!down.isUp) down.start();
        return;
      case 'pause':
        replica.replicator.pause(random.below(2) === 0 ? 'all' : other.nodeId);
        break;
      case 'resume':
        for (const { replicator } of this.#replicas) replicator.resume('all');
        break;
      case 'slow':
        replica.slowMs = random.below(2) === 0 ? 0 : random.below(300);
        break;
      case 'delay':
        this.#slowMs = random.below(2) === 0 ? 1 : random.below(150);
        break;
      case 'skew':
        replica.skewMs = random.below(4_000) - 2_000;
        break;
      case 'trim':
        this.#trim(replica);
        return;
      case 'backup':
        replica.backup = replica.directory.copy();
        return;
      case 'disaster':
        await this.#disaster(replica);
        return;
    }
    this.#count(kind);
  }

  /** A node whose directory is put back, or lost: rare, and not in every seed. */
  async #disaster(replica: SimulatedReplica): Promise<void> {
    const random = this.#random;
    if (this.#options.seed % 3 === 0 || random.below(3) > 0) return;
    const isWiped = random.below(3) === 0;
    if (!isWiped && replica.backup === undefined) return;
    if (replica.isUp) await replica.crash();
    replica.putBack(isWiped ? new MemoryEntryDirectory() : (replica.backup as MemoryEntryDirectory).copy());
    this.#count(isWiped ? 'wiped' : 'put back');
  }

  #trim(replica: SimulatedReplica): void {
    const streams = [...replica.directory.streams.values()];
    const kept = streams[this.#random.below(Math.max(1, streams.length))];
    if (!replica.isUp || kept === undefined || this.#options.seed % 2 === 0) return;
    this.#count('trimmed');
    const firstSequence = kept.firstSequence + this.#random.below(kept.payloads.length + 1);
    // Often all that are up let go of it: then who is away has to pass over it.
    const isEverywhere = this.#random.below(2) === 0;
    for (const { isUp, store } of isEverywhere ? this.#replicas : [replica]) {
      if (isUp) store.trim(kept.stream, firstSequence).catch(() => undefined);
    }
  }

  /** Nothing is wrong any more: soon all copies are the same. */
  async #calm(): Promise<void> {
    this.#heal();
    this.#slowMs = 1;
    for (const replica of this.#replicas) {
      replica.slowMs = 0;
      if (!replica.isUp) replica.start();
      replica.replicator.resume('all');
    }
    const endMs = this.#clock.monotonicMs() + recoveryMs;
    let different: string | undefined = 'nothing was compared';
    while (different !== undefined && this.violation === undefined) {
      if (this.#clock.monotonicMs() > endMs)
        throw new ReplicationViolation(`after ${recoveryMs} ms without faults ${different}`);
      await this.#clock.advance(500);
      different = this.#difference();
    }
  }

  /** What is not the same on all nodes. */
  #difference(): string | undefined {
    const streams = new Map<string, StreamId>();
    for (const { directory } of this.#replicas)
      for (const [key, { stream }] of directory.streams) streams.set(key, stream);
    for (const [key, stream] of streams) {
      const lasts = this.#replicas.map(({ directory }) => directory.lastOf(stream));
      if (new Set(lasts).size > 1) return `the nodes hold ${lasts.join(', ')} of ${key}`;
    }
    const missing = this.#missingRow();
    if (missing !== undefined) return missing;
    for (const { nodeId, replicator } of this.#replicas) {
      const behind = replicator
        .status()
        .followers.find(({ lagEntries, state }) => lagEntries > 0 || state !== 'healthy');
      if (behind !== undefined) return `node ${nodeId} sees ${JSON.stringify(behind)}`;
      for (const stream of streams.values()) {
        const held = replicator.heldBy(stream, 'all');
        if (held !== this.#replicas[0]?.directory.lastOf(stream))
          return `node ${nodeId} knows all to hold ${held} of ${streamKey(stream)}`;
        if (replicator.stableAt(stream.logId, stream.origin) === undefined)
          return `node ${nodeId} knows nothing stable of ${streamKey(stream)}`;
      }
    }
    return undefined;
  }

  /** Every entry that is held of the folded log must be in every fold, also where a copy only passed over it. */
  #missingRow(): string | undefined {
    for (const [key, { stream, payloads }] of this.#truth.written) {
      if (stream.logId !== foldedLog) continue;
      for (const { nodeId, directory } of this.#replicas) {
        const last = directory.lastOf(stream);
        for (const [sequence, text] of payloads) {
          const row = Buffer.from(text, 'latin1').toString('hex');
          if (sequence <= last && !directory.folds.get(foldedLog)?.has(row))
            return `node ${nodeId} has no row of ${key} ${sequence}`;
        }
      }
    }
    return undefined;
  }

  #cutOff(a: number, b: number): void {
    if (a === b) return;
    this.#cut.add(`${a}-${b}`);
    this.#network.cut(a, b);
  }

  #heal(): void {
    for (const pair of this.#cut) {
      const [a, b] = pair.split('-').map(Number);
      this.#network.heal(a as number, b as number);
    }
    this.#cut.clear();
  }

  #pick(): SimulatedReplica {
    return this.#replicas[this.#random.below(this.#replicas.length)] as SimulatedReplica;
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}
