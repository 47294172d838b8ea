export { type HostLogSubject, hostLogContract } from './host-log-contract.js';
export { type LogStorageSubject, logStorageContract } from './log-storage-contract.js';
export * from './memory-group.js';
export * from './memory-host-log.js';
export * from './memory-log-storage.js';
export * from './memory-peer-network.js';
export * from './memory-state-machine.js';
export { type PeerTransportSubject, peerTransportContract } from './peer-transport-contract.js';
export { type StateMachineSubject, stateMachineContract } from './state-machine-contract.js';
