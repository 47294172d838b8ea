/**
 * Clients that work while everything goes wrong around them, for a few rounds; at the end of each everything is whole
 * again and each client's own key must hold what that client wrote: every append once, in the order it was made.
 */
import { delay } from '@shanghai/env';
import { VirtualClock } from '../cluster/virtual-clock.js';
import { Violation } from '../raft/truth.js';
import type { KvClerk } from './kv-clerk.js';
import { electionMs, firstClerk, KvCluster, type KvClusterOptions } from './kv-cluster.js';

/** What clients do, and what happens to the cluster meanwhile. */
export interface KvLoadOptions extends KvClusterOptions {
  readonly clients: number;
  /** How long clients work in each of the rounds, at least. */
  readonly roundMs: number;
  /** Whether nodes are parted in two anew about every second. Clients reach all of them. Default false. */
  readonly hasPartitions?: boolean;
  /** Whether the power fails for all nodes in each round, while clients wait for answers. Default false. */
  readonly hasRestarts?: boolean;
  /** Whether each request is for any client's key, puts among them. Default: appends and reads of the own key, reads of others. */
  readonly hasRandomKeys?: boolean;
}

/** How it went. */
export interface KvLoadResult {
  readonly cluster: KvCluster;
  /** Requests of each client, all of them answered. */
  readonly requests: readonly number[];
  /** Requests of the history that was checked. */
  readonly checked: number;
  /** Bytes of the longest log of a group at the end of each round. */
  readonly logBytes: readonly number[];
  /** Copies of groups that were compared at the end. */
  readonly copies: number;
}

const rounds = 3;
/** Between the requests of a client, for each client that there is. */
const restMs = 20;

/** Runs it. Rejects with whatever does not hold. */
export async function runKvLoad(options: KvLoadOptions): Promise<KvLoadResult> {
  const cluster = new KvCluster(options);
  const workers = Array.from({ length: options.clients }, () => new Worker(cluster.clerk(), options));
  const logBytes: number[] = [];
  let [checked, copies] = [0, 0];
  await cluster.run(async () => {
    for (let round = 0; round < rounds; round++) {
      await runRound(cluster, workers, options);
      for (const worker of workers) await cluster.through('reading what was written', worker.checkOwnKey());
      logBytes.push(await settledLogBytes(cluster));
    }
    checked = cluster.checkHistory();
    copies = await cluster.checkAgreement();
  });
  return { cluster, requests: workers.map(({ requests }) => requests), checked, logBytes, copies };
}

async function runRound(cluster: KvCluster, workers: readonly Worker[], options: KvLoadOptions): Promise<void> {
  const { roundMs, hasPartitions = false, hasRestarts = false } = options;
  let isOver = false;
  const before = workers.map(({ requests }) => requests);
  const works = workers.map((worker) => worker.work(() => isOver));
  const parting = hasPartitions ? part(cluster, () => isOver) : undefined;
  const work = Promise.all([...works, parting]);
  // Whoever fails is heard of at once, not at the end of the round.
  work.catch((error: unknown) => cluster.world.fail(error));
  await cluster.pass(roundMs);
  if (hasRestarts) await restart(cluster, workers);
  isOver = true;
  await cluster.through('what was asked for', work);
  cluster.heal();
  for (const [i, { requests, id }] of workers.entries()) {
    if (requests === before[i]) throw new Violation(`client ${id} got no answer in ${roundMs} ms`);
  }
}

/** The power fails at the moment at which somebody is told that something was done. */
async function restart(cluster: KvCluster, workers: readonly Worker[]): Promise<void> {
  cluster.slowDisks();
  const told = new Promise<void>((resolve) => {
    const fail = () => {
      for (const worker of workers) worker.onAppended = undefined;
      cluster.failPower();
      resolve();
    };
    for (const worker of workers) worker.onAppended = fail;
  });
  await cluster.through('an append', told);
  await cluster.pass(electionMs / 2);
  cluster.restorePower();
  await cluster.pass(electionMs);
}

/** Parts the nodes in two at random, again and again. */
async function part(cluster: KvCluster, isOver: () => boolean): Promise<void> {
  const { world, random, nodeIds } = cluster;
  const clock = new VirtualClock(world.queue, { rate: 1, wallOffsetMs: 0 });
  while (!isOver()) {
    const isLeft = new Map(nodeIds.map((id) => [id, random.float() < 0.5]));
    cluster.partition(
      nodeIds.filter((id) => isLeft.get(id)),
      nodeIds.filter((id) => !isLeft.get(id)),
    );
    await delay(clock, electionMs + random.float() * 200);
  }
  cluster.heal();
}

/** The log's bytes, once whatever was due has been cut. */
async function settledLogBytes(cluster: KvCluster): Promise<number> {
  await cluster.pass(2 * electionMs);
  return cluster.logBytes();
}

/** One client at work. */
class Worker {
  requests = 0;
  /** Called when an append was answered, before anything else happens. */
  onAppended: (() => void) | undefined;
  readonly #clerk: KvClerk;
  readonly #options: KvLoadOptions;
  #appends = 0;

  constructor(clerk: KvClerk, options: KvLoadOptions) {
    this.#clerk = clerk;
    this.#options = options;
  }

  get id(): number {
    return this.#clerk.id;
  }

  async work(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await (this.#options.hasRandomKeys === true ? this.#useAnyKey() : this.#useOwnKey());
      this.requests++;
      await this.#clerk.rest(restMs * Math.min(12, 1 + this.#options.clients));
    }
  }

  /** Throws unless the own key holds every append once, in order. Keys that everybody writes have their history alone. */
  async checkOwnKey(): Promise<void> {
    if (this.#options.hasRandomKeys === true) return;
    const value = await this.#clerk.get(keyOf(this.id));
    const expected = this.#ownValue();
    if (value !== expected) throw new Violation(`client ${this.id} appended '${expected}', and there is '${value}'`);
  }

  async #useOwnKey(): Promise<void> {
    const { random } = this.#clerk;
    const chance = random.float();
    if (chance < 0.5) await this.#append(keyOf(this.id));
    else if (chance < 0.8) await this.checkOwnKey();
    // What another one's key holds only that one knows: the history tells whether it may.
    else await this.#clerk.get(this.#anyKey());
  }

  async #useAnyKey(): Promise<void> {
    const chance = this.#clerk.random.float();
    if (chance < 0.5) await this.#append(this.#anyKey());
    else if (chance < 0.6) await this.#clerk.put(this.#anyKey(), this.#next());
    else await this.#clerk.get(this.#anyKey());
  }

  async #append(key: string): Promise<void> {
    await this.#clerk.append(key, this.#next());
    this.onAppended?.();
  }

  #anyKey(): string {
    return keyOf(firstClerk + this.#clerk.random.below(this.#options.clients));
  }

  #next(): string {
    return tokenOf(this.id, this.#appends++);
  }

  #ownValue(): string {
    return Array.from({ length: this.#appends }, (_, i) => tokenOf(this.id, i)).join('');
  }
}

function keyOf(client: number): string {
  return `k${client}`;
}

function tokenOf(client: number, number: number): string {
  return `x ${client} ${number} y`;
}
