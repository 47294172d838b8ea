import { createManualClock, type ManualClock } from '@shanghai/env/testing';
import { expect } from 'vitest';
import type { ControlMessage, DataMessage } from '../../src/core/message.js';
import { openReplicator } from '../../src/host/open-replicator.js';
import type { ReplicationListener } from '../../src/host/replication-listener.js';
import type { Replicator } from '../../src/host/replicator.js';
import type { ReplicatorLimits } from '../../src/host/replicator-options.js';
import { MemoryEntryDirectory } from '../../src/testing/memory-entry-directory.js';
import { MemoryEntryStore } from '../../src/testing/memory-entry-store.js';
import { MemoryReplicationNetwork } from '../../src/testing/memory-replication-network.js';

/** A node of a cluster in memory. */
export interface MemoryNode {
  readonly nodeId: number;
  directory: MemoryEntryDirectory;
  store: MemoryEntryStore;
  replicator: Replicator;
  readonly fatal: Error[];
}

/** What may be chosen. */
export interface ClusterChoices {
  readonly nodes?: number;
  readonly limits?: Partial<ReplicatorLimits>;
  readonly delayMs?: number;
  /** Every start goes on in the first epoch, as a store does that believes its directory. */
  readonly keepsEpochs?: boolean;
  readonly listener?: (nodeId: number) => ReplicationListener;
  readonly onMessage?: (from: number, to: number, message: ControlMessage | DataMessage) => void;
}

/** Nodes on a clock that is advanced by hand. */
export class MemoryCluster {
  readonly clock: ManualClock = createManualClock();
  readonly network: MemoryReplicationNetwork;
  readonly nodes: MemoryNode[] = [];
  readonly #choices: ClusterChoices;
  #epochs = 0;

  constructor(choices: ClusterChoices = {}) {
    this.#choices = choices;
    const { delayMs = 0, onMessage, nodes = 3 } = choices;
    this.network = new MemoryReplicationNetwork({
      clock: this.clock,
      delayMs: () => delayMs,
      ...(onMessage === undefined ? {} : { onMessage }),
    });
    for (let nodeId = 1; nodeId <= nodes; nodeId++) this.nodes.push(this.#make(nodeId, new MemoryEntryDirectory()));
  }

  node(nodeId: number): MemoryNode {
    return this.nodes[nodeId - 1] as MemoryNode;
  }

  /** The process of a node ends without a word. */
  async crash(nodeId: number): Promise<void> {
    const { store, replicator } = this.node(nodeId);
    store.crash();
    await replicator.close();
  }

  /** It is started on its directory, or on another. */
  start(nodeId: number, directory = this.node(nodeId).directory): void {
    this.nodes[nodeId - 1] = this.#make(nodeId, directory);
  }

  append(nodeId: number, logId: number, ...texts: string[]): Promise<number> {
    return this.node(nodeId).store.append(
      logId,
      texts.map((text) => new Uint8Array(Buffer.from(text))),
    );
  }

  /** Lets `ms` pass. */
  async run(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  /** The entries of a log on a node as text, by stream. */
  read(nodeId: number, logId: number): Record<string, string[]> {
    const read: Record<string, string[]> = {};
    for (const [key, { stream, payloads }] of this.node(nodeId).directory.streams) {
      if (stream.logId === logId) read[key] = payloads.map((payload) => Buffer.from(payload.subarray(8)).toString());
    }
    return Object.fromEntries(Object.entries(read).sort());
  }

  /** Fails where two nodes hold anything else. */
  expectAlike(): void {
    const dump = ({ directory }: MemoryNode) =>
      [...directory.streams.entries()]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, { firstSequence, payloads }]) => [
          key,
          firstSequence,
          payloads.map((bytes) => Buffer.from(bytes).toString('hex')),
        ]);
    const first = dump(this.node(1));
    for (const node of this.nodes.slice(1)) expect(dump(node), `node ${node.nodeId}`).toEqual(first);
  }

  async close(): Promise<void> {
    for (const { replicator } of this.nodes) await replicator.close();
  }

  #make(nodeId: number, directory: MemoryEntryDirectory): MemoryNode {
    const { nodes = 3, limits = {}, listener } = this.#choices;
    let isOpening = this.#choices.keepsEpochs === true;
    const nextEpoch = () => {
      if (!isOpening) return ++this.#epochs;
      isOpening = false;
      this.#epochs = Math.max(1, this.#epochs);
      return 1;
    };
    const store = new MemoryEntryStore({ nodeId, nextEpoch, clock: this.clock, directory });
    const fatal: Error[] = [];
    const members = Array.from({ length: nodes }, (_, i) => ({ nodeId: i + 1, address: `node-${i + 1}:1` }));
    const replicator = openReplicator({
      nodeId,
      store,
      transport: this.network.transport(nodeId),
      clock: this.clock,
      members,
      limits,
      onFatal: (error) => fatal.push(error),
      ...(listener === undefined ? {} : { listener: listener(nodeId) }),
    });
    return { nodeId, directory, store, replicator, fatal };
  }
}
