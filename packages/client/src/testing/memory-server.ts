import { type Clock, nodeClock } from '@shanghai/env';
import {
  type BatchRequest,
  ClusterState,
  type GetDiagnosticsResponse,
  type GetStatusResponse,
  type NodeDescription,
  type PipelineRequest,
  type PipelineResponse,
  type WriteOperation,
  type WriteOptions,
} from '@shanghai/proto';
import type { StreamMethod, StreamMethods, UnaryMethod, UnaryMethods } from '../transport.js';
import { detailOf, refusal } from './memory-error.js';
import { MemoryKeyValue } from './memory-key-value.js';
import { keyspaceHandlers } from './memory-keyspaces.js';
import { upkeepHandlers } from './memory-log-upkeep.js';
import { MemoryLogs } from './memory-logs.js';
import { MemorySessions } from './memory-sessions.js';
import type { MemoryHost } from './memory-transport.js';

type UnaryHandlers = {
  readonly [Method in UnaryMethod]: (request: UnaryMethods[Method][0]) => UnaryMethods[Method][1];
};

type StreamHandlers = {
  readonly [Method in StreamMethod]: (
    request: StreamMethods[Method][0],
    signal: AbortSignal,
  ) => AsyncIterable<StreamMethods[Method][1]> | Iterable<StreamMethods[Method][1]>;
};

/**
 * A server in memory that speaks the whole protocol on its messages: keys with revisions, expiry, conditions, sessions
 * and watches, and named logs. Nothing is durable, and there are no limits but those of memory: for tests.
 */
export class MemoryServer implements MemoryHost {
  readonly clock: Clock;
  readonly keyValue: MemoryKeyValue;
  readonly logs: MemoryLogs;
  readonly sessions = new MemorySessions();
  /** Whether a shutdown was asked for. */
  shutdownRequested = false;
  readonly #unary: UnaryHandlers;
  readonly #streams: StreamHandlers;

  /** Times are those of `clock`. */
  constructor(clock: Clock = nodeClock()) {
    this.clock = clock;
    this.keyValue = new MemoryKeyValue(clock);
    this.logs = new MemoryLogs(clock);
    this.#unary = this.#unaryHandlers();
    this.#streams = {
      range: (request) => this.keyValue.range(request),
      watch: (request, signal) => this.keyValue.watch(request, signal),
      tailLog: (request, signal) => this.logs.tail(request, signal),
      saveSnapshot: () => {
        throw refusal('UNSUPPORTED', 'a server in memory has no backups');
      },
      readGroupLog: () => {
        throw refusal('UNSUPPORTED', 'a server in memory has no log of its commands');
      },
    };
  }

  /** Answers a unary request, or throws a `ClientError`. */
  unary<Method extends UnaryMethod>(method: Method, request: UnaryMethods[Method][0]): UnaryMethods[Method][1] {
    return this.#unary[method](request);
  }

  /** Answers a streaming request; ends when the signal aborts. */
  stream<Method extends StreamMethod>(
    method: Method,
    request: StreamMethods[Method][0],
    signal: AbortSignal,
  ): AsyncIterable<StreamMethods[Method][1]> | Iterable<StreamMethods[Method][1]> {
    return this.#streams[method](request, signal);
  }

  /** Answers one request of a pipeline (not a group); failures are answers too. */
  pipeline({ id, request }: PipelineRequest): PipelineResponse {
    try {
      return { id, response: this.#answer(request) };
    } catch (error) {
      return { id, response: { $case: 'error', value: detailOf(error) } };
    }
  }

  #answer(request: PipelineRequest['request']): PipelineResponse['response'] {
    switch (request?.$case) {
      case 'get': {
        const { options, key } = request.value;
        const stored = this.keyValue.get(options?.keyspace ?? '', key);
        const { value, revision, expiresAtMs } = stored ?? { value: Buffer.alloc(0), revision: 0n, expiresAtMs: 0n };
        const header = this.keyValue.header();
        return { $case: 'get', value: { header, found: stored !== undefined, value, revision, expiresAtMs } };
      }
      case 'put':
      case 'append':
      case 'delete':
        return this.#single(request.$case, request.value.options, {
          operation: request as NonNullable<WriteOperation['operation']>,
        });
      case 'batch':
        return { $case: 'batch', value: this.#batch(request.value) };
      case 'transact': {
        const { options, conditions, operations } = request.value;
        const apply = () => this.keyValue.transact(options?.keyspace ?? '', conditions, operations);
        const results = this.sessions.once(options, apply);
        return { $case: 'transact', value: { header: this.keyValue.header(), results } };
      }
      case 'group':
      case undefined:
        throw refusal('INVALID_REQUEST', 'a group within a group, or no request');
    }
  }

  #single(
    $case: 'put' | 'append' | 'delete',
    options: WriteOptions | undefined,
    operation: WriteOperation,
  ): PipelineResponse['response'] {
    const [result] = this.sessions.once(options, () => this.keyValue.write(options?.keyspace ?? '', [operation]));
    const { revision = 0n, deleted = false, valueBytes = 0n } = result ?? {};
    const header = this.keyValue.header();
    if ($case === 'put') return { $case, value: { header, revision } };
    if ($case === 'append') return { $case, value: { header, revision, valueBytes } };
    return { $case, value: { header, deleted, revision } };
  }

  #batch({ options, operations }: BatchRequest) {
    const results = this.sessions.once(options, () => this.keyValue.write(options?.keyspace ?? '', operations));
    return { header: this.keyValue.header(), results };
  }

  #unaryHandlers(): UnaryHandlers {
    const { logs, sessions, keyValue } = this;
    return {
      openSession: ({ ttlMs }) => ({ header: keyValue.header(), sessionId: BigInt(sessions.open()), ttlMs }),
      createLog: ({ name, settings }) => ({ log: logs.create(name, settings) }),
      listLogs: ({ prefix }) => ({ logs: logs.list(prefix) }),
      describeLog: ({ name }) => ({ log: logs.describe(name) }),
      deleteLog: ({ name }) => {
        logs.delete(name);
        return {};
      },
      appendLog: (request) => logs.append(request),
      readLog: (request) => logs.read(request),
      ...upkeepHandlers(logs),
      getStatus: () => this.#status(),
      listNodes: () => ({ nodes: [memoryNode], replicationFactor: 3, removedNodeIds: [] }),
      listMembers: () => ({ nodeId: 1n, members: [], isolated: false, viewHash: 0 }),
      listMemberEvents: () => ({ events: [], last: 0n }),
      reserveNode: () => ({ clusterId: 'memory', nodeId: 2n, joinAddresses: [] }),
      leaveNode: () => ({}),
      replaceNode: () => ({}),
      setReplicationFactor: () => ({}),
      ...keyspaceHandlers(),
      shutdown: () => {
        this.shutdownRequested = true;
        return {};
      },
      getMetrics: () => ({ contentType: 'text/plain; version=0.0.4', text: `shanghai_keys ${keyValue.keys}\n` }),
      checkpoint: () => ({ groups: [{ groupId: 1n, durableAppliedIndex: BigInt(keyValue.revision) }] }),
      merge: () => ({ segmentsMerged: 0n, recordsCopied: 0n, bytesBefore: 0n, bytesAfter: 0n }),
      getChecksums: () => ({ groups: [] }),
      getDiagnostics: () => memoryDiagnostics(),
      getReplication: () => ({ nodeId: 1n, isActive: false, followers: [], shipping: [], unreachable: [] }),
      pauseReplication: () => ({}),
    };
  }

  #status(): GetStatusResponse {
    return {
      version: '0.0.0-memory',
      clusterId: 'memory',
      node: memoryNode,
      state: ClusterState.CLUSTER_STATE_HEALTHY,
      uptimeMs: 0n,
      groups: [],
      storage: {
        keys: BigInt(this.keyValue.keys),
        segments: 0n,
        liveBytes: 0n,
        deadBytes: 0n,
        keyDirectoryBytes: 0n,
        cacheEntries: 0n,
        cacheHits: 0n,
        cacheMisses: 0n,
        durability: 'never',
        mergeState: 'idle',
        lastCheckpointMs: 0n,
      },
      reasons: [],
      checks: [],
      wal: {
        firstLsn: 0n,
        lastLsn: 0n,
        durableLsn: 0n,
        segments: 0n,
        bytes: 0n,
        durability: 'never',
        lastSyncMs: 0,
        syncs: 0n,
        diskStalls: 0n,
        waitingMs: 0,
      },
      clusterVersion: 1,
      clusterVersionName: '0.0',
      clock: undefined,
    };
  }
}

const memoryNode: NodeDescription = {
  nodeId: 1n,
  name: 'memory',
  instanceId: 'memory',
  grpcAddress: '',
  httpAddress: '',
  peerAddress: '',
  state: 'up',
  membership: 'member',
  version: '0.0.0-memory',
  lowestClusterVersion: 1,
  highestClusterVersion: 1,
};

/** Nothing is wrong, and nothing was measured. */
function memoryDiagnostics(): GetDiagnosticsResponse {
  return {
    nodeId: memoryNode.nodeId,
    clusterId: 'memory',
    instanceId: memoryNode.instanceId,
    version: '0.0.0-memory',
    runtimeVersion: '',
    clockMs: 0,
    uptimeMs: 0n,
    checks: [],
    walSync: { count: 0n, p50Ms: 0, p99Ms: 0, maxMs: 0 },
    fileSystem: { type: '', totalBytes: 0n, availableBytes: 0n },
    process: {
      openFiles: 0n,
      maxOpenFiles: 0n,
      residentBytes: 0n,
      heapBytes: 0n,
      maxHeapBytes: 0n,
      eventLoopP99Ms: 0,
    },
    groups: [],
    diskStalls: 0n,
    waitingMs: 0,
    durability: 'never',
    state: ClusterState.CLUSTER_STATE_HEALTHY,
    reasons: [],
    clusterVersion: 1,
    clock: { offsetMs: undefined, alarm: false, peersHeard: 0 },
  };
}
