export { openMemoryWal } from './open-memory-wal.js';
export { type WalSubject, walContract } from './wal-contract.js';
