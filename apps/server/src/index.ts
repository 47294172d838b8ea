export { type RunningServer, startServer } from './compose.js';
export type { Config } from './config/config-options.js';
export { type ConfigInputs, type ResolvedConfig, resolveConfig } from './config/resolve-config.js';
export type { ShanghaiNode } from './node.js';
export type { NodeListener } from './node-events.js';
export type { NodeOptions } from './node-options.js';
export { openNode } from './open-node.js';
