/** A connection to a node in memory: enough of one to run every command against. */
import type {
  Change,
  Connection,
  Entry,
  GroupState,
  LogConnection,
  LogConsumer,
  LogDescription,
  LogEntry,
  LogPosition,
  MemberSights,
  MemberTable,
  NodeReport,
  NodeStatus,
  ReplicationReport,
  SeekTarget,
  SeenEvent,
  TrimTarget,
} from '../connection.js';
import { CtlError } from '../ctl-error.js';
import type { NodeObservation } from '../doctor/core/observation.js';

/** What a test may look at and change. */
export interface MemoryNode {
  /** Absent: it ships nothing. */
  replication?: ReplicationReport;
  readonly keys: Map<string, Entry>;
  /** By log and name. */
  readonly consumers: Map<string, LogConsumer>;
  readonly logs: Map<string, { readonly description: LogDescription; readonly entries: LogEntry[] }>;
  /** What a watch will give. */
  readonly changes: Change[];
  /** Names of the calls, in order. */
  readonly calls: string[];
  /** Called before each call with its name; throw to make it fail, return a promise to hold it. */
  before: (call: string) => void | Promise<void>;
  metricsText: string;
  /** What the nodes of its cluster say; absent: it is alone. */
  reports?: readonly NodeReport[];
  /** Its node table, one look after the other; absent: it is alone. The last one stays. */
  tables?: MemberTable[];
  /** Whom it sees by gossip, and what it was told of them; absent: nobody, nothing. */
  sights?: MemberSights;
  events?: readonly SeenEvent[];
  /** What a diagnosis sees; absent: a node alone that is well. */
  observations?: readonly NodeObservation[];
  /** How the cluster is; absent: healthy. */
  health?: Pick<NodeStatus, 'state' | 'reasons'>;
  /** Of the last write. */
  revision: number;
}

/** An empty node. */
export function createMemoryNode(): MemoryNode {
  return {
    keys: new Map(),
    logs: new Map(),
    consumers: new Map(),
    changes: [],
    calls: [],
    before: () => undefined,
    metricsText: '',
    revision: 0,
  };
}

/** Bytes as the key of a map: order of the text is order of the bytes. */
export function mapKey(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** A connection to the node. */
export function connectMemory(node: MemoryNode): Connection {
  const call = async (name: string) => {
    node.calls.push(name);
    await node.before(name);
  };
  const put = (key: Uint8Array, value: Uint8Array, ttlMs?: number) => {
    if (key.length > 65_536) throw new CtlError('INVALID_REQUEST', 'the key is too long');
    node.revision += 1;
    const { revision } = node;
    node.keys.set(mapKey(key), { key, value, revision, expiresAtMs: ttlMs === undefined ? 0 : Date.now() + ttlMs });
    return { revision };
  };
  const append = (key: Uint8Array, value: Uint8Array) => {
    const whole = Buffer.concat([node.keys.get(mapKey(key))?.value ?? new Uint8Array(0), value]);
    return { ...put(key, new Uint8Array(whole)), valueBytes: whole.length };
  };
  const remove = (key: Uint8Array) => {
    node.revision += 1;
    return { deleted: node.keys.delete(mapKey(key)), revision: node.revision };
  };
  return {
    ...memoryReplication(node, call),
    async get(key) {
      await call('get');
      return node.keys.get(mapKey(key));
    },
    async put(key, value, options) {
      await call('put');
      const { revision = 0 } = node.keys.get(mapKey(key)) ?? {};
      if (options?.ifRevision !== undefined && options.ifRevision !== revision) {
        throw new CtlError('CONFLICT', `the key has revision ${revision}`);
      }
      return put(key, value, options?.ttlMs);
    },
    async append(key, value) {
      await call('append');
      return append(key, value);
    },
    async delete(key) {
      await call('delete');
      return remove(key);
    },
    async *range({ start, end, prefix, limit = Number.POSITIVE_INFINITY, reverse = false, keysOnly = false }) {
      await call('range');
      const inRange = (name: string) =>
        (start === undefined || name >= mapKey(start)) &&
        (end === undefined || name < mapKey(end)) &&
        (prefix === undefined || name.startsWith(mapKey(prefix)));
      const names = [...node.keys.keys()].filter(inRange).sort();
      if (reverse) names.reverse();
      for (const name of names.slice(0, limit)) {
        const entry = node.keys.get(name);
        if (entry !== undefined) yield keysOnly ? { ...entry, value: new Uint8Array(0) } : entry;
      }
    },
    async *watch({ key, prefix, onReady, signal }) {
      await call('watch');
      onReady();
      for (const change of node.changes) {
        const name = mapKey(change.key);
        if ((key === undefined || name === mapKey(key)) && name.startsWith(mapKey(prefix ?? new Uint8Array(0))))
          yield change;
      }
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw new CtlError('CANCELLED', 'the watch was given up');
    },
    async batch(operations) {
      await call('batch');
      return operations.map((operation) => {
        if (operation.key.length > 65_536) {
          return { revision: 0, error: { code: 'INVALID_REQUEST', message: 'the key is too long' } };
        }
        if (operation.type === 'put') return put(operation.key, operation.value, operation.ttlMs);
        return operation.type === 'append' ? append(operation.key, operation.value) : remove(operation.key);
      });
    },
    logs: logConnection(node, call),
    backup: {
      snapshot: () => {
        throw new CtlError('UNSUPPORTED', 'a node in memory has no backups');
      },
      groupLog: () => {
        throw new CtlError('UNSUPPORTED', 'a node in memory has no log of its commands');
      },
    },
    ...administration(node, call),
    close: () => call('close'),
  };
}

/** The calls about the node and its cluster. */
function administration(
  node: MemoryNode,
  call: (name: string) => Promise<void>,
): Pick<
  Connection,
  'status' | 'nodes' | 'reports' | 'members' | 'keyspaces' | 'observations' | 'metrics' | 'shutdown'
> {
  return {
    async status() {
      await call('status');
      return statusOf(node);
    },
    async nodes() {
      await call('nodes');
      return [statusOf(node).node];
    },
    async reports() {
      await call('reports');
      const replication = node.replication === undefined ? {} : { replication: node.replication };
      return node.reports ?? [{ node: statusOf(node).node, status: statusOf(node), ...replication }];
    },
    keyspaces: keyspaceConnection(call),
    members: {
      async table() {
        await call('table');
        const alone = { nodes: [statusOf(node).node], replicationFactor: 3, removedNodeIds: [] };
        const [first = alone] = node.tables ?? [];
        if ((node.tables?.length ?? 0) > 1) node.tables?.shift();
        return first;
      },
      async seen() {
        await call('seen');
        return node.sights ?? { nodeId: 1, members: [], isIsolated: false, viewHash: 0 };
      },
      async events({ after, waitMs }) {
        await call(waitMs === 0 ? `events ${after}` : `events ${after} waiting`);
        const events = (node.events ?? []).filter(({ number }) => number > after);
        return { events, last: events.at(-1)?.number ?? after };
      },
      async reserve({ name, peerAddress }) {
        await call(`reserve ${name} ${peerAddress}`);
        return { clusterId: 'c', nodeId: 4, joinAddresses: ['a:9091', 'b:9092'] };
      },
      leave: (nodeId, { force }) => call(`leave ${nodeId}${force ? ' by force' : ''}`),
      replace: (nodeId, { by, force }) => call(`replace ${nodeId} by ${by}${force ? ' by force' : ''}`),
      setReplicationFactor: (factor) => call(`replication ${factor}`),
    },
    async observations() {
      await call('observations');
      return node.observations ?? [];
    },
    async metrics() {
      await call('metrics');
      return node.metricsText;
    },
    shutdown: (drainMs) => call(`shutdown ${drainMs}`),
  };
}

function keyspaceConnection(call: (name: string) => Promise<void>): Connection['keyspaces'] {
  const counts = { conflictsListed: 1, conflictsFound: 2, held: 1 };
  const carts = { name: 'carts', keyspaceId: 1, mode: 'multi-master', ...counts } as const;
  const stamp = { epoch: 1, sequence: 7, timeMs: 1_000, counter: 0, expiresAtMs: 0 };
  const lost = { origin: 1, ...stamp, value: Buffer.from('old'), valueBytes: 3 };
  return {
    async create(name, options) {
      await call(`create ${name} ${options?.mode}`);
      return { ...carts, name, mode: options?.mode ?? 'quorum' };
    },
    async list() {
      await call('keyspaces');
      return [{ ...carts, name: '', keyspaceId: 0, mode: 'quorum' }, carts];
    },
    async conflicts(keyspace) {
      await call(`conflicts ${keyspace}`);
      return { conflicts: [{ key: Buffer.from('k'), lost, won: { origin: 2, ...stamp, valueBytes: 0 } }], found: 2 };
    },
    async held(keyspace) {
      await call(`held ${keyspace}`);
      return { entries: [{ key: Buffer.from('k'), version: lost, aheadMs: 12_000 }], held: 2 };
    },
    async delete(name) {
      await call(`delete ${name}`);
    },
    async giveVerdict(keyspace, { decision, origin, epoch, firstSequence, lastSequence }) {
      await call(`${decision} ${keyspace} ${origin}.${epoch} ${firstSequence}-${lastSequence}`);
      return 3;
    },
  };
}

function logConnection(node: MemoryNode, call: (name: string) => Promise<void>): LogConnection {
  const find = (name: string) => {
    const log = node.logs.get(name);
    if (log === undefined) throw new CtlError('NOT_FOUND', `there is no log '${name}'`);
    return log;
  };
  const describe = (name: string): LogDescription => {
    const { description, entries } = find(name);
    const bytes = entries.reduce((sum, { value }) => sum + value.length, 0);
    const origin = { origin: 0, epoch: 1, firstSequence: 1, lastSequence: entries.length, bytes, segments: 1 };
    return { ...description, origins: [origin] };
  };
  const from = (name: string, fromSequence = 0, fromTimeMs = 0) =>
    find(name).entries.filter(({ sequence, timeMs }) => sequence >= fromSequence && timeMs >= fromTimeMs);
  return {
    async create(name, settings) {
      await call('log create');
      const defaults = { mode: 'quorum', acknowledgement: 'quorum', cleanupPolicy: 'delete' } as const;
      const description = {
        name,
        logId: node.logs.size + 1,
        settings: { ...defaults, ...settings },
        createdAtMs: 1_700_000_000_000,
        origins: [],
      };
      node.logs.set(name, { description, entries: [] });
      return describe(name);
    },
    async list(prefix) {
      await call('log list');
      return [...node.logs.keys()].filter((name) => name.startsWith(prefix)).map(describe);
    },
    async describe(name) {
      await call('log describe');
      return describe(name);
    },
    async delete(name) {
      await call('log delete');
      find(name);
      node.logs.delete(name);
    },
    async append(name, records, { expectedLastSequence }) {
      await call('log append');
      const { entries } = find(name);
      if (expectedLastSequence !== undefined && expectedLastSequence !== entries.length) {
        throw new CtlError('CONFLICT', `the last sequence number is ${entries.length}`);
      }
      const firstSequence = entries.length + 1;
      for (const record of records) {
        const sequence = entries.length + 1;
        const timeMs = 1_700_000_000_000 + sequence * 1000;
        entries.push({
          origin: 0,
          sequence,
          timeMs,
          key: record.key ?? new Uint8Array(0),
          value: record.value,
          headers: record.headers ?? [],
        });
      }
      return { firstSequence, lastSequence: entries.length, timeMs: 1_700_000_000_000 };
    },
    async *read(name, { fromSequence, fromTimeMs, last, limit }) {
      await call('log read');
      const entries = from(name, fromSequence, fromTimeMs);
      yield* entries.slice(last === undefined ? 0 : Math.max(0, entries.length - last)).slice(0, limit);
    },
    async *tail(name, { fromSequence, fromTimeMs, fromEnd, signal }) {
      await call('log tail');
      if (fromEnd !== true) yield* from(name, fromSequence, fromTimeMs);
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw new CtlError('CANCELLED', 'the tail was given up');
    },
    ...consumerConnection(node, call),
  };
}

/** Consumers of logs in memory. No log there knows producers, and none is trimmed. */
function consumerConnection(node: MemoryNode, call: (name: string) => Promise<void>) {
  const at = (sequence: number) => [{ origin: 0, epoch: 1, sequence }];
  const key = (name: string, consumer: string) => `${name}/${consumer}`;
  const put = (name: string, consumer: string, generation: number, sequence: number) => {
    const behind = (node.logs.get(name)?.entries.length ?? 0) - sequence;
    const lag = { origin: 0, epoch: 1, entries: behind, milliseconds: behind * 1000, lostEntries: undefined };
    const committedAtMs = 1_700_000_000_000;
    const state = { name: consumer, generation, positions: at(sequence), committedAtMs, lags: [lag] };
    node.consumers.set(key(name, consumer), state);
    return { generation, positions: state.positions };
  };
  return {
    async consumers(name: string, prefix: string) {
      await call('log consumers');
      return [...node.consumers].filter(([id]) => id.startsWith(`${name}/${prefix}`)).map(([, state]) => state);
    },
    async commit(
      name: string,
      consumer: string,
      position: number | readonly LogPosition[],
      options: { readonly generation?: number },
    ) {
      await call(`log commit ${JSON.stringify(position)}`);
      const generation = node.consumers.get(key(name, consumer))?.generation ?? 1;
      if (options.generation !== undefined && options.generation !== generation) {
        throw new CtlError('CONFLICT', `the consumer is in generation ${generation}`);
      }
      return put(name, consumer, generation, typeof position === 'number' ? position : (position[0]?.sequence ?? 0));
    },
    async seek(name: string, consumer: string, to: SeekTarget, dryRun: boolean) {
      await call(`log seek ${JSON.stringify(to)}`);
      const known = node.consumers.get(key(name, consumer));
      const earlierPositions = known?.positions ?? [];
      const end = node.logs.get(name)?.entries.length ?? 0;
      const sequence =
        to === 'end' ? end : typeof to === 'object' && 'positions' in to ? (to.positions[0]?.sequence ?? 0) : 0;
      const generation = known?.generation ?? 0;
      if (dryRun) return { generation, positions: at(sequence), earlierPositions };
      return { ...put(name, consumer, generation + 1, sequence), earlierPositions };
    },
    async deleteConsumer(name: string, consumer: string) {
      await call('log forget');
      node.consumers.delete(key(name, consumer));
    },
    async producer(_name: string, producerId: number) {
      await call('log producer');
      return producerId === 7 ? { epoch: 2, lastSequence: 5, logSequence: 9, timeMs: 1_700_000_000_000 } : undefined;
    },
    async trim(name: string, to: TrimTarget, force: boolean) {
      await call('log trim');
      const lastSequence = node.logs.get(name)?.entries.length ?? 0;
      node.calls.push(`log trim ${JSON.stringify(to)}${force ? ' force' : ''}`);
      if (typeof to === 'number') return { firstSequence: to, lastSequence };
      const origins = [
        { origin: 1, epoch: 1, firstSequence: 3, lastSequence: 3 },
        { origin: 2, epoch: 1, firstSequence: 2, lastSequence: 1 },
      ];
      return { firstSequence: 0, lastSequence: 0, origins };
    },
  };
}

/** A group of one that has nothing to do. */
export const memoryGroup: GroupState = {
  groupId: 1,
  role: 'leader',
  leaderNodeId: 1,
  term: 1,
  commitIndex: 12_345,
  appliedIndex: 12_345,
  durableAppliedIndex: 12_000,
  firstIndex: 2_345,
  lastIndex: 12_345,
  state: 'open',
  isLearner: false,
  isAsleep: false,
  leaderHeardMsAgo: 0,
  configuration: { voters: [1], votersOutgoing: [], learners: [], learnersNext: [] },
  replicas: [],
  logTimeMs: 1_700_000_000_000,
  slots: 1_024,
};

/** What a node with nothing in it says. */
export function memoryStatus(): NodeStatus {
  return statusOf(createMemoryNode());
}

function statusOf(node: MemoryNode): NodeStatus {
  return {
    version: '9.8.7',
    clusterId: 'c1',
    state: node.health?.state ?? 'healthy',
    reasons: node.health?.reasons ?? [],
    checks: [{ name: 'accepting', ok: true, detail: 'requests are taken', sinceMs: 1_700_000_000_000 }],
    node: {
      nodeId: 1,
      name: 'node-1',
      instanceId: 'i1',
      grpcAddress: '127.0.0.1:9090',
      httpAddress: '127.0.0.1:8080',
      peerAddress: '',
      state: 'up',
      membership: 'member',
    },
    uptimeMs: 61_000,
    groups: [memoryGroup],
    storage: {
      keys: node.keys.size,
      segments: 1,
      liveBytes: 3 * 1024 * 1024,
      deadBytes: 1024 * 1024,
      keyDirectoryBytes: 2048,
      cacheEntries: 0,
      cacheHits: 3,
      cacheMisses: 1,
      durability: 'never',
      mergeState: 'idle',
      lastCheckpointMs: 1_700_000_000_000,
    },
    wal: {
      firstLsn: 1,
      lastLsn: 9,
      durableLsn: 9,
      segments: 1,
      bytes: 4096,
      durability: 'always',
      lastSyncMs: 0.25,
      syncs: 9,
    },
  };
}

function memoryReplication(
  node: MemoryNode,
  call: (name: string) => Promise<void>,
): Pick<Connection, 'replication' | 'pauseReplication'> {
  return {
    async replication(filter = {}) {
      await call(['replication', ...Object.values(filter)].join(' '));
      return node.replication ?? { nodeId: 1, isActive: false, followers: [], shipping: [], unreachable: [] };
    },
    pauseReplication: (follower, isPaused) => call(`pauseReplication ${follower} ${isPaused}`),
  };
}
