import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerErrorResponse,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js';
import {
  type AdminServer,
  AdminService,
  type ClusterServer,
  ClusterService,
  errorTable,
  type KeyValueServer,
  KeyValueService,
  type LogPipelineRequest,
  type LogPipelineResponse,
  type LogServer,
  LogService,
  type PipelineRequest,
  type PipelineResponse,
  type PutRequest,
  type PutResponse,
  wireMetadata,
} from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import type { StreamMethod, StreamMethods, UnaryMethod, UnaryMethods } from '../transport.js';
import { detailOf, refusal } from './memory-error.js';
import { MemoryServer } from './memory-server.js';
import type { MemoryHost } from './memory-transport.js';

/** The memory server behind real gRPC, on a port of its own. Not exported: it needs grpc-js, and only our tests use it. */
export interface GrpcMemoryServer {
  readonly server: MemoryServer;
  /** What answers: the server, unless another host was given. */
  readonly host: MemoryHost;
  /** `127.0.0.1:port`. */
  readonly endpoint: string;
  /** Messages that came in on pipelines. */
  readonly pipelineMessages: () => number;
  /** Messages that streams have written so far. */
  readonly streamMessages: () => number;
  /** Streams that are open now. */
  readonly openStreams: () => number;
  /** Stops in good order: pipelines end by saying that nothing was done for what was not answered. */
  stop(): Promise<void>;
  /** Stops at once, as a process that was killed. */
  kill(): Promise<void>;
}

/** Starts one; `port` 0 takes a free one. */
export async function startGrpcMemoryServer(
  port = 0,
  server = new MemoryServer(),
  host: MemoryHost = server,
): Promise<GrpcMemoryServer> {
  const grpc = new Server({ 'grpc.max_receive_message_length': -1 });
  const counts = { pipeline: 0, stream: 0, open: 0 };
  const pipelines = new Set<ServerDuplexStream<PipelineRequest, PipelineResponse>>();
  const logPipelines = new Set<ServerDuplexStream<LogPipelineRequest, LogPipelineResponse>>();
  const { unary, streaming } = handlers(host, counts);
  const keyValue = {
    openSession: unary('openSession'),
    range: streaming('range'),
    watch: streaming('watch'),
    // The one unary operation that the benchmark compares with.
    put: ((call, callback) => {
      const { response } = host.pipeline({ id: 0n, request: { $case: 'put', value: call.request } });
      if (response?.$case === 'put') callback(null, response.value);
      else callback({ code: status.INTERNAL });
    }) satisfies handleUnaryCall<PutRequest, PutResponse>,
    pipeline: (call: ServerDuplexStream<PipelineRequest, PipelineResponse>) => {
      pipelines.add(call);
      call.once('close', () => pipelines.delete(call));
      servePipeline(host, counts, call);
    },
  } as unknown as KeyValueServer;
  const log = logHandlers(host, counts, logPipelines);
  const cluster: ClusterServer = {
    getStatus: unary('getStatus'),
    listNodes: unary('listNodes'),
    joinNode: (_call, callback) => callback({ code: status.UNIMPLEMENTED }),
    reserveNode: unary('reserveNode'),
    leaveNode: unary('leaveNode'),
    replaceNode: unary('replaceNode'),
    setReplicationFactor: unary('setReplicationFactor'),
    listMembers: unary('listMembers'),
    listMemberEvents: unary('listMemberEvents'),
  };
  const admin: AdminServer = {
    shutdown: unary('shutdown'),
    getMetrics: unary('getMetrics'),
    checkpoint: unary('checkpoint'),
    merge: unary('merge'),
    getChecksums: unary('getChecksums'),
    getDiagnostics: unary('getDiagnostics'),
    getReplication: unary('getReplication'),
    pauseReplication: unary('pauseReplication'),
    saveSnapshot: streaming('saveSnapshot'),
    readGroupLog: streaming('readGroupLog'),
  };
  grpc.addService(KeyValueService, keyValue);
  grpc.addService(LogService, log);
  grpc.addService(ClusterService, cluster);
  grpc.addService(AdminService, admin);
  const bound = await new Promise<number>((resolve, reject) => {
    grpc.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, actual) => {
      if (error === null) resolve(actual);
      else reject(error);
    });
  });
  return {
    server,
    host,
    endpoint: `127.0.0.1:${bound}`,
    pipelineMessages: () => counts.pipeline,
    streamMessages: () => counts.stream,
    openStreams: () => counts.open,
    stop: async () => {
      for (const call of [...pipelines, ...logPipelines])
        call.emit('error', grpcError(refusal('SERVICE_UNAVAILABLE', 'the node is closing')));
      await new Promise((resolve) => grpc.tryShutdown(resolve));
    },
    kill: async () => {
      grpc.forceShutdown();
      await new Promise((resolve) => grpc.tryShutdown(resolve));
    },
  };
}

function logHandlers(
  host: MemoryHost,
  counts: { pipeline: number; stream: number; open: number },
  logPipelines: Set<ServerDuplexStream<LogPipelineRequest, LogPipelineResponse>>,
): LogServer {
  const { unary, streaming } = handlers(host, counts);
  return {
    createLog: unary('createLog'),
    listLogs: unary('listLogs'),
    describeLog: unary('describeLog'),
    deleteLog: unary('deleteLog'),
    append: unary('appendLog'),
    read: unary('readLog'),
    tail: streaming('tailLog'),
    pipeline: (call) => {
      logPipelines.add(call);
      call.once('close', () => logPipelines.delete(call));
      serveLogPipeline(host, counts, call);
    },
    trimLog: unary('trimLog'),
    describeProducer: unary('describeProducer'),
    commitPosition: unary('commitPosition'),
    getPosition: unary('getPosition'),
    listConsumers: unary('listConsumers'),
    seekConsumer: unary('seekConsumer'),
    deleteConsumer: unary('deleteConsumer'),
  };
}

function handlers(server: MemoryHost, counts: { stream: number; open: number }) {
  const unary =
    <Method extends UnaryMethod>(method: Method): handleUnaryCall<UnaryMethods[Method][0], UnaryMethods[Method][1]> =>
    (call, callback) => {
      try {
        callback(null, server.unary(method, call.request));
      } catch (error) {
        callback(grpcError(error));
      }
    };
  const streaming =
    <Method extends StreamMethod>(
      method: Method,
    ): handleServerStreamingCall<StreamMethods[Method][0], StreamMethods[Method][1]> =>
    (call) =>
      void serveStream(server, method, counts, call);
  return { unary, streaming };
}

async function serveStream<Method extends StreamMethod>(
  server: MemoryHost,
  method: Method,
  counts: { stream: number; open: number },
  call: ServerWritableStream<StreamMethods[Method][0], StreamMethods[Method][1]>,
): Promise<void> {
  const controller = new AbortController();
  call.on('cancelled', () => controller.abort());
  counts.open++;
  try {
    for await (const message of server.stream(method, call.request, controller.signal)) {
      counts.stream++;
      if (call.write(message)) continue;
      await new Promise<void>((resolve) => {
        const goOn = () => {
          controller.signal.removeEventListener('abort', goOn);
          resolve();
        };
        call.once('drain', goOn);
        controller.signal.addEventListener('abort', goOn, { once: true });
      });
      if (controller.signal.aborted) break;
    }
    call.end();
  } catch (error) {
    call.emit('error', grpcError(error));
  } finally {
    counts.open--;
  }
}

function servePipeline(
  server: MemoryHost,
  counts: { pipeline: number },
  call: ServerDuplexStream<PipelineRequest, PipelineResponse>,
): void {
  call.on('data', (message: PipelineRequest) => {
    counts.pipeline++;
    if (message.request?.$case !== 'group') {
      call.write(server.pipeline(message));
      return;
    }
    const responses = message.request.value.requests.map((request) => server.pipeline(request));
    call.write({ id: 0n, response: { $case: 'answers', value: { responses } } });
  });
  call.on('end', () => call.end());
}

function serveLogPipeline(
  server: MemoryHost,
  counts: { pipeline: number },
  call: ServerDuplexStream<LogPipelineRequest, LogPipelineResponse>,
): void {
  const answer = ({ id, request }: LogPipelineRequest): LogPipelineResponse => {
    try {
      if (request?.$case !== 'append') throw refusal('INVALID_REQUEST', 'no append');
      return { id, response: { $case: 'append', value: server.unary('appendLog', request.value) } };
    } catch (error) {
      return { id, response: { $case: 'error', value: detailOf(error) } };
    }
  };
  call.on('data', (message: LogPipelineRequest) => {
    counts.pipeline++;
    const requests = message.request?.$case === 'group' ? message.request.value.requests : [message];
    call.write({ id: 0n, response: { $case: 'answers', value: { responses: requests.map(answer) } } });
  });
  call.on('end', () => call.end());
}

function grpcError(error: unknown): ServerErrorResponse {
  if (!(error instanceof ClientError)) return Object.assign(new Error('failed'), { code: status.INTERNAL });
  const metadata = new Metadata();
  metadata.set(wireMetadata.errorCode, error.code);
  metadata.set(wireMetadata.errorDetails, Buffer.from(JSON.stringify(error.details)));
  return Object.assign(new Error(error.message), {
    code: errorTable[error.code].grpc,
    details: error.message,
    metadata,
  });
}
