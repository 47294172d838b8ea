export { type LogStorageSubject, logStorageContract } from './log-storage-contract.js';
export * from './memory-group.js';
export * from './memory-log-storage.js';
