export type { ShanghaiNode } from './node.js';
