export { type ClockSubject, clockContract } from './clock-contract.js';
export type { ContractCase } from './contract-case.js';
export { createFaultDisk, type FaultDiskOptions } from './create-fault-disk.js';
export { type DiskSubject, diskContract } from './disk-contract.js';
export { type CrashCoverage, type CrashPoint, type CrashScenario, enumerateCrashes } from './enumerate-crashes.js';
export type { CrashSurvival, DiskOperation, FaultDisk, FaultEffect, FaultRule } from './fault-disk.js';
export { createManualClock, type ManualClock } from './manual-clock.js';
export { createMemoryDisk, type MemoryDisk } from './memory-disk.js';
export { randomContract } from './random-contract.js';
