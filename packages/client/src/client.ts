import { Activity } from './calls/activity.js';
import type { CallEnvironment } from './calls/call-environment.js';
import { Pipeline } from './calls/pipeline.js';
import { callUnary } from './calls/unary-calls.js';
import { ClientError } from './client-error.js';
import { type ClientOptions, resolveClientOptions } from './client-options.js';
import { ClusterNodes } from './cluster/cluster-nodes.js';
import { ContactNode } from './cluster/contact-node.js';
import { Discovery } from './cluster/discovery.js';
import { GroupLeader } from './cluster/group-leader.js';
import { MultiMasterNames } from './cluster/multi-master-names.js';
import type { ClusterMembers } from './cluster-members.js';
import { clusterMembersOf } from './cluster-members-client.js';
import { KeyValueClient, type SharedByKeyspaces } from './key-value-client.js';
import type { CallOptions, KeyValueStore } from './key-value-store.js';
import type { Keyspaces } from './keyspaces.js';
import { keyspacesOf } from './keyspaces-client.js';
import type { NamedLogs } from './named-logs.js';
import { NamedLogsClient } from './named-logs-client.js';
import type { NodeAdministration, NodeDescription, NodeStatus } from './node-administration.js';
import { administrationOf } from './node-administration-client.js';
import { SessionToken } from './session-token.js';
import type { Transport } from './transport.js';
import { nodeOf, statusOf } from './wire/status-wire.js';

/**
 * A client of a server or cluster, whose nodes and leader it finds by itself. It is itself the default keyspace. Calls may be made at once from anywhere; those
 * made together share messages. Failures are `ClientError`s; a caller's mistake is a `TypeError` or `RangeError`.
 */
export interface ShanghaiClient extends KeyValueStore, AsyncDisposable {
  /** Another set of keys; `''` is the default one. Costs nothing; ask as often as you like. */
  keyspace(name: string): KeyValueStore;
  readonly log: NamedLogs;
  readonly admin: NodeAdministration;
  /** What keyspaces there are, and what is peculiar to those that every node writes. */
  readonly keyspaces: Keyspaces;
  /** Who belongs to the cluster. */
  readonly members: ClusterMembers;
  /** What a node says of itself: the first of the endpoints that can be reached. */
  status(options?: CallOptions): Promise<NodeStatus>;
  /** The nodes of the cluster. */
  nodes(options?: CallOptions): Promise<readonly NodeDescription[]>;
  /**
   * Refuses new calls, ends ranges, tails and watches with `CANCELLED`, waits for calls in flight (their deadlines hold),
   * then gives up the connections. Idempotent.
   */
  close(): Promise<void>;
}

/**
 * A client over a transport. Connects with the first call. Throws `TypeError` or `RangeError` for options that cannot
 * work. Most programs use `connect` of `@shanghai/client/grpc`, and tests `createMemoryTransport` of `./testing`.
 */
export function createClient(transport: Transport, options: ClientOptions): ShanghaiClient {
  return new TransportClient(transport, options);
}

class TransportClient extends KeyValueClient implements ShanghaiClient {
  readonly log: NamedLogs;
  readonly admin: NodeAdministration;
  readonly keyspaces: Keyspaces;
  readonly members: ClusterMembers;
  readonly #environment: CallEnvironment;
  readonly #shared: SharedByKeyspaces;
  readonly #pipelines: readonly Pipeline[];
  readonly #closing: AbortController;
  #closed: Promise<void> | undefined;

  constructor(transport: Transport, clientOptions: ClientOptions) {
    const options = resolveClientOptions(clientOptions);
    const closing = new AbortController();
    const { clock, random, discover } = options;
    const nodes = new ClusterNodes(transport, options.endpoints, clock, random);
    const leader = new GroupLeader(nodes, discover);
    const environment: CallEnvironment = {
      options,
      nodes,
      leader,
      contact: new ContactNode(nodes),
      nearest: new ContactNode(nodes, 'all'),
      discovery: new Discovery({ nodes, leader, clock, discover, closing: closing.signal }),
      activity: new Activity(transport.keepAlive?.bind(transport)),
      closing: closing.signal,
    };
    const token = new SessionToken();
    const pipeline = new Pipeline(environment, 'keyValue', async (onRetry) => {
      const request = { ttlMs: BigInt(options.sessionTtlMs) };
      // Opening twice leaves one session to expire; that does no harm.
      const opened = await callUnary(environment, 'openSession', request, 'repeatable', {}, onRetry);
      return opened.sessionId;
    });
    const nearest = new Pipeline(environment, 'keyValue', noSession, 'nearest');
    const names = new MultiMasterNames({ nearest: environment.nearest, clock, closing: closing.signal });
    const shared = { leader: pipeline, nearest, token, names: names.keyspaces };
    super(environment, shared, '');
    this.#environment = environment;
    this.#shared = shared;
    this.#closing = closing;
    const logs = {
      leader: new Pipeline(environment, 'log', noSession),
      nearest: new Pipeline(environment, 'log', noSession, 'nearest'),
    };
    this.#pipelines = [pipeline, nearest, logs.leader, logs.nearest];
    this.log = new NamedLogsClient(environment, logs, names.logs);
    this.admin = administrationOf(environment);
    this.keyspaces = keyspacesOf(environment, names.keyspaces);
    this.members = clusterMembersOf(environment);
  }

  keyspace(name: string): KeyValueStore {
    return new KeyValueClient(this.#environment, this.#shared, name);
  }

  async status(options?: CallOptions): Promise<NodeStatus> {
    return statusOf(await callUnary(this.#environment, 'getStatus', {}, 'repeatable', options));
  }

  async nodes(options?: CallOptions): Promise<readonly NodeDescription[]> {
    const { nodes } = await callUnary(this.#environment, 'listNodes', {}, 'repeatable', options);
    return nodes.map(nodeOf);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const settled = this.#environment.activity.close();
    this.#closing.abort();
    await settled;
    for (const pipeline of this.#pipelines) pipeline.close();
    this.#environment.nodes.close();
  }
}

/** What every node writes is not numbered, and neither are appends. */
function noSession(): Promise<never> {
  return Promise.reject(new ClientError('INTERNAL_ERROR', 'a session was wanted where there is none', { sent: false }));
}
