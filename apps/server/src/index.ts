export { type RunningServer, startServer } from './compose.js';
export type { Config } from './config/config-options.js';
export { type ConfigInputs, type ResolvedConfig, resolveConfig } from './config/resolve-config.js';
export type { ShanghaiNode } from './node.js';
