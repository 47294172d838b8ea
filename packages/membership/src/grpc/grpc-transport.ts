/**
 * Members over gRPC: a stream to each node that there is something to say to, dialled from here; and whatever others
 * dialled. With a listener of its own, or as a service of a server that is there anyway. docs/protocols/CLUSTER.md has
 * the bytes.
 */
import {
  credentials as grpcCredentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
} from '@grpc/grpc-js';
import type { Timer } from '@shanghai/env';
import { MembershipError } from '../core/membership-error.js';
import type { Destination } from '../core/message.js';
import type { MembershipTransport, TransportHandlers } from '../ports/membership-transport.js';
import { channelOptions, membershipService } from './exchange-service.js';
import {
  type GrpcListenerOptions,
  type GrpcTransportLimits,
  type GrpcTransportOptions,
  type KeptConnections,
  resolveGrpcTransportLimits,
} from './grpc-transport-options.js';
import { checkSelf, helloAnswer, judgeHello, refusalMetadata } from './membership-hello.js';
import { type LinkSettings, OutgoingLink } from './outgoing-link.js';

/** A transport that is a service of somebody's server. */
export interface GrpcTransport extends MembershipTransport {
  /** Adds the service to a server that has not begun to serve. The server belongs to its owner, who closes it later. */
  addTo(server: Pick<Server, 'addService'>, connections?: KeptConnections): void;
}

/** A transport with a listener of its own. */
export interface ListeningGrpcTransport extends MembershipTransport {
  /** `host:port`, with the port that was bound. */
  readonly address: string;
}

/** A transport for a server that is there. Throws `TypeError` or `RangeError` for options that cannot work. */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  return new ExchangeTransport(options);
}

/**
 * Listens and returns. Rejects with `MembershipError` `LISTEN_FAILED` where the address cannot be had, and with `TypeError`
 * or `RangeError` for options that cannot work.
 */
export async function openGrpcTransport(options: GrpcListenerOptions): Promise<ListeningGrpcTransport> {
  const { host, port, serverCredentials = ServerCredentials.createInsecure() } = options;
  const transport = new ExchangeTransport(options);
  const server = new Server({
    ...channelOptions(resolveGrpcTransportLimits(options.limits)),
    'grpc.max_concurrent_streams': 16,
  });
  transport.addTo(server);
  const name = host.includes(':') ? `[${host}]` : host;
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${name}:${port}`, serverCredentials, (error, boundPort) => {
      if (error === null) resolve(boundPort);
      else
        reject(
          new MembershipError('LISTEN_FAILED', `'${name}:${port}' cannot be had: ${error.message}`, { cause: error }),
        );
    });
  });
  return {
    address: `${name}:${bound}`,
    open: (handlers) => transport.open(handlers),
    send: (to, frame) => transport.send(to, frame),
    close: async () => {
      await transport.close();
      server.forceShutdown();
    },
  };
}

type ExchangeCall = ServerDuplexStream<Uint8Array, Uint8Array>;

class ExchangeTransport implements GrpcTransport {
  readonly #options: GrpcTransportOptions;
  readonly #limits: GrpcTransportLimits;
  readonly #settings: LinkSettings;
  readonly #links = new Map<string, OutgoingLink>();
  /** One stream a node: a newer one takes the older one's place, which is dead or will be. */
  readonly #incoming = new Map<number, (code: status, reason: string) => void>();
  #connections: KeptConnections | undefined;
  #handlers: TransportHandlers | undefined;
  #resting: Timer | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: GrpcTransportOptions) {
    checkSelf(options.self);
    const { self, clock, book, credentials = grpcCredentials.createInsecure(), listener = {} } = options;
    this.#options = options;
    this.#limits = resolveGrpcTransportLimits(options.limits);
    this.#settings = { self, clock, book, credentials, listener, limits: this.#limits };
  }

  addTo(server: Pick<Server, 'addService'>, connections?: KeptConnections): void {
    this.#connections = connections;
    server.addService(membershipService, { exchange: (call: ExchangeCall) => this.#serve(call) });
  }

  open(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#restLater();
  }

  send(to: Destination, frame: Uint8Array): void {
    if (this.#closing !== undefined || this.#handlers === undefined) return;
    const key = `${to.nodeId} ${to.address}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      if (this.#links.size >= this.#limits.maxConnections) this.#dropOne();
      link = new OutgoingLink(this.#settings, to);
      this.#links.set(key, link);
    }
    link.send(frame);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#handlers = undefined;
    this.#resting?.cancel();
    for (const end of [...this.#incoming.values()]) end(status.UNAVAILABLE, 'this node closes');
    await Promise.all([...this.#links.values()].map((link) => link.close()));
    this.#links.clear();
  }

  /** Connections that nobody needs are closed now and then. */
  #restLater(): void {
    const { clock } = this.#options;
    const { idleMs } = this.#limits;
    this.#resting = clock.setTimer(idleMs / 2, () => {
      const beforeMs = clock.monotonicMs() - idleMs;
      for (const [key, link] of [...this.#links]) if (link.rest(beforeMs)) this.#links.delete(key);
      this.#restLater();
    });
  }

  #dropOne(): void {
    let oldest: [string, OutgoingLink] | undefined;
    for (const entry of this.#links) if (oldest === undefined || entry[1].usedMs < oldest[1].usedMs) oldest = entry;
    if (oldest === undefined) return;
    this.#links.delete(oldest[0]);
    void oldest[1].close();
  }

  #serve(call: ExchangeCall): void {
    const { self, book, listener = {} } = this.#options;
    const connections = this.#connections;
    if (this.#handlers === undefined) {
      end(call, status.UNAVAILABLE, 'this node does not take part now');
      return;
    }
    const address = call.getPeer();
    const outcome = judgeHello(call.metadata, self, book);
    if (outcome.refusal !== undefined) {
      const { nodeId, refusal, message } = outcome;
      listener.refused?.({ nodeId, address, reason: message, refusal, isByOther: false });
      const text = `node ${self.nodeId} refuses: ${message}`;
      end(call, status.FAILED_PRECONDITION, text, refusalMetadata(refusal));
      return;
    }
    call.on('close', () => connections?.release(address));
    call.sendMetadata(helloAnswer(self));
    connections?.keep(address);
    this.#admit(call, outcome.nodeId);
  }

  #admit(call: ExchangeCall, nodeId: number): void {
    const { listener = {} } = this.#options;
    this.#incoming.get(nodeId)?.(status.CANCELLED, 'a newer stream has taken the place of this one');
    let isOver = false;
    const finish = (code: status, reason: string) => {
      if (isOver) return;
      isOver = true;
      if (this.#incoming.get(nodeId) === finish) this.#incoming.delete(nodeId);
      listener.disconnected?.(nodeId, 'in', reason);
      end(call, code, reason);
    };
    this.#incoming.set(nodeId, finish);
    listener.connected?.(nodeId, 'in');
    call.on('data', (frame: Uint8Array) => {
      if (!isOver) this.#handlers?.onFrame(nodeId, frame);
    });
    call.on('end', () => finish(status.OK, 'it hung up'));
    call.on('error', () => finish(status.CANCELLED, 'the connection broke'));
    call.on('cancelled', () => finish(status.CANCELLED, 'the connection broke'));
  }
}

/** Ends a call with a status; nothing it does from then on counts. */
function end(call: ExchangeCall, code: status, details: string, metadata?: ReturnType<typeof refusalMetadata>): void {
  if (call.listenerCount('error') === 0) call.on('error', () => undefined);
  call.resume();
  if (code === status.OK) call.end();
  else if (!call.cancelled && !call.destroyed) {
    call.emit('error', { code, details, ...(metadata === undefined ? {} : { metadata }) });
  }
}
