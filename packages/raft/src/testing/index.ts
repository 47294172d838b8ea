export { type LogStorageSubject, logStorageContract } from './log-storage-contract.js';
export * from './memory-group.js';
export * from './memory-log-storage.js';
export * from './memory-network.js';
export * from './memory-state-machine.js';
export { type StateMachineSubject, stateMachineContract } from './state-machine-contract.js';
export { type TransportSubject, transportContract } from './transport-contract.js';
