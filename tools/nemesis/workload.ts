/** Clients of three kinds that work on the same keys, and what is known of everything they were told. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ShanghaiClient } from '@shanghai/client';
import { connect } from '@shanghai/client/grpc';
import { createSeededRandom, nodeClock } from '@shanghai/env';
import { AppendedKeys } from '../simulator/cluster/appended-keys.js';
import { Journal } from '../simulator/cluster/journal.js';
import { KeyFamilies } from '../simulator/cluster/key-families.js';
import type { KeysInput, KeysOutput } from '../simulator/cluster/keys-model.js';
import { type Call, Recorder } from '../simulator/cluster/recorder.js';
import { type ClientStore, SimulatedClient } from '../simulator/cluster/simulated-client.js';
import { Watcher } from '../simulator/cluster/watcher.js';
import { Violation } from '../simulator/raft/truth.js';
import { GrpcStore } from './grpc-store.js';
import { HttpStore } from './http-store.js';

/** What clients work with. */
export interface WorkloadOptions {
  readonly seed: number;
  /** Of each kind: those of the library, HTTP by hand, gRPC by hand. */
  readonly clients: number;
  /** Where each node is for clients. */
  readonly nodes: readonly { readonly http: string; readonly grpc: string }[];
  readonly meanPauseMs: number;
}

/** An acknowledged write: when it was begun and when it was answered, on the clock of this process. */
export interface AcknowledgedWrite {
  readonly startMs: number;
  readonly endMs: number;
}

/** Long, because nodes and clients share a machine with much else. */
const libraryTimeoutMs = 15_000;
const rawTimeoutMs = 5_000;
const sessionTtlMs = 600_000;

/** Histories with their times, and counts. */
export class TimedRecorder extends Recorder {
  readonly acknowledged: AcknowledgedWrite[] = [];
  unknown = 0;
  readonly #timesMs: number[] = [];

  /** When a place of a history was taken, by the monotonic clock; `undefined` of what never was. */
  timeOf(position: number): number | undefined {
    return this.#timesMs[position];
  }

  override call(family: string, process: number, input: KeysInput): Call {
    const startMs = performance.now();
    const call = super.call(family, process, input);
    this.#timesMs[this.position] = startMs;
    const answered = (output: KeysOutput) => {
      call.answered(output);
      this.#timesMs[this.position] = performance.now();
      if (input.type === 'write') this.acknowledged.push({ startMs, endMs: performance.now() });
    };
    const unknown = () => {
      this.unknown++;
      call.unknown();
    };
    return { answered, refused: () => call.refused(), unknown };
  }
}

/** See above. */
export class Workload {
  readonly recorder = new TimedRecorder();
  readonly appended = new AppendedKeys();
  readonly families: KeyFamilies;
  readonly counts = new Map<string, number>();
  /** What may not happen and did. */
  readonly defects: unknown[] = [];
  readonly #clients: readonly SimulatedClient<ClientStore>[];
  /** Of the library, for the named log and the watch: writers without and with numbers, and who only listens. */
  readonly #others: readonly ShanghaiClient[];
  readonly #journal: Journal;
  readonly #watcher: Watcher;
  #ends: Promise<void>[] = [];

  constructor(options: WorkloadOptions) {
    this.families = new KeyFamilies(createSeededRandom(options.seed));
    const endpoints = options.nodes.map(({ grpc }) => grpc);
    const indices = Array.from({ length: options.clients }, (_, i) => i);
    const at = (i: number) => options.nodes[i % options.nodes.length] as { http: string; grpc: string };
    const library = (i: number, sessions: boolean) => {
      // Everybody begins elsewhere.
      const own = [...endpoints.slice(i % endpoints.length), ...endpoints.slice(0, i % endpoints.length)];
      return connect({ endpoints: own, discover: false, sessions, sessionTtlMs, timeoutMs: libraryTimeoutMs });
    };
    this.#clients = [
      // Every fourth leaves its writes without numbers.
      ...indices.map((i) => this.#client(options, 1 + i, library(i, i % 4 !== 3), [])),
      ...indices.map((i) =>
        this.#client(options, 101 + i, new HttpStore(at(i).http, rawTimeoutMs), ['transact', 'session']),
      ),
      ...indices.map((i) => this.#client(options, 201 + i, new GrpcStore(at(i + 1).grpc, rawTimeoutMs), ['session'])),
    ];
    const others = Array.from({ length: 4 }, (_, i) => library(i, true));
    this.#others = others;
    const parts = {
      world: { trace: () => undefined },
      clock: nodeClock(),
      count: (what: string) => this.#count(what),
    };
    const random = createSeededRandom(options.seed + 1);
    this.#journal = new Journal({ ...parts, random, clients: others, meanPauseMs: 4 * options.meanPauseMs });
    this.#watcher = new Watcher({ ...parts, client: others[3] as ShanghaiClient, prefix: 'appended/' });
  }

  /** Begins. */
  start(): void {
    const journal = this.#journal.run();
    this.#ends = [...this.#clients.map((client) => client.run()), journal];
    for (const work of [journal, this.#journal.follow(), this.#watcher.run()]) {
      work.catch((error: unknown) => this.defects.push(error));
    }
  }

  /** No more is begun; resolves when everything under way has ended. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.stop();
    this.#journal.stop();
    await Promise.allSettled(this.#ends);
  }

  /**
   * Reads every key as it is; what was seen is part of the histories. Then the named log, and what those were told who
   * followed and watched. Throws a `Violation` for what only grows, and for what they missed.
   */
  async readEverything(isOverdue: () => boolean): Promise<void> {
    const reader = this.#clients[0] as SimulatedClient<ClientStore>;
    while (!(await reader.writeSomething())) {
      if (isOverdue()) throw new Error('no write is acknowledged although nothing is broken any more');
    }
    const held = new Map<string, string>();
    for (const family of this.families.all) {
      const values = await reader.readAtEnd(family);
      if (family.kind !== 'appended') continue;
      const key = family.keys[0] as string;
      this.appended.check(key, values[0] ?? '');
      held.set(key, values[0] ?? '');
    }
    await within(isOverdue, 'whoever follows the named log has not seen its end', this.#journal.check());
    const missing = () => [...this.#watcher.values].find(([key, value]) => held.get(key) !== value);
    while (missing() !== undefined) {
      if (isOverdue()) throw new Violation(`watch: it ends with ${missing()?.join(' = ')}`);
      await sleep(200);
    }
    this.#watcher.stop();
  }

  async close(): Promise<void> {
    const all = [...this.#clients.map(({ client }) => client), ...this.#others];
    await Promise.all(all.map((client) => client.close()));
  }

  #client(
    { seed, meanPauseMs }: WorkloadOptions,
    id: number,
    store: ClientStore,
    cannot: readonly ('transact' | 'session')[],
  ): SimulatedClient<ClientStore> {
    const world = {
      get nowMs() {
        return performance.now();
      },
      trace: () => undefined,
      fail: (error: unknown) => void this.defects.push(error),
    };
    const count = (what: string) => this.#count(what);
    return new SimulatedClient({
      id,
      world,
      clock: nodeClock(),
      random: createSeededRandom(seed * 1000 + id),
      store,
      cannot,
      families: this.families,
      recorder: this.recorder,
      appended: this.appended,
      meanPauseMs,
      longPauseMs: 0,
      count,
    });
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

/** Waits for something, but not for ever. */
async function within(isOverdue: () => boolean, complaint: string, work: Promise<void>): Promise<void> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  done.catch(() => undefined);
  while (!isDone) {
    if (isOverdue()) throw new Violation(complaint);
    await Promise.race([done, sleep(200)]);
  }
  await done;
}
