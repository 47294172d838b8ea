/** The real connection: the client over gRPC, put into the commands' terms. */
import type {
  CallOptions,
  Entry as ClientEntry,
  LogStart as ClientLogStart,
  NodeStatus as ClientStatus,
  WriteOperation as ClientWrite,
  LogEntry,
  ShanghaiClient,
} from '@shanghai/client';
import { connect } from '@shanghai/client/grpc';
import { invariant } from '@shanghai/env';
import { allOriginsUpToNow } from './all-origins.js';
import type { ConnectOptions } from './command-host.js';
import type {
  Connection,
  Entry,
  LogConnection,
  LogReading,
  LogStart,
  MemberConnection,
  NodeDescription,
  NodeReport,
  NodeStatus,
  ReportOptions,
  WriteOperation,
} from './connection.js';
import { observe } from './doctor/observe.js';
import type { Settings } from './settings.js';

/** A session lives for the length of a command; a short time to live frees it soon after. */
const sessionTtlMs = 120_000;

/** Work that takes minutes sits out the restart of a node; somebody who typed a command wants to hear that it is down. */
const patientAttempts = 100;
const hastyAttempts = 3;

/** Who asks every node does not want to wait for one that is down. */
const reportTimeoutMs = 3_000;

/** Checksums read everything. */
const checksumTimeoutMs = 600_000;

/** Entries of one page of a log. */
const pageEntries = 1000;

/** Connects with the first call. */
export function connectClient(settings: Settings, { sessions }: ConnectOptions, signal: AbortSignal): Connection {
  const { endpoints, timeoutMs } = settings;
  const maxAttempts = sessions ? patientAttempts : hastyAttempts;
  const client = connect({ endpoints, timeoutMs, sessions, sessionTtlMs, maxAttempts });
  const call = sessions ? {} : { signal };
  const store = settings.keyspace === '' ? client : client.keyspace(settings.keyspace);
  return {
    async get(key, options) {
      const entry = await store.get(key, { ...options, ...call });
      return entry === undefined ? undefined : toEntry(entry);
    },
    async put(key, value, { ifRevision, ...options } = {}) {
      if (ifRevision === undefined) return store.put(key, value, { ...options, ...call });
      const conditions = [ifRevision === 0 ? { key, exists: false } : { key, revision: ifRevision }];
      const [outcome] = await store.transact({ conditions, operations: [{ put: key, value, ...options }] }, call);
      invariant(outcome?.ok === true, 'a transaction of one write has one outcome, or fails');
      return { revision: outcome.revision };
    },
    append: (key, value) => store.append(key, value, call),
    delete: (key) => store.delete(key, call),
    async *range(range) {
      for await (const entry of store.range(range)) yield toEntry(entry);
    },
    async *watch({ onReady, ...target }) {
      // A watch waits out a node that is away; who begins one wants to hear at once that there is none.
      await client.status(call);
      let ready = false;
      for await (const { events } of store.watch(target)) {
        if (!ready) onReady();
        ready = true;
        for (const event of events) yield { type: event.type, ...toEntry(event) };
      }
    },
    async batch(operations, options) {
      const outcomes = await store.batch(operations.map(toWrite), { ...options, ...call });
      return outcomes.map((outcome) => {
        if (outcome.ok) {
          const { ok, ...result } = outcome;
          return result;
        }
        return { revision: 0, error: { code: outcome.code, message: outcome.message } };
      });
    },
    logs: logConnection(client, call),
    backup: client.admin.backup,
    status: async () => toStatus(await client.status(call)),
    nodes: () => client.nodes(call),
    reports: async (options) => {
      const nodes = await client.nodes(call);
      return Promise.all(nodes.map((node) => reportOf(node, timeoutMs, options)));
    },
    members: memberConnection(client, call),
    keyspaces: client.keyspaces,
    observations: async () => {
      const nodes = await client.nodes(call);
      return Promise.all(nodes.map((node) => observe(node, timeoutMs)));
    },
    metrics: async () => (await client.admin.metrics(call)).text,
    replication: (filter) => client.admin.replication({ ...filter, ...call }),
    pauseReplication: (follower, isPaused) => client.admin.pauseReplication(follower, { resume: !isPaused, ...call }),
    shutdown: (drainMs) => client.admin.shutdown({ drainMs, ...call }),
    close: () => client.close(),
  };
}

function memberConnection({ members }: ShanghaiClient, call: CallOptions): MemberConnection {
  return {
    table: () => members.table(call),
    seen: () => members.seen(call),
    events: (options) => members.events({ ...options, ...call }),
    reserve: (options) => members.reserve({ ...options, ...call }),
    leave: (nodeId, options) => members.leave(nodeId, { ...options, ...call }),
    replace: (nodeId, options) => members.replace(nodeId, { ...options, ...call }),
    setReplicationFactor: (factor) => members.setReplicationFactor(factor, call),
  };
}

function toStatus({ groups, storage, wal, ...status }: ClientStatus): NodeStatus {
  return { ...status, groups: groups.map((group) => ({ ...group })), storage: { ...storage }, wal: { ...wal } };
}

/** Asks one node, by its own address. */
async function reportOf(
  node: NodeDescription,
  timeoutMs: number,
  { checksums, replication }: ReportOptions = {},
): Promise<NodeReport> {
  if (node.grpcAddress === '') return { node, problem: 'its address is not known' };
  const own = { timeoutMs: Math.min(timeoutMs, reportTimeoutMs), maxAttempts: 1 };
  const client = connect({ endpoints: [node.grpcAddress], ...own });
  try {
    const status = toStatus(await client.status());
    if (status.node.nodeId !== node.nodeId) {
      return { node, problem: `node ${status.node.nodeId} answers at its address` };
    }
    const { admin } = client;
    // Nodes of the first release do not know the question.
    const shipping = replication && (await admin.replication(replication).catch(() => undefined));
    return {
      node,
      status,
      ...(checksums === true ? { checksums: await admin.checksums({ timeoutMs: checksumTimeoutMs }) } : {}),
      ...(shipping === undefined ? {} : { replication: shipping }),
    };
  } catch (error) {
    return { node, problem: error instanceof Error ? error.message : String(error) };
  } finally {
    await client.close();
  }
}

function logConnection({ log }: ShanghaiClient, call: CallOptions): LogConnection {
  return {
    create: (name, settings) => log.create(name, settings, call),
    list: (prefix) => log.list(prefix, call),
    describe: (name) => log.describe(name, call),
    delete: (name) => log.delete(name, call),
    append: (name, records, { here, ...options }) => log.append(name, records, { ...options, ...call, ...at(here) }),
    async *read(name, { limit, signal, origin, here, allOrigins, order, ...start }): AsyncGenerator<LogEntry> {
      let from = toStart(start);
      if (allOrigins !== undefined || order !== undefined) {
        const asked = signal === undefined ? {} : { signal };
        const reading = { from, ...asked, ...scopeOf(allOrigins, order), ...at(here), ...of(origin) };
        yield* allOriginsUpToNow(log, name, reading, limit);
        return;
      }
      let left = limit;
      // What is appended while pages are read is not chased: the end is the one of the first page.
      let end: number | undefined;
      while (left > 0) {
        const options = { from, limit: Math.min(left, pageEntries), ...(signal === undefined ? {} : { signal }) };
        const page = await log.read(name, { ...options, ...at(here), ...of(origin) });
        end ??= page.lastSequence;
        for (const entry of page.entries) {
          if (entry.sequence > end) return;
          yield entry;
        }
        left -= page.entries.length;
        from = page.nextSequence;
        // A page may hold nothing and go on: compaction took away what was there.
        if (page.nextSequence > end || (page.entries.length === 0 && page.gaps.length === 0)) return;
      }
    },
    async *tail(name, { fromEnd, signal, origin, here, allOrigins, order, ...start }) {
      // A tail waits out a node that is away; who begins one wants to hear at once that there is none.
      if (here !== true) await log.describe(name, call);
      const from = fromEnd === true ? 'end' : toStart(start);
      yield* log.tail(name, { from, signal, ...scopeOf(allOrigins, order), ...at(here), ...of(origin) });
    },
    consumers: (name, prefix) => log.consumers.list(name, prefix, call),
    commit: (name, consumer, position, options) =>
      log.consumers.commit(name, consumer, position, { ...options, ...call }),
    seek: (name, consumer, to, dryRun) => log.consumers.seek(name, consumer, to, { dryRun, ...call }),
    deleteConsumer: (name, consumer) => log.consumers.delete(name, consumer, call),
    producer: (name, producerId) => log.producer(name, producerId, call),
    trim: (name, to, force) => log.trim(name, to, { force, ...call }),
  };
}

function scopeOf(
  allOrigins: boolean | undefined,
  order: LogReading['order'],
): { allOrigins?: boolean; order?: 'arrival' | 'time' } {
  return { ...(allOrigins === undefined ? {} : { allOrigins }), ...(order === undefined ? {} : { order }) };
}

function at(here: boolean | undefined): { at?: 'contact' } {
  return here === true ? { at: 'contact' } : {};
}

function of(origin: number | undefined): { origin?: number } {
  return origin === undefined ? {} : { origin };
}

function toStart({ fromSequence, fromTimeMs, last }: LogStart): ClientLogStart {
  if (last !== undefined) return { last };
  return fromTimeMs === undefined ? (fromSequence ?? 0) : { timeMs: fromTimeMs };
}

function toEntry({
  key,
  value,
  revision,
  expiresAtMs,
}: Omit<ClientEntry, 'expiresAtMs'> & { readonly expiresAtMs?: number }): Entry {
  return { key, value, revision, expiresAtMs: expiresAtMs ?? 0 };
}

function toWrite(operation: WriteOperation): ClientWrite {
  switch (operation.type) {
    case 'put': {
      const { key, value, ttlMs } = operation;
      return { put: key, value, ...(ttlMs === undefined ? {} : { ttlMs }) };
    }
    case 'append':
      return { append: operation.key, value: operation.value };
    case 'delete':
      return { delete: operation.key };
  }
}
