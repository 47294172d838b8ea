export * from './memory-group.js';
export * from './memory-log-storage.js';
