import { credentials } from '@grpc/grpc-js';
import { KeyValueClient, LogClient } from '@shanghai/proto';
import { openGrpcApi } from '../src/api/grpc/grpc-api.js';
import { openHttpApi } from '../src/api/http/http-api.js';
import { ForwardingKeyValue } from '../src/forward/forwarding-key-value.js';
import { ForwardingLogs } from '../src/forward/forwarding-logs.js';
import { grpcLeaderCalls } from '../src/forward/grpc-leader-calls.js';
import type { LeaderCalls } from '../src/forward/leader-calls.js';
import type { LogRequests } from '../src/logs/log-requests.js';
import { notLeader } from '../src/raft/proposal-refusals.js';
import type { KeyValueRequests } from '../src/requests/key-value-requests.js';
import type { RequestContext } from '../src/requests/request-context.js';
import { testServices } from './api-services.js';
import { type HttpInput, type HttpResult, sendHttp } from './http-fixture.js';
import { createMemoryNode, type MemoryNode } from './memory-node.js';

/** A node that leads nothing, behind real listeners: it refuses what changes something and names another address. */
export interface Follower {
  readonly node: MemoryNode;
  readonly calls: LeaderCalls;
  readonly keyValue: KeyValueClient;
  readonly log: LogClient;
  readonly grpcAddress: string;
  /** How often it refused. */
  readonly refusals: number;
  send(method: string, path: string, input?: HttpInput): Promise<HttpResult>;
  metrics(): Promise<string>;
  close(): Promise<void>;
}

/** What the refusal names as the leader's HTTP address. */
export const leaderHttp = '127.0.0.9:8080';

/** Opens one that names `leader`, asked for at each refusal; `clusterId` is what it says of itself to others. */
export async function openFollower(leader: () => string, clusterId = 'c1', timeoutMs = 600_000): Promise<Follower> {
  const memory = createMemoryNode();
  let refusals = 0;
  const refuse = async (context: RequestContext): Promise<never> => {
    memory.seen.context = context;
    refusals++;
    const addresses = { grpcAddress: leader(), httpAddress: leaderHttp, peerAddress: '' };
    throw notLeader(1, 2, { nodeId: 2, name: 'two', instanceId: 'i2', ...addresses });
  };
  const calls = grpcLeaderCalls({ clusterId, nodeId: 7, timeoutMs });
  const { keyValue: reads, logs } = memory;
  const keyValueHere: KeyValueRequests = {
    openSession: (_ttlMs, context) => refuse(context),
    write: (_request, _write, context) => refuse(context),
    get: (key, read, context) => reads.get(key, read, context),
    range: (request, read, context) => reads.range(request, read, context),
    watch: (request, context) => reads.watch(request, context),
  };
  const logsHere: LogRequests = {
    create: (_name, _settings, context) => refuse(context),
    delete: (_name, context) => refuse(context),
    append: (_request, context) => refuse(context),
    appendPack: (_pack, context) => refuse(context),
    list: (prefix, context) => logs.list(prefix, context),
    describe: (name, context) => logs.describe(name, context),
    read: (request, context) => logs.read(request, context),
    tail: (request, context) => logs.tail(request, context),
  };
  const services = testServices({
    ...memory,
    keyValue: new ForwardingKeyValue(keyValueHere, calls),
    logs: new ForwardingLogs(logsHere, calls),
  });
  const grpc = await openGrpcApi(services, '127.0.0.1', 0);
  const http = await openHttpApi(services, '127.0.0.1', 0);
  const grpcAddress = `127.0.0.1:${grpc.port}`;
  const keyValue = new KeyValueClient(grpcAddress, credentials.createInsecure());
  const log = new LogClient(grpcAddress, credentials.createInsecure());
  return {
    node: memory,
    calls,
    keyValue,
    log,
    grpcAddress,
    get refusals() {
      return refusals;
    },
    send: (method, path, input) => sendHttp(http.port, method, path, input),
    metrics: () => services.metrics.text(),
    async close() {
      keyValue.close();
      log.close();
      calls.close();
      await Promise.all([grpc.close(0), http.close(0)]);
    },
  };
}
