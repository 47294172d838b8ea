/**
 * The transport of replication over gRPC. Out: a session with each source, dialled from here. In: whatever followers dial.
 * docs/protocols/REPLICATION.md has the bytes.
 */
import { credentials as grpcCredentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { ReplicationError } from '../core/replication-error.js';
import type { ReplicationPeer, ReplicationTransport, TransportHandlers } from '../ports/replication-transport.js';
import { connectionOptions, type DialSettings } from './dialled-session.js';
import { Dialler } from './dialler.js';
import { type GrpcReplicationOptions, resolveGrpcReplicationLimits } from './grpc-replication-options.js';
import { checkSelf } from './hello.js';
import { type LaneCall, replicationService } from './replication-service.js';
import { type ConnectionUse, SourceSessions } from './source-sessions.js';

/** A transport, and where it can be reached. */
export interface GrpcReplication extends ReplicationTransport {
  /** Serves followers on a server that somebody else opens and closes; before it is started. `connections`: told of streams there. */
  addTo(server: Server, connections?: ConnectionUse): void;
  /** Serves followers on a listener of its own. Resolves to `host:port`. Rejects with the library's error where the address cannot be had. */
  listen(host: string, port: number): Promise<string>;
}

/** Throws `TypeError` or `RangeError` for options that cannot work. */
export function createGrpcReplication(options: GrpcReplicationOptions): GrpcReplication {
  checkSelf(options.self);
  return new Transport(options);
}

class Transport implements GrpcReplication {
  readonly #options: GrpcReplicationOptions;
  readonly #dial: DialSettings;
  readonly #dialled = new Map<number, Dialler>();
  readonly #servers: Server[] = [];
  readonly #incoming: SourceSessions[] = [];
  #peers: readonly ReplicationPeer[] = [];
  #handlers: TransportHandlers | undefined;
  #isClosed = false;

  constructor(options: GrpcReplicationOptions) {
    this.#options = options;
    const limits = resolveGrpcReplicationLimits(options.limits);
    const credentials = options.credentials?.client ?? grpcCredentials.createInsecure();
    this.#dial = { options, limits, credentials, handlers: () => this.#handlers };
  }

  addTo(server: Server, connections?: ConnectionUse): void {
    const { limits } = this.#dial;
    const incoming = new SourceSessions({
      options: this.#options,
      limits,
      connections,
      handlers: () => this.#handlers,
    });
    this.#incoming.push(incoming);
    server.addService(replicationService, {
      control: (call: LaneCall) => incoming.serve('control', call),
      data: (call: LaneCall) => incoming.serve('data', call),
    });
  }

  listen(host: string, port: number): Promise<string> {
    if (this.#isClosed) return Promise.reject(new ReplicationError('CLOSED', 'the transport is closed'));
    const server = new Server({ ...connectionOptions(this.#dial.limits), 'grpc.max_concurrent_streams': 16 });
    this.addTo(server);
    this.#servers.push(server);
    const at = host.includes(':') ? `[${host}]` : host;
    const credentials = this.#options.credentials?.server ?? ServerCredentials.createInsecure();
    return new Promise((resolve, reject) => {
      server.bindAsync(`${at}:${port}`, credentials, (error, bound) => {
        if (error === null) resolve(`${at}:${bound}`);
        else reject(error);
      });
    });
  }

  open(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.setPeers(this.#peers);
  }

  setPeers(peers: readonly ReplicationPeer[]): void {
    this.#peers = peers;
    if (this.#handlers === undefined) return;
    const wanted = new Map(peers.map((peer) => [peer.nodeId, peer]));
    for (const [nodeId, dialler] of this.#dialled) {
      if (wanted.get(nodeId)?.address === dialler.address) continue;
      dialler.close();
      this.#dialled.delete(nodeId);
    }
    for (const [nodeId, peer] of wanted) {
      if (!this.#dialled.has(nodeId)) this.#dialled.set(nodeId, new Dialler(this.#dial, peer));
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#handlers = undefined;
    for (const dialler of this.#dialled.values()) dialler.close();
    this.#dialled.clear();
    for (const incoming of this.#incoming) incoming.close();
    for (const server of this.#servers) server.forceShutdown();
  }
}
