import {
  type CallOptions,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  connectivityState,
  type ClientOptions as GrpcClientOptions,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Clock } from '@shanghai/env';
import {
  AdminClient,
  ClusterClient,
  KeyspacesClient,
  KeyValueClient,
  LogClient,
  type LogPipelineRequest,
  type LogPipelineResponse,
  type PipelineRequest,
  type PipelineResponse,
} from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import type {
  Channel,
  PipelineListener,
  PipelineStream,
  StreamMethod,
  StreamMethods,
  TransportCallOptions,
  UnaryMethod,
  UnaryMethods,
} from '../transport.js';
import { errorOfGrpc } from './grpc-failure.js';
import { decodePipelineResponse, encodePipelineRequest } from './pipeline-codec.js';
import { unreachableReason } from './unreachable-reason.js';

/** What channels of one transport share. */
export interface GrpcChannelSettings {
  readonly credentials: ChannelCredentials;
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  readonly channelOptions: GrpcClientOptions;
}

/** How long a connection that failed the last time is waited for. */
const secondChanceMs = 250;

type UnaryCaller<Method extends UnaryMethod> = (
  request: UnaryMethods[Method][0],
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: UnaryMethods[Method][1]) => void,
) => ClientUnaryCall;

type StreamCaller<Method extends StreamMethod> = (
  request: StreamMethods[Method][0],
) => ClientReadableStream<StreamMethods[Method][1]>;

/** One server over gRPC: one HTTP/2 connection that all services share. */
export class GrpcChannel implements Channel {
  readonly #endpoint: string;
  readonly #settings: GrpcChannelSettings;
  readonly #keyValue: KeyValueClient;
  readonly #log: LogClient;
  readonly #unary: { readonly [Method in UnaryMethod]: UnaryCaller<Method> };
  readonly #streams: { readonly [Method in StreamMethod]: StreamCaller<Method> };
  /** Why the last attempt at a connection failed, where that is known. */
  #lastReason: string | undefined;

  constructor(endpoint: string, settings: GrpcChannelSettings) {
    this.#endpoint = endpoint;
    this.#settings = settings;
    const keyValue = new KeyValueClient(endpoint, settings.credentials, settings.channelOptions);
    const shared = { channelOverride: keyValue.getChannel() };
    const log = new LogClient(endpoint, settings.credentials, shared);
    const cluster = new ClusterClient(endpoint, settings.credentials, shared);
    const keyspaces = new KeyspacesClient(endpoint, settings.credentials, shared);
    const admin = new AdminClient(endpoint, settings.credentials, shared);
    this.#keyValue = keyValue;
    this.#log = log;
    this.#unary = {
      openSession: keyValue.openSession.bind(keyValue),
      createLog: log.createLog.bind(log),
      listLogs: log.listLogs.bind(log),
      describeLog: log.describeLog.bind(log),
      deleteLog: log.deleteLog.bind(log),
      appendLog: log.append.bind(log),
      readLog: log.read.bind(log),
      trimLog: log.trimLog.bind(log),
      describeProducer: log.describeProducer.bind(log),
      commitPosition: log.commitPosition.bind(log),
      getPosition: log.getPosition.bind(log),
      listConsumers: log.listConsumers.bind(log),
      seekConsumer: log.seekConsumer.bind(log),
      deleteConsumer: log.deleteConsumer.bind(log),
      getStatus: cluster.getStatus.bind(cluster),
      listNodes: cluster.listNodes.bind(cluster),
      listMembers: cluster.listMembers.bind(cluster),
      listMemberEvents: cluster.listMemberEvents.bind(cluster),
      reserveNode: cluster.reserveNode.bind(cluster),
      leaveNode: cluster.leaveNode.bind(cluster),
      replaceNode: cluster.replaceNode.bind(cluster),
      setReplicationFactor: cluster.setReplicationFactor.bind(cluster),
      createKeyspace: keyspaces.createKeyspace.bind(keyspaces),
      deleteKeyspace: keyspaces.deleteKeyspace.bind(keyspaces),
      listKeyspaces: keyspaces.listKeyspaces.bind(keyspaces),
      listConflicts: keyspaces.listConflicts.bind(keyspaces),
      listHeld: keyspaces.listHeld.bind(keyspaces),
      giveVerdict: keyspaces.giveVerdict.bind(keyspaces),
      shutdown: admin.shutdown.bind(admin),
      getMetrics: admin.getMetrics.bind(admin),
      checkpoint: admin.checkpoint.bind(admin),
      merge: admin.merge.bind(admin),
      getChecksums: admin.getChecksums.bind(admin),
      getDiagnostics: admin.getDiagnostics.bind(admin),
      getReplication: admin.getReplication.bind(admin),
      pauseReplication: admin.pauseReplication.bind(admin),
    };
    this.#streams = {
      range: (request) => keyValue.range(request),
      watch: (request) => keyValue.watch(request),
      tailLog: (request) => log.tail(request),
      saveSnapshot: (request) => admin.saveSnapshot(request),
      readGroupLog: (request) => admin.readGroupLog(request),
    };
  }

  ready(signal: AbortSignal): Promise<void> {
    const channel = this.#keyValue.getChannel();
    const { clock, connectTimeoutMs } = this.#settings;
    const first = channel.getConnectivityState(true);
    if (first === connectivityState.READY) return Promise.resolve();
    // A channel that failed before stays in that state while it tries again, until it succeeds.
    const failedBefore = first === connectivityState.TRANSIENT_FAILURE;
    const waitMs = failedBefore ? Math.min(connectTimeoutMs, secondChanceMs) : connectTimeoutMs;
    const deadlineMs = clock.nowMs() + waitMs;
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal.reason);
      const settle = (error?: ClientError) => {
        signal.removeEventListener('abort', onAbort);
        if (error === undefined) resolve();
        else reject(error);
      };
      const watch = (state: connectivityState) => {
        channel.watchConnectivityState(state, deadlineMs, (late) => {
          if (signal.aborted) return;
          const next = channel.getConnectivityState(true);
          if (next === connectivityState.READY) settle();
          else if (late !== undefined && late !== null)
            settle(
              this.#unreachable(this.#lastReason ?? `no connection within ${waitMs} ms; is a node running there?`),
            );
          else if (next === connectivityState.TRANSIENT_FAILURE) this.#askReason(settle);
          else if (next === connectivityState.SHUTDOWN)
            settle(this.#unreachable(this.#lastReason ?? 'its channel was closed'));
          else watch(next);
        });
      };
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else watch(first);
    });
  }

  call<Method extends UnaryMethod>(
    method: Method,
    request: UnaryMethods[Method][0],
    { signal, timeoutMs }: TransportCallOptions,
  ): Promise<UnaryMethods[Method][1]> {
    const options = timeoutMs === undefined ? {} : { deadline: this.#settings.clock.nowMs() + timeoutMs };
    return new Promise((resolve, reject) => {
      const onAbort = () => call.cancel();
      const call = this.#unary[method](request, new Metadata(), options, (error, response) => {
        signal.removeEventListener('abort', onAbort);
        if (error === null) resolve(response);
        else reject(errorOfGrpc(error, this.#endpoint));
      });
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }

  async *stream<Method extends StreamMethod>(
    method: Method,
    request: StreamMethods[Method][0],
    { signal }: TransportCallOptions,
  ): AsyncGenerator<StreamMethods[Method][1], void, undefined> {
    const call = this.#streams[method](request);
    const onAbort = () => call.cancel();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      for await (const message of call) yield message as StreamMethods[Method][1];
    } catch (error) {
      throw errorOfGrpc(error, this.#endpoint);
    } finally {
      signal.removeEventListener('abort', onAbort);
      // Leaving the iteration destroys the readable, but only this tells the server. What is cancelled errs once more.
      call.on('error', () => {});
      call.cancel();
    }
  }

  pipeline(listener: PipelineListener<PipelineResponse>): PipelineStream<PipelineRequest> {
    const { path } = KeyValueClient.service.pipeline;
    const call = this.#keyValue.makeBidiStreamRequest(path, encodePipelineRequest, decodePipelineResponse);
    return new GrpcPipelineStream(call, listener, this.#endpoint);
  }

  logPipeline(listener: PipelineListener<LogPipelineResponse>): PipelineStream<LogPipelineRequest> {
    return new GrpcPipelineStream(this.#log.pipeline(), listener, this.#endpoint);
  }

  close(): void {
    this.#keyValue.close();
  }

  /**
   * The state of a channel does not say why it failed; a call on it does, at once and without being sent. Should a
   * connection stand after all, it asks for something harmless.
   */
  #askReason(settle: (error?: ClientError) => void): void {
    const deadline = this.#settings.clock.nowMs() + secondChanceMs;
    this.#unary.getStatus({}, new Metadata(), { deadline }, (error) => {
      if (error === null) return settle();
      this.#lastReason = unreachableReason(error.details);
      settle(this.#unreachable(this.#lastReason));
    });
  }

  #unreachable(reason: string): ClientError {
    return new ClientError('SERVICE_UNAVAILABLE', `'${this.#endpoint}' cannot be reached: ${reason}`, {
      sent: false,
      details: { endpoint: this.#endpoint },
      waitedIn: 'connection',
    });
  }
}

class GrpcPipelineStream<Request, Response> implements PipelineStream<Request> {
  readonly #call: ClientDuplexStream<Request, Response>;

  constructor(call: ClientDuplexStream<Request, Response>, listener: PipelineListener<Response>, endpoint: string) {
    this.#call = call;
    let failure: ClientError | undefined;
    call.on('data', (response: Response) => listener.onResponse(response));
    call.on('drain', () => listener.onDrain());
    call.on('error', (error) => {
      failure = errorOfGrpc(error, endpoint);
    });
    // Comes behind the last answer and behind the error, where there is one.
    call.on('end', () => listener.onEnd(failure));
  }

  write(message: Request): boolean {
    return this.#call.write(message);
  }

  end(): void {
    this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }
}
