export * from './memory-log-storage.js';
