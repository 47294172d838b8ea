export { createClient, type ShanghaiClient } from './client.js';
export { type CallStage, ClientError, type ClientErrorOptions } from './client-error.js';
export { type ClientOptions, defaultClientOptions } from './client-options.js';
export type * from './cluster-members.js';
export type * from './key-value-store.js';
export type * from './keyspaces.js';
export type * from './log-consumers.js';
export type { LogProducer, LogProducerOptions, ProduceOptions } from './log-producer.js';
export type * from './named-logs.js';
export type * from './node-administration.js';
export type * from './node-backup.js';
export { bytesOf, textOf } from './text.js';
export type {
  Channel,
  PipelineListener,
  PipelineStream,
  StreamMethod,
  StreamMethods,
  Transport,
  TransportCallOptions,
  UnaryMethod,
  UnaryMethods,
} from './transport.js';
