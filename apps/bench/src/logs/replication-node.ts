/** A node of the replication package alone: its store in a write-ahead log that syncs everything, its sessions over gRPC. */
import { nodeClock, nodeRandom } from '@shanghai/env';
import { openReplicator, type Replicator, type StreamPosition } from '@shanghai/replication';
import { createGrpcReplication } from '@shanghai/replication/grpc';
import { openWalEntryStore, type WalEntryStore } from '@shanghai/replication/wal';
import { openWal } from '@shanghai/wal';

/** See above. */
export interface ReplicationNode {
  readonly address: string;
  readonly store: WalEntryStore;
  readonly replicator: Replicator;
  /** Entries of others that are durable here. */
  held(): number;
  /** Calls with every position of another's stream that became durable, until what it gives is called. */
  onHeld(call: (position: StreamPosition) => void): () => void;
  close(): Promise<void>;
}

/** Opens one that knows nobody yet. */
export async function openReplicationNode(directory: string, nodeId: number): Promise<ReplicationNode> {
  const [clock, random] = [nodeClock(), nodeRandom()];
  const wal = await openWal({ directory });
  const store = await openWalEntryStore({ wal, nodeId, clock });
  const self = { clusterId: 'bench', nodeId, instanceId: `node-${nodeId}` };
  const transport = createGrpcReplication({ self, book: { check: () => 'known' }, clock, random });
  const address = await transport.listen('127.0.0.1', 0);
  const listeners = new Set<(position: StreamPosition) => void>();
  const replicator = openReplicator({
    ...{ nodeId, store, transport, clock, members: [] },
    listener: {
      advanced(positions) {
        for (const position of positions) {
          if (position.stream.origin !== nodeId) for (const call of listeners) call(position);
        }
      },
    },
    onFatal: (error) => {
      throw error;
    },
  });
  return {
    ...{ address, store, replicator },
    held: () => {
      const others = store.positions().filter(({ stream }) => stream.origin !== nodeId);
      return others.reduce((sum, { lastSequence }) => sum + lastSequence, 0);
    },
    onHeld: (call) => {
      listeners.add(call);
      return () => listeners.delete(call);
    },
    close: async () => {
      await replicator.close();
      await wal.close();
    },
  };
}
