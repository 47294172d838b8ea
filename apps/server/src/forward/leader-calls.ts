import type { LogAppend, LogAppended, LogDescription, LogSettings } from '../logs/log-requests.js';
import type { NodeMembers } from '../members/node-members.js';
import type { CatalogueForwarder } from '../raft/system-group.js';
import type { KeyValueRequests, OperationOutcome, WriteRequest } from '../requests/key-value-requests.js';
import type { Answered, RequestContext, WriteContext } from '../requests/request-context.js';
import type { ForwardedLogUpkeep } from './forwarding-log-upkeep.js';

/**
 * What a node asks of the one that leads, by its address: the port behind which `grpcLeaderCalls` stands. Requests keep
 * their deadline, correlation id and trace, end when their caller goes, and are not passed on a second time.
 *
 * Failures are `ServerError`s. The leader's own go through unchanged. Where it cannot be reached: `CLUSTER_ERROR`,
 * nothing was done. Where the connection was lost after the request may have been sent, or no answer came in time:
 * `OUTCOME_UNKNOWN`, or `DEADLINE_EXCEEDED` or `CANCELLED` where the caller's own time or patience ended.
 */
export interface LeaderCalls extends CatalogueForwarder {
  openSession(leader: string, ttlMs: number, context: RequestContext): ReturnType<KeyValueRequests['openSession']>;
  write(
    leader: string,
    request: WriteRequest,
    write: WriteContext,
    context: RequestContext,
  ): Promise<Answered<readonly OperationOutcome[]>>;
  createLog(leader: string, name: string, settings: LogSettings, context: RequestContext): Promise<LogDescription>;
  deleteLog(leader: string, name: string, context: RequestContext): Promise<void>;
  appendLog(leader: string, request: LogAppend, context: RequestContext): Promise<LogAppended>;
  /** What changes something about logs beside their entries. */
  logUpkeep(leader: string): ForwardedLogUpkeep;
  /** Moves a group's log time to its leader's clock; resolves to the index from which on replicas have it. */
  advanceTime(leader: string, groupId: number): Promise<number>;
  /** Asks a node, by its gRPC address, what the node table says of a node. */
  checkMember(address: string, nodeId: number, instanceId: string): Promise<ReturnType<NodeMembers['check']>>;
  /** Calls under way fail. Idempotent. */
  close(): void;
}

/** Makes the calls of a node, once it knows who it is. */
export type OpenLeaderCalls = (self: { readonly clusterId: string; readonly nodeId: number }) => LeaderCalls;
