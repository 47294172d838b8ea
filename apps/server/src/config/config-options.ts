/** Every option of the server. Flags, environment, file, help and the document are all made from this table. */
import { logLevels } from '@shanghai/telemetry';
import type { z } from 'zod';
import { engineNames } from '../engine/storage-engine.js';
import {
  booleanOption,
  bytesOption,
  type ConfigOption,
  choiceOption,
  integerOption,
  numberOption,
  optionalTextOption,
  textOption,
} from './config-option.js';

const kib = 1024;
const mib = 1024 * kib;
const gib = 1024 * mib;
const hourMs = 3_600_000;

const node = {
  dataDir: textOption({
    default: './shanghai-data',
    group: 'Node',
    description: 'Where everything is stored; made if missing. One process at a time.',
  }),
  nodeId: integerOption(0, 2 ** 32 - 1, {
    default: 0,
    group: 'Node',
    description:
      'The number of this node, never that of another one before. Fixed for a data directory at its first start. 0 = as recorded there, 1 in a new one.',
  }),
  nodeName: optionalTextOption({ default: '', group: 'Node', description: 'A name for people. Empty: node-<id>.' }),
  slots: integerOption(1, 65_536, {
    default: 1_024,
    group: 'Node',
    description: 'Hash slots of a new cluster. Fixed at its first start.',
  }),
  breakLock: booleanOption({
    default: false,
    group: 'Node',
    description: 'Take over a data directory that another host left locked. Only when that host is surely down.',
  }),
  drainMs: integerOption(0, 600_000, {
    default: 10_000,
    group: 'Node',
    description: 'How long requests in flight may take when the process is told to stop.',
  }),
};

const cluster = {
  initialCluster: optionalTextOption({
    default: '',
    group: 'Cluster',
    description:
      'Who makes a new cluster together, as 1=host:9190,2=host:9191,3=host:9192: ids and peer addresses, the same text on each of them. Recorded at the first start. Empty: a node alone, or as recorded.',
  }),
  clusterToken: textOption({
    default: 'shanghai',
    group: 'Cluster',
    description: 'With initial-cluster: tells clusters apart that are made of the same addresses.',
  }),
  join: optionalTextOption({
    default: '',
    group: 'Cluster',
    description:
      'Of a new data directory: gRPC addresses of some nodes of a cluster, as host:9090,host:9091, which it asks to be taken in. Recorded at the first start; later starts need it no more.',
  }),
  tickMs: integerOption(10, 10_000, {
    default: 100,
    group: 'Cluster',
    description: 'Between heartbeats of a leader. Raising it costs less and notices failures later.',
  }),
  electionTicks: integerOption(3, 1_000, {
    default: 10,
    group: 'Cluster',
    description:
      'Heartbeats that may be missing before another leader is elected, drawn from this to its double. With tick-ms 50 and 3 a failover takes half a second, and a slow disk may cause one.',
  }),
  membershipProfile: choiceOption(['local', 'lan', 'wan'], {
    default: 'lan',
    group: 'Cluster',
    description:
      'How soon a node that is silent is said to be down, by gossip: 3, 15 or 60 seconds. The same on all nodes. Leaders are elected by tick-ms and election-ticks, whatever this is.',
  }),
  snapshotBytesPerSecond: bytesOption(64 * kib, 16 * gib, {
    default: 64 * mib,
    group: 'Cluster',
    description: 'How fast the state of a group is sent to a node that lags too far behind for its log.',
  }),
};

const listeners = {
  host: textOption({ default: '127.0.0.1', group: 'Listeners', description: 'The address all listeners bind.' }),
  httpPort: integerOption(0, 65_535, { default: 8080, group: 'Listeners', description: 'HTTP; 0 = any free port.' }),
  grpcPort: integerOption(0, 65_535, { default: 9090, group: 'Listeners', description: 'gRPC; 0 = any free port.' }),
  peerPort: integerOption(0, 65_535, {
    default: 0,
    group: 'Listeners',
    description:
      "For the other nodes of a cluster. 0 = that of this node's address in the cluster; a node alone then has no such listener, and none can join it.",
  }),
  advertiseHost: optionalTextOption({
    default: '',
    group: 'Listeners',
    description:
      "The host by which clients and other nodes reach this one. Empty: the host of this node's address in the initial cluster, or the one the listeners bind.",
  }),
  insecure: booleanOption({
    default: false,
    group: 'Listeners',
    description: 'Allow a host that is not loopback although nothing is encrypted and nobody authenticated.',
  }),
};

const logging = {
  logLevel: choiceOption(logLevels, {
    default: 'info',
    group: 'Logging',
    description: 'Least level written. debug writes a line for every request that fails.',
  }),
  logFormat: choiceOption(['json', 'pretty'], {
    default: 'json',
    group: 'Logging',
    description: 'json for collectors, pretty for eyes.',
  }),
  banner: booleanOption({
    default: true,
    group: 'Logging',
    description: 'Say on standard error where the node listens and what to try.',
  }),
};

const durability = {
  durability: choiceOption(['always', 'interval', 'never'], {
    default: 'always',
    group: 'Durability',
    description:
      'always: a write is answered after the sync that covers it. The others answer before, and a power failure may lose the last answered writes; only for a node alone.',
  }),
  syncIntervalMs: integerOption(1, 60_000, {
    default: 100,
    group: 'Durability',
    description: 'Durability interval only: how often the log is synced.',
  }),
  checkpointIntervalMs: integerOption(100, hourMs, {
    default: 30_000,
    group: 'Durability',
    description: 'State is made durable at least so often while it changes. Raising it makes restarts longer.',
  }),
  checkpointBytes: bytesOption(64 * kib, 16 * gib, {
    default: 64 * mib,
    group: 'Durability',
    description: '… and whenever so many bytes were written.',
  }),
};

const storage = {
  engine: choiceOption(engineNames, {
    default: 'bitcask',
    group: 'Storage',
    description:
      'What holds keys and values. bitcask: every key in memory, fastest. level: LevelDB, keys on disk. Fixed for a data directory at its first start.',
  }),
  walSegmentBytes: bytesOption(64 * kib, gib, {
    default: 64 * mib,
    group: 'Storage',
    description:
      'Size to which files of the write-ahead log grow. Larger ones hold more dead records, smaller ones cost files.',
  }),
  storeSegmentBytes: bytesOption(4 * kib, gib, {
    default: 100 * mib,
    group: 'Storage',
    description: 'Size of the data files of keys and values.',
  }),
  logSegmentBytes: bytesOption(64 * kib, gib, {
    default: 64 * mib,
    group: 'Storage',
    description: 'Size to which files of named logs grow; retention removes whole files.',
  }),
  maxOpenFiles: integerOption(4, 65_536, {
    default: 256,
    group: 'Storage',
    description: 'Data files held open for reading.',
  }),
  cacheBytes: bytesOption(0, 64 * gib, {
    default: 64 * mib,
    group: 'Storage',
    description: 'Values kept in memory after a read; 0 = none.',
  }),
  cacheTtlMs: integerOption(1, 24 * hourMs, {
    default: 300_000,
    group: 'Storage',
    description: 'How long a value is kept there.',
  }),
  compression: choiceOption(['none', 'lz4', 'gzip'], {
    default: 'none',
    group: 'Storage',
    description: 'How values are compressed on disk where that saves at least a tenth.',
  }),
  compressionLevel: integerOption(1, 9, {
    default: 1,
    group: 'Storage',
    description: 'gzip only: higher saves more and costs more.',
  }),
  compressionMinBytes: bytesOption(1, 16 * mib, {
    default: kib,
    group: 'Storage',
    description: 'Smaller values are stored as they are.',
  }),
};

const merging = {
  merge: booleanOption({ default: true, group: 'Merging', description: 'Merge dead records away in the background.' }),
  mergeStaleRatio: numberOption(0.01, 1, {
    default: 0.3,
    group: 'Merging',
    description: 'A file is worth merging when this share of its bytes is dead.',
  }),
  mergeMinSegments: integerOption(1, 10_000, {
    default: 3,
    group: 'Merging',
    description: 'A merge begins when so many files are worth it.',
  }),
  mergeBytesPerSecond: bytesOption(0, 16 * gib, {
    default: 50 * mib,
    group: 'Merging',
    description: 'Read and written bytes a second; 0 = unlimited.',
  }),
  mergeFromHour: integerOption(0, 23, {
    default: 0,
    group: 'Merging',
    description: 'Hour of the UTC day from which merges may run.',
  }),
  mergeToHour: integerOption(0, 24, {
    default: 24,
    group: 'Merging',
    description: 'Hour until which they may run; 0 to 24 = always, from above to = over midnight.',
  }),
};

const limits = {
  maxConnections: integerOption(1, 100_000, {
    default: 2_048,
    group: 'Limits',
    description:
      'Connections of each listener for clients. At the limit those on which nothing went for five seconds make place; where there are none, the new one is refused.',
  }),
  maxValueBytes: bytesOption(1, 512 * mib, {
    default: 16 * mib,
    group: 'Limits',
    description: 'Largest value. A setting of the cluster: fixed at its first start.',
  }),
  maxRequestBytes: bytesOption(1, 512 * mib, {
    default: 20 * mib,
    group: 'Limits',
    description: 'Keys and values of one request. At least max-value-bytes.',
  }),
  maxOperations: integerOption(1, 100_000, {
    default: 10_000,
    group: 'Limits',
    description: 'Operations of a batch, records of an append.',
  }),
  maxMessageBytes: bytesOption(kib, gib, {
    default: 24 * mib,
    group: 'Limits',
    description: 'Largest gRPC message. At least max-request-bytes and its framing.',
  }),
  maxReceivingBytes: bytesOption(kib, 64 * gib, {
    default: 256 * mib,
    group: 'Limits',
    description:
      'Bytes of requests from clients that are still coming in or not answered yet. Beyond it the one that has been coming in for longest is ended with RESOURCE_EXHAUSTED. At least max-in-flight-bytes.',
  }),
  maxAnsweringBytes: bytesOption(mib, 64 * gib, {
    default: 256 * mib,
    group: 'Limits',
    description:
      'Answer bytes that wait for slow readers of all streams together. Beyond it the reader that has taken nothing for longest is ended with RESOURCE_EXHAUSTED.',
  }),
  maxInFlightBytes: bytesOption(kib, 16 * gib, {
    default: 64 * mib,
    group: 'Limits',
    description: 'Bytes of writes that are not answered yet, of a group and of a pipeline. At least max-message-bytes.',
  }),
  maxInFlightWrites: integerOption(1, 1_000_000, {
    default: 16_384,
    group: 'Limits',
    description: 'Writes of a group that are not answered yet; beyond it they are refused with RESOURCE_EXHAUSTED.',
  }),
  pipelineRequests: integerOption(1, 100_000, {
    default: 1_024,
    group: 'Limits',
    description: 'Requests of one Pipeline stream that are answered at once; beyond it the stream is not read.',
  }),
  streamBufferBytes: bytesOption(4 * kib, gib, {
    default: mib,
    group: 'Limits',
    description: 'Answer bytes that wait for a slow reader of a stream; beyond it nothing more is produced.',
  }),
};

/** All options by key, in the order they are shown. */
export const configOptions = {
  ...node,
  ...cluster,
  ...listeners,
  ...logging,
  ...durability,
  ...storage,
  ...merging,
  ...limits,
};

/** The key of an option. */
export type ConfigKey = keyof typeof configOptions;

/** Values of all options. */
export type Config = { readonly [Key in ConfigKey]: z.infer<(typeof configOptions)[Key]['schema']> };

/** All options, without their own value types. */
export const optionEntries = Object.entries(configOptions) as readonly [ConfigKey, ConfigOption<unknown>][];
