/**
 * The gRPC listener: the services, reflection and the standard health service on one port.
 */
import { createServer, type Server as NetServer } from 'node:net';
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js';
import {
  AdminService,
  ClusterService,
  InternalService,
  KeyspacesService,
  KeyValueService,
  LogService,
} from '@shanghai/proto';
import type { ApiServices } from '../api-services.js';
import type { ConnectionGuard } from '../connections/connection-guard.js';
import { countedCalls } from '../connections/counted-calls.js';
import { stopAccepting } from '../connections/stop-accepting.js';
import { adminService } from './admin-service.js';
import { clusterService } from './cluster-service.js';
import { HealthService } from './health-service.js';
import { internalService } from './internal-service.js';
import { keyValueService } from './key-value-service.js';
import { keyspacesService } from './keyspaces-service.js';
import { logService } from './log-service.js';
import { pipelineRequestDecoder } from './pipeline-codec.js';
import type { OpenPipelines } from './pipelined-calls.js';
import { decodePutRequest, encodePutResponse } from './put-codec.js';
import { addReflection } from './reflection-service.js';
import { tolerantService } from './tolerant-service.js';

/** A gRPC listener that answers. */
export interface GrpcApi {
  readonly port: number;
  /** Says so on the health service; calls go on being answered until `close`. */
  markStopping(): void;
  /** Takes no new calls, lets those in flight end for up to `graceMs`, then cuts them off. Idempotent. */
  close(graceMs: number): Promise<void>;
}

/** Services that serve while the node is ready, among them the server as a whole … */
const readyServices = ['', 'shanghai.v1.KeyValue', 'shanghai.v1.Keyspaces', 'shanghai.v1.Log'];
/** … and those that serve until it stops. */
const aliveServices = ['shanghai.v1.Cluster', 'shanghai.v1.Admin'];

/** Binds `host:port` (0 = any free port) and serves. Rejects with the errno where the port cannot be had. */
export async function openGrpcApi(services: ApiServices, host: string, port: number): Promise<GrpcApi> {
  // The library writes to standard error what it also throws.
  setLogVerbosity(logVerbosity.NONE);
  const { maxMessageBytes, maxOperations } = services.limits;
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.max_concurrent_streams': 4_096,
    interceptors: [countedCalls(services.guards.receiving)],
    'grpc.enable_channelz': 0,
  });
  const pipelines: OpenPipelines = new Set();
  const put = { ...KeyValueService.put, requestDeserialize: decodePutRequest, responseSerialize: encodePutResponse };
  const pipeline = { ...KeyValueService.pipeline, requestDeserialize: pipelineRequestDecoder(maxOperations) };
  server.addService(
    tolerantService({ ...KeyValueService, put, pipeline }, maxOperations, ['put', 'pipeline']),
    keyValueService(services, pipelines),
  );
  server.addService(tolerantService(LogService, maxOperations), logService(services, pipelines));
  server.addService(tolerantService(KeyspacesService, maxOperations), keyspacesService(services));
  server.addService(tolerantService(ClusterService, maxOperations), clusterService(services));
  server.addService(tolerantService(AdminService, maxOperations), adminService(services));
  server.addService(tolerantService(InternalService, maxOperations), internalService(services));
  addReflection(server);
  const health = new HealthService();
  for (const name of aliveServices) health.set(name, 'SERVING');
  const setReady = (isReady: boolean) => {
    for (const name of readyServices) health.set(name, isReady ? 'SERVING' : 'NOT_SERVING');
  };
  setReady(services.health.checks().every(({ ok }) => ok));
  const forgetReadiness = services.health.onReadiness(setReady);
  health.addTo(server);
  const guard = services.guards.grpc;
  const net = createListener(server, guard);
  const boundPort = await listen(net, host, port);
  let closing: Promise<void> | undefined;
  return {
    port: boundPort,
    markStopping() {
      forgetReadiness();
      for (const name of [...readyServices, ...aliveServices]) health.set(name, 'NOT_SERVING');
    },
    close(graceMs) {
      closing ??= close(server, net, guard, graceMs);
      for (const stop of [...pipelines]) stop();
      return closing;
    },
  };
}

/** The library can listen itself, but then nobody can say how many may connect. */
function createListener(server: Server, guard: ConnectionGuard): NetServer {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return createServer({ noDelay: true }, (socket) => {
    if (guard.admit(socket)) injector.injectConnection(socket);
  });
}

function listen(net: NetServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    net.once('error', reject);
    net.listen(port, host, () => {
      net.removeListener('error', reject);
      const address = net.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

async function close(server: Server, net: NetServer, guard: ConnectionGuard, graceMs: number): Promise<void> {
  const isFree = new Promise<void>((resolve) => void net.once('close', resolve));
  await stopAccepting(net);
  await new Promise<void>((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      guard.close();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
  guard.close();
  await isFree;
}
