export type { CrashSurvival, DiskOperation, FaultDisk, FaultEffect, FaultRule } from './fault-disk.js';
