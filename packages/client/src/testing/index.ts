export { MemoryServer } from './memory-server.js';
export {
  createMemoryTransport,
  type MemoryTransport,
  type RequestFate,
  type RequestOnTheWay,
} from './memory-transport.js';
