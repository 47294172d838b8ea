export { openWal } from './open-wal.js';
export type * from './wal.js';
export { WalError, type WalErrorCode } from './wal-error.js';
export type { WalListener } from './wal-events.js';
export type { WalOptions } from './wal-options.js';
