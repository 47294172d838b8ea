/**
 * The gRPC listener: the services, reflection and the standard health service on one port.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { AdminService, ClusterService, InternalService, KeyValueService, LogService } from '@shanghai/proto';
import { HealthImplementation } from 'grpc-health-check';
import type { ApiServices } from '../api-services.js';
import { adminService } from './admin-service.js';
import { clusterService } from './cluster-service.js';
import { healthDescription } from './health-description.js';
import { internalService } from './internal-service.js';
import { keyValueService } from './key-value-service.js';
import { logService } from './log-service.js';
import type { OpenPipelines } from './pipeline-call.js';
import { decodePutRequest, encodePutResponse } from './put-codec.js';
import { tolerantService } from './tolerant-service.js';

/** A gRPC listener that answers. */
export interface GrpcApi {
  readonly port: number;
  /** Says so on the health service; calls go on being answered until `close`. */
  markStopping(): void;
  /** Takes no new calls, lets those in flight end for up to `graceMs`, then cuts them off. Idempotent. */
  close(graceMs: number): Promise<void>;
}

const serviceNames = ['', 'shanghai.v1.KeyValue', 'shanghai.v1.Log', 'shanghai.v1.Cluster', 'shanghai.v1.Admin'];

/** Binds `host:port` (0 = any free port) and serves. Rejects with the errno where the port cannot be had. */
export async function openGrpcApi(services: ApiServices, host: string, port: number): Promise<GrpcApi> {
  // The library writes to standard error what it also throws.
  setLogVerbosity(logVerbosity.NONE);
  const { maxMessageBytes } = services.limits;
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.max_concurrent_streams': 4_096,
    // Two processes must not share a port by accident: the second one is told that it is in use.
    'grpc.so_reuseport': 0,
  });
  const pipelines: OpenPipelines = new Set();
  const put = { ...KeyValueService.put, requestDeserialize: decodePutRequest, responseSerialize: encodePutResponse };
  server.addService(tolerantService({ ...KeyValueService, put }), keyValueService(services, pipelines));
  server.addService(tolerantService(LogService), logService(services));
  server.addService(tolerantService(ClusterService), clusterService(services));
  server.addService(tolerantService(AdminService), adminService(services));
  server.addService(tolerantService(InternalService), internalService(services));
  addReflection(server);
  const health = new HealthImplementation(Object.fromEntries(serviceNames.map((name) => [name, 'SERVING'])));
  health.addToServer(server);
  const boundPort = await bind(server, host, port);
  let closing: Promise<void> | undefined;
  return {
    port: boundPort,
    markStopping() {
      for (const name of serviceNames) health.setStatus(name, 'NOT_SERVING');
    },
    close(graceMs) {
      closing ??= close(server, graceMs);
      for (const stop of [...pipelines]) stop();
      return closing;
    },
  };
}

function addReflection(server: Server): void {
  const path = createRequire(import.meta.url).resolve('@shanghai/proto/descriptors.binpb');
  const descriptors = loadFileDescriptorSetFromBuffer(readFileSync(path));
  new ReflectionService({ ...descriptors, ...healthDescription() }).addToServer(server);
}

function bind(server: Server, host: string, port: number): Promise<number> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error);
      else resolve(bound);
    });
  });
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
