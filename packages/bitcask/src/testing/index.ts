export { type BitcaskSubject, bitcaskContract } from './bitcask-contract.js';
export { ModelStore } from './model-store.js';
