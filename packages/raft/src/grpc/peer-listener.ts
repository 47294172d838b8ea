/**
 * The sockets on which peers dial. They are accepted here and not by the gRPC library, which lets go of a socket only when
 * the other side does too: behind a network that swallows everything, sockets would pile up and closing would not end. A
 * connection that carries no stream is cut after a while, whoever it is; closing cuts all. Where there are too many, the
 * oldest one without a stream makes place: a flood of strangers keeps no peer out.
 */
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Clock, Timer } from '@shanghai/env';
import { PeerError } from '../wire/peer-error.js';

/** Far more than a cluster needs: three for each peer, and what is being replaced. */
const maxConnections = 1_024;

interface Connection {
  readonly socket: Socket;
  /** Streams of peers who were let in. */
  streams: number;
  cutting: Timer | undefined;
}

/** Accepts connections and hands them to a gRPC server. */
export class PeerListener {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #net: NetServer;
  readonly #connections = new Map<string, Connection>();

  constructor(server: Server, credentials: ServerCredentials, clock: Clock, idleMs: number) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    const injector = server.createConnectionInjector(credentials);
    this.#net = createServer({ noDelay: true }, (socket) => {
      if (this.#connections.size >= maxConnections && !this.#makePlace()) {
        socket.destroy();
        return;
      }
      this.#accept(socket);
      injector.injectConnection(socket);
    });
  }

  /** Resolves to the port. Rejects with `PeerError` `LISTEN_FAILED`. */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#net.once('error', (error) => {
        reject(
          new PeerError('LISTEN_FAILED', `peers cannot be listened for on '${host}' port ${port}: ${error.message}`, {
            cause: error,
          }),
        );
      });
      this.#net.listen(port, host, () => {
        const address = this.#net.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /** A peer was let in on the connection from `address`, as gRPC names it. */
  keep(address: string): void {
    const connection = this.#connections.get(address);
    if (connection === undefined) return;
    connection.streams++;
    connection.cutting?.cancel();
  }

  /** Its stream has ended. */
  release(address: string): void {
    const connection = this.#connections.get(address);
    if (connection !== undefined && --connection.streams === 0) this.#cutLater(connection);
  }

  /** Cuts everything; resolves when the port is free. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#net.close(() => resolve());
      for (const { socket } of this.#connections.values()) socket.destroy();
    });
  }

  #accept(socket: Socket): void {
    const address = `${socket.remoteAddress}:${socket.remotePort}`;
    const connection: Connection = { socket, streams: 0, cutting: undefined };
    this.#connections.set(address, connection);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      connection.cutting?.cancel();
      if (this.#connections.get(address) === connection) this.#connections.delete(address);
    });
    this.#cutLater(connection);
  }

  /** Whether there was a connection without a stream to cut. */
  #makePlace(): boolean {
    for (const [address, { socket, streams, cutting }] of this.#connections) {
      if (streams > 0) continue;
      cutting?.cancel();
      this.#connections.delete(address);
      socket.destroy();
      return true;
    }
    return false;
  }

  #cutLater(connection: Connection): void {
    connection.cutting = this.#clock.setTimer(this.#idleMs, () => connection.socket.destroy());
  }
}
