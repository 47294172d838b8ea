export { openWalHostLog, type WalHostLogOptions } from './wal-host-log.js';
export { entryOverheadBytes } from './write-record.js';
