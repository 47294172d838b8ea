// The port between the client and the network. Everything above it (batching, sessions, retries, resuming) is the same
// over gRPC and over the memory twin in `./testing`. Messages are those of the protocol; failures are `ClientError`s
// whose `sent` and `answered` say truthfully what is known, because the decision to send a write again hangs on them.
import type {
  CheckpointRequest,
  CheckpointResponse,
  CommitPositionRequest,
  CommitPositionResponse,
  CreateKeyspaceRequest,
  CreateKeyspaceResponse,
  CreateLogRequest,
  CreateLogResponse,
  DeleteConsumerRequest,
  DeleteConsumerResponse,
  DeleteKeyspaceRequest,
  DeleteKeyspaceResponse,
  DeleteLogRequest,
  DeleteLogResponse,
  DescribeLogRequest,
  DescribeLogResponse,
  DescribeProducerRequest,
  DescribeProducerResponse,
  GetChecksumsRequest,
  GetChecksumsResponse,
  GetDiagnosticsRequest,
  GetDiagnosticsResponse,
  GetMetricsRequest,
  GetMetricsResponse,
  GetPositionRequest,
  GetPositionResponse,
  GetReplicationRequest,
  GetReplicationResponse,
  GetStatusRequest,
  GetStatusResponse,
  GiveVerdictRequest,
  GiveVerdictResponse,
  LeaveNodeRequest,
  LeaveNodeResponse,
  ListConflictsRequest,
  ListConflictsResponse,
  ListConsumersRequest,
  ListConsumersResponse,
  ListHeldRequest,
  ListHeldResponse,
  ListKeyspacesRequest,
  ListKeyspacesResponse,
  ListLogsRequest,
  ListLogsResponse,
  ListMemberEventsRequest,
  ListMemberEventsResponse,
  ListMembersRequest,
  ListMembersResponse,
  ListNodesRequest,
  ListNodesResponse,
  LogAppendRequest,
  LogAppendResponse,
  LogPipelineRequest,
  LogPipelineResponse,
  LogReadRequest,
  LogReadResponse,
  LogTailRequest,
  LogTailResponse,
  MergeRequest,
  MergeResponse,
  OpenSessionRequest,
  OpenSessionResponse,
  PauseReplicationRequest,
  PauseReplicationResponse,
  PipelineRequest,
  PipelineResponse,
  RangeRequest,
  RangeResponse,
  ReadGroupLogRequest,
  ReadGroupLogResponse,
  ReplaceNodeRequest,
  ReplaceNodeResponse,
  ReserveNodeRequest,
  ReserveNodeResponse,
  SaveSnapshotRequest,
  SaveSnapshotResponse,
  SeekConsumerRequest,
  SeekConsumerResponse,
  SetReplicationFactorRequest,
  SetReplicationFactorResponse,
  ShutdownRequest,
  ShutdownResponse,
  TrimLogRequest,
  TrimLogResponse,
  WatchRequest,
  WatchResponse,
} from '@shanghai/proto';
import type { ClientError } from './client-error.js';

/** One request, one answer: request and response of each method. */
export interface UnaryMethods {
  readonly openSession: readonly [OpenSessionRequest, OpenSessionResponse];
  readonly createLog: readonly [CreateLogRequest, CreateLogResponse];
  readonly listLogs: readonly [ListLogsRequest, ListLogsResponse];
  readonly describeLog: readonly [DescribeLogRequest, DescribeLogResponse];
  readonly deleteLog: readonly [DeleteLogRequest, DeleteLogResponse];
  readonly appendLog: readonly [LogAppendRequest, LogAppendResponse];
  readonly readLog: readonly [LogReadRequest, LogReadResponse];
  readonly trimLog: readonly [TrimLogRequest, TrimLogResponse];
  readonly describeProducer: readonly [DescribeProducerRequest, DescribeProducerResponse];
  readonly commitPosition: readonly [CommitPositionRequest, CommitPositionResponse];
  readonly getPosition: readonly [GetPositionRequest, GetPositionResponse];
  readonly listConsumers: readonly [ListConsumersRequest, ListConsumersResponse];
  readonly seekConsumer: readonly [SeekConsumerRequest, SeekConsumerResponse];
  readonly deleteConsumer: readonly [DeleteConsumerRequest, DeleteConsumerResponse];
  readonly getStatus: readonly [GetStatusRequest, GetStatusResponse];
  readonly listNodes: readonly [ListNodesRequest, ListNodesResponse];
  readonly listMembers: readonly [ListMembersRequest, ListMembersResponse];
  readonly listMemberEvents: readonly [ListMemberEventsRequest, ListMemberEventsResponse];
  readonly reserveNode: readonly [ReserveNodeRequest, ReserveNodeResponse];
  readonly leaveNode: readonly [LeaveNodeRequest, LeaveNodeResponse];
  readonly replaceNode: readonly [ReplaceNodeRequest, ReplaceNodeResponse];
  readonly setReplicationFactor: readonly [SetReplicationFactorRequest, SetReplicationFactorResponse];
  readonly createKeyspace: readonly [CreateKeyspaceRequest, CreateKeyspaceResponse];
  readonly deleteKeyspace: readonly [DeleteKeyspaceRequest, DeleteKeyspaceResponse];
  readonly listKeyspaces: readonly [ListKeyspacesRequest, ListKeyspacesResponse];
  readonly listConflicts: readonly [ListConflictsRequest, ListConflictsResponse];
  readonly listHeld: readonly [ListHeldRequest, ListHeldResponse];
  readonly giveVerdict: readonly [GiveVerdictRequest, GiveVerdictResponse];
  readonly shutdown: readonly [ShutdownRequest, ShutdownResponse];
  readonly getMetrics: readonly [GetMetricsRequest, GetMetricsResponse];
  readonly checkpoint: readonly [CheckpointRequest, CheckpointResponse];
  readonly merge: readonly [MergeRequest, MergeResponse];
  readonly getChecksums: readonly [GetChecksumsRequest, GetChecksumsResponse];
  readonly getReplication: readonly [GetReplicationRequest, GetReplicationResponse];
  readonly pauseReplication: readonly [PauseReplicationRequest, PauseReplicationResponse];
  readonly getDiagnostics: readonly [GetDiagnosticsRequest, GetDiagnosticsResponse];
}

/** One request, a stream of answers. */
export interface StreamMethods {
  readonly range: readonly [RangeRequest, RangeResponse];
  readonly watch: readonly [WatchRequest, WatchResponse];
  readonly tailLog: readonly [LogTailRequest, LogTailResponse];
  readonly saveSnapshot: readonly [SaveSnapshotRequest, SaveSnapshotResponse];
  readonly readGroupLog: readonly [ReadGroupLogRequest, ReadGroupLogResponse];
}

/** The name of a unary method. */
export type UnaryMethod = keyof UnaryMethods;

/** The name of a streaming method. */
export type StreamMethod = keyof StreamMethods;

/** What a call hands to the network beside its message. */
export interface TransportCallOptions {
  /** Gives the call up; the promise or iteration then rejects. */
  readonly signal: AbortSignal;
  /** For the server to know: how long the caller will wait from now on. Absent: no limit. */
  readonly timeoutMs?: number;
}

/** Ways to servers. Owned by the client that was made with it; the client closes the channels it opened. */
export interface Transport {
  /** A channel to an address (`host:port`). Does not connect yet. Never fails. */
  open(endpoint: string): Channel;
  /** Keeps the process from ending while calls wait, until the returned function is called. Absent: nothing does. */
  keepAlive?(): () => void;
}

/** A way to one server, which connects when asked and connects again after it broke. */
export interface Channel {
  /**
   * Resolves when requests can be sent. Rejects with a `ClientError` of `sent: false` when a connection cannot be made,
   * after an attempt or two, not after for ever; with the signal's reason when it aborts.
   */
  ready(signal: AbortSignal): Promise<void>;
  /** Sends one request. Rejects with a `ClientError`. */
  call<Method extends UnaryMethod>(
    method: Method,
    request: UnaryMethods[Method][0],
    options: TransportCallOptions,
  ): Promise<UnaryMethods[Method][1]>;
  /**
   * Sends one request and gives its answers one at a time as the consumer asks: a consumer that stops costs a bounded
   * number of messages. Ends when the server ends the stream; throws a `ClientError` when it breaks. Returning from the
   * iteration cancels it.
   */
  stream<Method extends StreamMethod>(
    method: Method,
    request: StreamMethods[Method][0],
    options: TransportCallOptions,
  ): AsyncIterable<StreamMethods[Method][1]>;
  /** Opens the stream on which many requests travel. The listener is never called before this has returned. */
  pipeline(listener: PipelineListener<PipelineResponse>): PipelineStream<PipelineRequest>;
  /** The same for appends to named logs. */
  logPipeline(listener: PipelineListener<LogPipelineResponse>): PipelineStream<LogPipelineRequest>;
  /** Gives up whatever is open. Idempotent. */
  close(): void;
}

/** The sending half of a pipeline. */
export interface PipelineStream<Request> {
  /** Sends one message. False: the network is behind, wait for `onDrain` before the next. The message is not kept. */
  write(message: Request): boolean;
  /** No more requests; what is open is still answered, then `onEnd` comes. */
  end(): void;
  /** Gives up whatever is open. `onEnd` may or may not come. */
  cancel(): void;
}

/** The receiving half of a pipeline. */
export interface PipelineListener<Response> {
  onResponse(response: Response): void;
  onDrain(): void;
  /** Comes once, and nothing after it. Without an error the server ended the stream. */
  onEnd(error: ClientError | undefined): void;
}
