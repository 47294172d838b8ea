/** What every node of a run writes by itself, a log and a keyspace of mode multi-master, and what must hold of them in the end. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ShanghaiClient } from '@shanghai/client';
import { connect } from '@shanghai/client/grpc';
import { nodeClock } from '@shanghai/env';
import { Ledger } from '../../simulator/cluster/logs/ledger.js';
import { Violation } from '../../simulator/raft/truth.js';
import type { ClusterUnderTest } from '../cluster-under-test.js';
import { SharedKeys } from './shared-keys.js';
import { readStoredRows, type StoredRows } from './stored-rows.js';

/** How it is written. */
export interface ManyMastersOptions {
  readonly seed: number;
  readonly meanPauseMs: number;
}

/** So long nodes are left to forget what all members have, before their rows are compared again. */
const settlingMs = 4_000;
const stopMs = 20_000;

/** See above. */
export class ManyMasters {
  readonly counts = new Map<string, number>();
  /** What may not happen and did. */
  readonly defects: unknown[] = [];
  readonly #cluster: ClusterUnderTest;
  readonly #clients: ReadonlyMap<number, ShanghaiClient>;
  readonly #ledger: Ledger;
  readonly #keys: SharedKeys;
  readonly #first: readonly number[];
  #ends: readonly Promise<void>[] = [];

  constructor(cluster: ClusterUnderTest, { seed, meanPauseMs }: ManyMastersOptions) {
    this.#cluster = cluster;
    const places = cluster.nodes.map(({ id }) => ({ id, ...cluster.network.clientAddressOf(id) }));
    const timeoutMs = 10_000;
    this.#clients = new Map(
      places.map(({ id, grpc }) => [
        id,
        connect({ endpoints: [grpc], discover: false, sessions: false, timeoutMs, streamReconnectMs: 2_000 }),
      ]),
    );
    this.#first = [...cluster.members];
    const count = (what: string) => void this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
    const defect = (error: unknown) => void this.defects.push(error);
    const parts = {
      seed,
      clients: this.#clients,
      writers: this.#first,
      meanPauseMs,
      count,
      defect,
      clock: nodeClock(),
    };
    this.#ledger = new Ledger(parts);
    this.#keys = new SharedKeys({ ...parts, addresses: new Map(places.map(({ id, http }) => [id, http])) });
  }

  /** Begins, when the log and the keyspace are made. */
  async start(): Promise<void> {
    await Promise.all([this.#ledger.create(), this.#keys.create()]);
    this.#ends = [...this.#ledger.run(), ...this.#keys.run()];
    for (const end of this.#ends) end.catch((error: unknown) => this.defects.push(error));
  }

  /** No more is begun; resolves when everything under way has ended. */
  async stop(): Promise<void> {
    this.#ledger.stop();
    this.#keys.stop();
    await Promise.allSettled(this.#ends);
  }

  /** Compares everything. Gives in words what there is; throws a `Violation`. Nodes are stopped and started on the way. */
  async check(isOverdue: () => boolean): Promise<readonly string[]> {
    const { members } = this.#cluster;
    const lost = new Set(this.#first.filter((id) => !members.includes(id)));
    const ledger = await this.#ledger.check(members, lost, isOverdue);
    const keys = await this.#keys.check(members, lost, isOverdue);
    return [`ledger: ${ledger}`, `keys: ${keys}`, `rows: ${await this.#compareRows(isOverdue)}`];
  }

  async close(): Promise<void> {
    this.#ledger.close();
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }

  /** Byte for byte as they lie on the disks, once every node has forgotten what all have. */
  async #compareRows(isOverdue: () => boolean): Promise<string> {
    const { members, disks } = this.#cluster;
    for (;;) {
      await sleep(settlingMs);
      await Promise.all(members.map((id) => this.#cluster.node(id).stop(stopMs)));
      const all: StoredRows[] = [];
      for (const id of members) all.push(await readStoredRows(join(disks[id - 1]?.path ?? '', 'data')));
      await Promise.all(members.map((id) => this.#cluster.node(id).restart()));
      const [first] = all as [StoredRows];
      const areSame = all.every(({ sum }) => sum === first.sum);
      if (areSame)
        return `${first.rows}, the same byte for byte (${first.sum.slice(0, 8)}), ${first.due} yet to settle`;
      if (isOverdue()) throw new Violation(`rows: they stay apart: ${JSON.stringify(all)}`);
    }
  }
}
