/**
 * How many connections a listener has. A flood must neither use up memory and descriptors nor keep others out: at the
 * limit, connections that carry nothing make place for the new one; only where all are at work is the new one refused.
 *
 * A connection is at work while a request or a stream is open on it, and for a while after bytes were read from it or
 * written to it. Who connects and then says nothing is cut sooner.
 */
import type { Socket } from 'node:net';
import type { Metrics } from '@shanghai/telemetry';

/** What a guard is made with. Times in milliseconds. */
export interface ConnectionGuardOptions {
  readonly maxConnections: number;
  /** How long a new connection may take to send `handshakeBytes`. */
  readonly handshakeMs: number;
  readonly handshakeBytes: number;
  /** A connection on which nothing went for so long may have to make place. */
  readonly quietMs: number;
  readonly monotonicMs: () => number;
  /** Told of every change of the number, and of every connection that was cut or refused. */
  readonly listener: ConnectionListener;
}

/** What is told of connections. */
export interface ConnectionListener {
  changed(open: number): void;
  cut(reason: CutReason): void;
}

/** `limit`: refused, there are too many. `quiet`: made place for another one. `handshake`: said nothing. */
export type CutReason = 'limit' | 'quiet' | 'handshake';

interface Connection {
  readonly socket: Socket;
  /** Requests and streams that are open on it. */
  open: number;
  bytes: number;
  activeMs: number;
}

/** Looks for quiet connections happen so often at most. */
const sampleMs = 1_000;
/** This share of the limit makes place at once, so that a flood does not look through all at every connection. */
const evictedShare = 1 / 32;

/** The connections of one listener. */
export class ConnectionGuard {
  readonly #options: ConnectionGuardOptions;
  readonly #connections = new Map<string, Connection>();
  #sampler: NodeJS.Timeout | undefined;
  #searchedMs = Number.NEGATIVE_INFINITY;

  constructor(options: ConnectionGuardOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** A connection that was accepted; false where it was refused, and is closed by now. */
  admit(socket: Socket): boolean {
    const { maxConnections, listener, monotonicMs } = this.#options;
    socket.on('error', () => undefined);
    if (this.#connections.size >= maxConnections && !this.#makePlace()) {
      listener.cut('limit');
      socket.destroy();
      return false;
    }
    const address = `${socket.remoteAddress}:${socket.remotePort}`;
    const connection: Connection = { socket, open: 0, bytes: 0, activeMs: monotonicMs() };
    this.#connections.set(address, connection);
    const handshake = this.#awaitHandshake(connection);
    socket.once('close', () => {
      clearTimeout(handshake);
      if (this.#connections.get(address) === connection) this.#forget(address);
    });
    listener.changed(this.#connections.size);
    this.#sample();
    return true;
  }

  /** Something was opened on the connection from `address`, as `host:port`; the returned function says that it ended. */
  hold(address: string): () => void {
    const connection = this.#connections.get(address);
    if (connection === undefined) return () => undefined;
    connection.open++;
    let isHeld = true;
    return () => {
      if (isHeld) {
        connection.open--;
        connection.activeMs = this.#options.monotonicMs();
      }
      isHeld = false;
    };
  }

  /** Hangs up where nothing is open and nothing was for `quietMs`. Gives how many connections are left. */
  hangUpQuiet(quietMs: number): number {
    const latestMs = this.#options.monotonicMs() - quietMs;
    for (const { socket, open, activeMs } of this.#connections.values()) {
      if (open === 0 && activeMs <= latestMs) socket.destroySoon();
    }
    return this.#connections.size;
  }

  /** Cuts all that there are. */
  close(): void {
    for (const { socket } of this.#connections.values()) socket.destroy();
    clearInterval(this.#sampler);
  }

  #forget(address: string): void {
    this.#connections.delete(address);
    this.#options.listener.changed(this.#connections.size);
  }

  #awaitHandshake({ socket }: Connection): NodeJS.Timeout {
    const { handshakeMs, handshakeBytes, listener } = this.#options;
    return setTimeout(() => {
      if (socket.bytesRead >= handshakeBytes) return;
      listener.cut('handshake');
      socket.destroy();
    }, handshakeMs).unref();
  }

  /** Notes who is active, for as long as place may become short. */
  #sample(): void {
    const { maxConnections, monotonicMs } = this.#options;
    if (this.#sampler !== undefined || this.#connections.size < maxConnections / 2) return;
    this.#sampler = setInterval(() => {
      this.#noteActive(monotonicMs());
      if (this.#connections.size >= maxConnections / 2) return;
      clearInterval(this.#sampler);
      this.#sampler = undefined;
    }, sampleMs).unref();
  }

  #noteActive(nowMs: number): void {
    for (const connection of this.#connections.values()) {
      const bytes = connection.socket.bytesRead + connection.socket.bytesWritten;
      if (bytes !== connection.bytes || connection.open > 0) connection.activeMs = nowMs;
      connection.bytes = bytes;
    }
  }

  /** Cuts some of those that are quiet, the longest ones first. Whether there were any. */
  #makePlace(): boolean {
    const { maxConnections, quietMs, monotonicMs, listener } = this.#options;
    const nowMs = monotonicMs();
    if (nowMs - this.#searchedMs < sampleMs) return false;
    this.#noteActive(nowMs);
    const quiet = [...this.#connections].filter(([, { activeMs }]) => nowMs - activeMs >= quietMs);
    quiet.sort(([, a], [, b]) => a.activeMs - b.activeMs);
    const evicted = quiet.slice(0, Math.ceil(maxConnections * evictedShare));
    if (evicted.length === 0) this.#searchedMs = nowMs;
    for (const [address, { socket }] of evicted) {
      listener.cut('quiet');
      this.#forget(address);
      socket.destroy();
    }
    return evicted.length > 0;
  }
}

/** Events of connections → metrics, by listener. */
export function observeConnections(metrics: Metrics): (listener: string) => ConnectionListener {
  const open = metrics.gauge({ name: 'connections', help: 'Connections open now.', labels: ['listener'] });
  const cut = metrics.counter({
    name: 'connections_cut_total',
    help: 'Connections refused at the limit, cut to make place, or cut because they said nothing.',
    labels: ['listener', 'reason'],
  });
  return (listener) => {
    const reasons = {
      limit: cut.series({ listener, reason: 'limit' }),
      quiet: cut.series({ listener, reason: 'quiet' }),
      handshake: cut.series({ listener, reason: 'handshake' }),
    };
    return {
      changed: (count) => open.set(count, { listener }),
      cut: (reason) => reasons[reason].add(),
    };
  };
}
