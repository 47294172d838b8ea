export { type EntryStoreSubject, entryStoreContract } from './entry-store-contract.js';
export { MemoryEntryDirectory } from './memory-entry-directory.js';
export { MemoryEntryStore, type MemoryEntryStoreOptions } from './memory-entry-store.js';
export { MemoryKeyspaceStore } from './memory-keyspace-store.js';
export {
  MemoryReplicationNetwork,
  type MemoryReplicationNetworkOptions,
  type MemorySession,
} from './memory-replication-network.js';
export { type ReplicationTransportSubject, replicationTransportContract } from './replication-transport-contract.js';
