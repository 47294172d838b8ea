export { MemoryCluster } from './memory-cluster.js';
export { MemoryClusterNode } from './memory-cluster-node.js';
export { MemoryServer } from './memory-server.js';
export {
  createMemoryTransport,
  type MemoryHost,
  type MemoryNetwork,
  type MemoryTransport,
  type RequestFate,
  type RequestOnTheWay,
} from './memory-transport.js';
