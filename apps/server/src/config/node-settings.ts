import type { ApiLimits } from '../api/api-services.js';
import { parseFirstMembers } from '../first-members.js';
import type { NodeOptions } from '../node-options.js';
import type { Config } from './config-options.js';

/** What the configuration means to the node. */
export function nodeOptionsOf(config: Config): NodeOptions {
  const { host, httpPort, grpcPort } = config;
  const address = (port: number) => (port === 0 ? '' : hostAndPort(host, port));
  return {
    dataDirectory: config.dataDir,
    ...(config.nodeId === 0 ? {} : { nodeId: config.nodeId }),
    ...(config.initialCluster === '' ? {} : { initialMembers: parseFirstMembers(config.initialCluster) }),
    clusterToken: config.clusterToken,
    ...(config.join === '' ? {} : { join: { addresses: joinAddresses(config.join) } }),
    ...(config.nodeName === '' ? {} : { nodeName: config.nodeName }),
    addresses: { http: address(httpPort), grpc: address(grpcPort) },
    ...(config.advertiseHost === '' ? {} : { advertiseHost: config.advertiseHost }),
    raft: { tickMs: config.tickMs, electionTicks: config.electionTicks },
    peers: { host: config.host, port: config.peerPort, snapshotBytesPerSecond: config.snapshotBytesPerSecond },
    membership: { tuning: { profile: config.membershipProfile } },
    slots: config.slots,
    breakLock: config.breakLock,
    checkpointIntervalMs: config.checkpointIntervalMs,
    checkpointBytes: config.checkpointBytes,
    limits: {
      maxValueBytes: config.maxValueBytes,
      maxRequestBytes: config.maxRequestBytes,
      maxOperations: config.maxOperations,
      maxProposals: config.maxInFlightWrites,
      maxProposalBytes: config.maxInFlightBytes,
    },
    wal: {
      durability: config.durability,
      syncIntervalMs: config.syncIntervalMs,
      segmentBytes: config.walSegmentBytes,
    },
    logs: { segmentBytes: config.logSegmentBytes, firstSegmentBytes: Math.min(1024 * 1024, config.logSegmentBytes) },
    engine: config.engine,
    store: storeOptionsOf(config),
  };
}

/** The addresses that `join` names. */
export function joinAddresses(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function storeOptionsOf(config: Config): NonNullable<NodeOptions['store']> {
  const isAlways = config.mergeFromHour === 0 && config.mergeToHour === 24;
  const window = { fromHour: config.mergeFromHour, toHour: config.mergeToHour };
  return {
    segmentBytes: config.storeSegmentBytes,
    maxOpenFiles: config.maxOpenFiles,
    cache: { maxBytes: config.cacheBytes, ttlMs: config.cacheTtlMs },
    compression: {
      codec: config.compression,
      level: config.compressionLevel,
      minBytes: config.compressionMinBytes,
    },
    merge: {
      enabled: config.merge,
      staleRatio: config.mergeStaleRatio,
      minSegments: config.mergeMinSegments,
      bytesPerSecond: config.mergeBytesPerSecond,
      ...(isAlways ? {} : { window }),
    },
  };
}

/** Base64 makes four characters of three bytes; the rest of a body is names and quotes. */
const bodyRatio = 1.4;

/** What the configuration means to the APIs. */
export function apiLimitsOf(config: Config): ApiLimits {
  return {
    maxRequestBytes: Math.ceil(config.maxRequestBytes * bodyRatio),
    maxOperations: config.maxOperations,
    maxMessageBytes: config.maxMessageBytes,
    pipelineRequests: config.pipelineRequests,
    pipelineBytes: config.maxInFlightBytes,
    streamBufferBytes: config.streamBufferBytes,
  };
}

/** `host:port`, an IPv6 address in brackets. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
