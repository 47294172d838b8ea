export type { AppendFile } from './append-file.js';
export { type Clock, delay, type Timer } from './clock.js';
export { CodedError, type CodedErrorOptions, isErrno } from './coded-error.js';
export type { Disk, DiskFile, DiskOpenMode, DiskStat } from './disk.js';
export { InvariantError, invariant } from './invariant.js';
export type { Random } from './random.js';
