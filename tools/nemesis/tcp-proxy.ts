/**
 * A way between two programs that can be closed in each direction by itself, and made long. What is held back by a closed
 * way arrives when it is opened, as TCP would send it again; connections made meanwhile wait. Nothing is dropped: a
 * program notices a closed way by its own time limits, as it would with a broken cable.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What is held back for a closed or long way, in bytes, before its sender has to wait. */
const maxHeldBytes = 4 * 1024 * 1024;

interface Held {
  readonly chunk: Buffer | 'end';
  readonly dueMs: number;
}

/** One direction of one connection. */
class Direction {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #held: Held[] = [];
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOpen: boolean;
  delayMs: number;

  constructor(from: Socket, to: Socket, isOpen: boolean, delayMs: number) {
    this.#from = from;
    this.#to = to;
    this.#isOpen = isOpen;
    this.delayMs = delayMs;
    from.on('data', (chunk: Buffer) => this.#take(chunk, chunk.length));
    from.on('end', () => this.#take('end', 0));
  }

  set isOpen(value: boolean) {
    this.#isOpen = value;
    this.#pass();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#held.length = 0;
  }

  #take(chunk: Buffer | 'end', bytes: number): void {
    this.#held.push({ chunk, dueMs: performance.now() + this.delayMs });
    this.#heldBytes += bytes;
    if (this.#heldBytes > maxHeldBytes) this.#from.pause();
    this.#pass();
  }

  #pass(): void {
    clearTimeout(this.#timer);
    while (this.#isOpen && this.#held.length > 0) {
      const { chunk, dueMs } = this.#held[0] as Held;
      const leftMs = dueMs - performance.now();
      if (leftMs > 0.5) {
        this.#timer = setTimeout(() => this.#pass(), leftMs);
        return;
      }
      this.#held.shift();
      if (chunk === 'end') this.#to.end();
      else {
        this.#heldBytes -= chunk.length;
        this.#to.write(chunk);
      }
    }
    if (this.#heldBytes <= maxHeldBytes && this.#from.isPaused()) this.#from.resume();
  }
}

interface Connection {
  readonly near: Socket;
  readonly far: Socket;
  readonly there: Direction;
  readonly back: Direction;
}

/** A listener that passes on to one address. */
export class TcpProxy {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  #thereIsOpen = true;
  #backIsOpen = true;
  #delayMs = 0;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (near) => this.#accept(near));
  }

  /** Listens on a free port of `host`. */
  static async open(host: string, target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    proxy.#server.listen(0, host);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Where it listens. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Opens or closes the way towards the target (`there`), or from it (`back`). */
  set({
    there = this.#thereIsOpen,
    back = this.#backIsOpen,
  }: {
    readonly there?: boolean;
    readonly back?: boolean;
  }): void {
    this.#thereIsOpen = there;
    this.#backIsOpen = back;
    for (const connection of this.#connections) {
      connection.there.isOpen = there;
      connection.back.isOpen = back;
    }
  }

  /** How long everything takes, each way, in milliseconds. */
  set delayMs(value: number) {
    this.#delayMs = value;
    for (const { there, back } of this.#connections) {
      there.delayMs = value;
      back.delayMs = value;
    }
  }

  /** Ends all connections, and listens no more. */
  close(): void {
    this.#server.close();
    for (const connection of [...this.#connections]) this.#end(connection);
  }

  #accept(near: Socket): void {
    const far = connect({ ...this.#target, allowHalfOpen: true });
    for (const socket of [near, far]) socket.setNoDelay(true);
    const there = new Direction(near, far, this.#thereIsOpen, this.#delayMs);
    const back = new Direction(far, near, this.#backIsOpen, this.#delayMs);
    const connection: Connection = { near, far, there, back };
    this.#connections.add(connection);
    for (const socket of [near, far]) {
      socket.on('error', () => this.#end(connection));
      socket.on('close', () => (near.destroyed && far.destroyed ? this.#end(connection) : undefined));
    }
  }

  #end(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    connection.there.stop();
    connection.back.stop();
    connection.near.destroy();
    connection.far.destroy();
  }
}
