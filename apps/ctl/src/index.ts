export type { CommandContext, Host } from './command-host.js';
export type { Connection } from './connection.js';
export { CtlError, type CtlErrorCode } from './ctl-error.js';
export { exitCodes } from './exit-codes.js';
export { processHost } from './process-host.js';
export { runCtl } from './run-ctl.js';
export type { Terminal } from './terminal.js';
