import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { AdminClient, ClusterClient, KeyValueClient, LogClient, wireMetadata } from '@shanghai/proto';
import type { ApiLimits } from '../src/api/api-services.js';
import { type GrpcApi, openGrpcApi } from '../src/api/grpc/grpc-api.js';
import { type TestServices, testServices } from './api-services.js';
import { createMemoryNode, type MemoryNode } from './memory-node.js';

/** A memory node behind a real gRPC listener, with clients. */
export interface GrpcFixture {
  readonly node: MemoryNode;
  readonly services: TestServices;
  readonly api: GrpcApi;
  readonly keyValue: KeyValueClient;
  readonly log: LogClient;
  readonly cluster: ClusterClient;
  readonly admin: AdminClient;
  readonly address: string;
  close(): Promise<void>;
}

export async function openGrpcFixture(limits: Partial<ApiLimits> = {}): Promise<GrpcFixture> {
  const node = createMemoryNode();
  const services = testServices(node, limits);
  const api = await openGrpcApi(services, '127.0.0.1', 0);
  const address = `127.0.0.1:${api.port}`;
  const insecure = credentials.createInsecure();
  const options = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
  const clients = {
    keyValue: new KeyValueClient(address, insecure, options),
    log: new LogClient(address, insecure, options),
    cluster: new ClusterClient(address, insecure, options),
    admin: new AdminClient(address, insecure, options),
  };
  return {
    node,
    services,
    api,
    address,
    ...clients,
    async close() {
      for (const client of Object.values(clients)) client.close();
      await api.close(0);
    },
  };
}

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline?: number },
  callback: (error: ServiceError | null, response: Response) => void,
) => { on(event: 'metadata', listener: (metadata: Metadata) => void): unknown; cancel(): void };

/** Calls a unary procedure of a client. */
export function call<Request, Response>(
  method: Unary<Request, Response>,
  client: object,
  request: Request,
  metadata: Record<string, string> = {},
  deadlineMs?: number,
): Promise<Response> & { cancel(): void; headers(): Promise<Metadata> } {
  const sent = new Metadata();
  for (const [name, value] of Object.entries(metadata)) sent.set(name, value);
  let cancel = () => {};
  let headers: Promise<Metadata> = Promise.resolve(new Metadata());
  const promise = new Promise<Response>((resolve, reject) => {
    const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
    const started = method.call(client, request, sent, options, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
    cancel = () => started.cancel();
    headers = new Promise((known) => void started.on('metadata', known));
  });
  return Object.assign(promise, { cancel: () => cancel(), headers: () => headers });
}

/** The failure of a call as its trailers tell it. */
export async function failureOf(promise: Promise<unknown>) {
  try {
    await promise;
  } catch (error) {
    const { code, details, metadata } = error as ServiceError;
    const json = metadata.get(wireMetadata.errorDetails)[0];
    return {
      grpc: code,
      message: details,
      code: metadata.get(wireMetadata.errorCode)[0],
      correlationId: metadata.get(wireMetadata.correlationId)[0],
      leader: metadata.get(wireMetadata.leader)[0],
      details: json === undefined ? undefined : JSON.parse(json.toString()),
    };
  }
  throw new Error('the call succeeded');
}
