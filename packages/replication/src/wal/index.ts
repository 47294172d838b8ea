export { openWalEntryStore, type WalEntryStoreOptions } from './open-wal-entry-store.js';
export type { WalEntryStore } from './wal-entry-store.js';
