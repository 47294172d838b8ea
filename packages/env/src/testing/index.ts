export type { ContractCase } from './contract-case.js';
export { createFaultDisk, type FaultDiskOptions } from './create-fault-disk.js';
export { type DiskSubject, diskContract } from './disk-contract.js';
export type { CrashSurvival, DiskOperation, FaultDisk, FaultEffect, FaultRule } from './fault-disk.js';
export { createManualClock, type ManualClock } from './manual-clock.js';
export { createMemoryDisk, type MemoryDisk } from './memory-disk.js';
