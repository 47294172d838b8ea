import type { Clock } from '@shanghai/env';
import {
  type GetStatusResponse,
  type PipelineRequest,
  type PipelineResponse,
  ReadLevel,
  type ReadOptions,
} from '@shanghai/proto';
import type { ClientError } from '../client-error.js';
import type { StreamMethod, StreamMethods, UnaryMethod, UnaryMethods } from '../transport.js';
import { detailOf, refusal } from './memory-error.js';
import { MemoryServer } from './memory-server.js';
import { copyOf, type MemoryHost } from './memory-transport.js';

/** One member of a memory cluster. */
export interface ClusterMember {
  readonly nodeId: number;
  readonly address: string;
}

/** What the members agree about. */
export interface ClusterLog {
  /** Everything committed, in order. Each applies itself to a server and gives its answer, or throws its refusal. */
  readonly commands: ((server: MemoryServer) => unknown)[];
  term: number;
  leaderId: number | undefined;
  /** Called when a command was committed: everybody who hears of it applies it. */
  onCommitted: () => void;
}

/** Unary methods that change what the cluster holds: they go through the log. */
const commands: ReadonlySet<UnaryMethod> = new Set<UnaryMethod>([
  'openSession',
  'createLog',
  'deleteLog',
  'appendLog',
  'trimLog',
  'commitPosition',
  'seekConsumer',
  'deleteConsumer',
]);

/** Unary methods that read what the cluster holds. */
const reads: ReadonlySet<UnaryMethod> = new Set<UnaryMethod>(['listLogs', 'describeLog', 'readLog']);

/** A node of a memory cluster: a server in memory that takes commands only from the cluster's log. */
export class MemoryClusterNode implements MemoryHost {
  readonly member: ClusterMember;
  /** What it holds. */
  readonly server: MemoryServer;
  /** It hears nothing of the others. */
  isCutOff = false;
  /** It applies nothing. */
  lags = false;
  readonly #members: readonly ClusterMember[];
  readonly #log: ClusterLog;
  #applied = 0;
  #term = 0;
  /** Who leads, as far as it heard. */
  #leaderId: number | undefined;

  constructor(member: ClusterMember, members: readonly ClusterMember[], log: ClusterLog, clock: Clock) {
    this.member = member;
    this.server = new MemoryServer(clock);
    this.#members = members;
    this.#log = log;
  }

  /** Learns who leads, and applies what is committed. */
  hear(): void {
    if (this.isCutOff) return;
    this.#term = this.#log.term;
    this.#leaderId = this.#log.leaderId;
    this.#catchUp();
  }

  pipeline(message: PipelineRequest): PipelineResponse {
    const { id, request } = message;
    try {
      if (request?.$case === 'get') this.#barrier(request.value.options);
      else if (request !== undefined) {
        const { request: copy } = copyOf(message);
        const answer = this.#propose((server) => server.pipeline({ id: 0n, request: copy })) as PipelineResponse;
        return { ...answer, id };
      }
    } catch (error) {
      return { id, response: { $case: 'error', value: detailOf(error) } };
    }
    return this.server.pipeline(message);
  }

  unary<Method extends UnaryMethod>(method: Method, request: UnaryMethods[Method][0]): UnaryMethods[Method][1] {
    if (method === 'getStatus') return this.#status() as UnaryMethods[Method][1];
    if (method === 'listNodes') return { nodes: this.#members.map(descriptionOf) } as UnaryMethods[Method][1];
    if (method === 'appendLog' || method === 'describeLog') {
      const { log, name = log } = request as { readonly log?: string; readonly name?: string };
      // What every node writes each takes by itself; here it stays where it was written.
      if (this.server.logs.isMultiMaster(name ?? '')) return this.server.unary(method, request);
    }
    if (commands.has(method))
      return this.#propose((server) => server.unary(method, request)) as UnaryMethods[Method][1];
    if (reads.has(method)) this.#barrier(undefined);
    return this.server.unary(method, request);
  }

  stream<Method extends StreamMethod>(
    method: Method,
    request: StreamMethods[Method][0],
    signal: AbortSignal,
  ): AsyncIterable<StreamMethods[Method][1]> | Iterable<StreamMethods[Method][1]> {
    if (method === 'range') this.#barrier((request as StreamMethods['range'][0]).options);
    else if (method === 'tailLog' || this.#isAhead(request as StreamMethods['watch'][0])) this.#barrier(undefined);
    return this.server.stream(method, request, signal);
  }

  /** Whether a watch comes with a position that another replica gave out and this one has not reached. */
  #isAhead({ position }: StreamMethods['watch'][0]): boolean {
    return position.length > 0 && Number(position.readBigUInt64BE()) > this.server.keyValue.changes;
  }

  /** A command of a client: into the log where this node leads. */
  #propose(command: (server: MemoryServer) => unknown): unknown {
    if (this.#log.leaderId !== this.member.nodeId || this.isCutOff) throw this.#notLeader();
    const outcome: { answer?: unknown; error?: unknown } = {};
    const apply = (server: MemoryServer) => {
      try {
        const answer = command(server);
        if (server === this.server) outcome.answer = answer;
      } catch (error) {
        if (server === this.server) outcome.error = error;
      }
    };
    this.#log.commands.push(apply);
    this.#catchUp(true);
    this.#log.onCommitted();
    if (outcome.error !== undefined) throw outcome.error;
    return outcome.answer;
  }

  /** Holds what a read's level promises, or refuses. */
  #barrier(options: ReadOptions | undefined): void {
    if (!this.lags && !this.isCutOff) this.#catchUp();
    switch (options?.level) {
      case ReadLevel.READ_LEVEL_STALE:
        return;
      case ReadLevel.READ_LEVEL_SESSION: {
        if (options.token.compare(this.server.keyValue.header().token) > 0) {
          throw refusal('CLUSTER_ERROR', 'this replica has not applied yet what the token has seen');
        }
        return;
      }
      default:
        if (this.isCutOff || this.#log.leaderId === undefined) throw this.#notLeader();
        this.#catchUp(true);
    }
  }

  #catchUp(although = false): void {
    if (this.lags && !although) return;
    for (; this.#applied < this.#log.commands.length; this.#applied++) this.#log.commands[this.#applied]?.(this.server);
  }

  #notLeader(): ClientError {
    const leader = this.#members.find(({ nodeId }) => nodeId === this.#leaderId && nodeId !== this.member.nodeId);
    if (leader === undefined) return refusal('CLUSTER_ERROR', 'nobody is known here who leads; nothing was done');
    return refusal('CLUSTER_ERROR', `node ${leader.nodeId} leads; nothing was done`, {
      leader: leader.address,
      leaderNodeId: leader.nodeId,
    });
  }

  #status(): GetStatusResponse {
    const group = {
      groupId: 1n,
      role: this.#leaderId === this.member.nodeId ? 'leader' : 'follower',
      leaderNodeId: BigInt(this.#leaderId ?? 0),
      term: BigInt(this.#term),
      commitIndex: BigInt(this.#applied),
      appliedIndex: BigInt(this.#applied),
      durableAppliedIndex: 0n,
      firstIndex: 1n,
      lastIndex: BigInt(this.#applied),
      revision: BigInt(this.server.keyValue.revision),
      logTimeMs: 0n,
      sessions: BigInt(this.server.sessions.count),
      slots: 0,
      isLearner: false,
      isAsleep: false,
      logBytes: 0n,
      state: 'open',
      leaderHeardMsAgo: this.#leaderId === undefined ? undefined : 0n,
      replicas: [],
      configuration: undefined,
      proposalsInFlight: 0n,
    };
    return { ...this.server.unary('getStatus', {}), node: descriptionOf(this.member), groups: [group] };
  }
}

function descriptionOf({ nodeId, address }: ClusterMember) {
  return {
    nodeId: BigInt(nodeId),
    name: `node-${nodeId}`,
    membership: 'member',
    instanceId: `memory-${nodeId}`,
    grpcAddress: address,
    httpAddress: '',
    peerAddress: '',
    state: 'up',
    version: '0.0.0-memory',
    lowestClusterVersion: 1,
    highestClusterVersion: 1,
  };
}
