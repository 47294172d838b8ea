export type { LeaderCalls } from '../forward/leader-calls.js';
export type { ShanghaiNode } from '../node.js';
export type { NodeListener } from '../node-events.js';
export type { NodeOptions } from '../node-options.js';
export { openNode } from '../open-node.js';
export type { RequestContext } from '../requests/request-context.js';
export { ServerError } from '../requests/server-error.js';
export {
  type InProcessApi,
  type InProcessMethod,
  type InProcessMethods,
  inProcessApi,
} from './in-process-api.js';
