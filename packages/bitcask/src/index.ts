export type * from './bitcask.js';
export { BitcaskError, type BitcaskErrorCode } from './bitcask-error.js';
export type { BitcaskListener } from './bitcask-events.js';
export type { BitcaskOptions, CacheOptions, CompressionOptions, MergeOptions } from './bitcask-options.js';
export {
  bitcaskStats,
  type RebuildHintsOptions,
  type RebuildHintsReport,
  rebuildHints,
  snapshotBitcask,
  verifyBitcask,
} from './offline.js';
export { openBitcask } from './open-bitcask.js';
