import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Stands between two nodes: passes bytes on, stops doing so, or breaks the connections. */
export class TcpProxy {
  readonly #server: Server;
  readonly #target: string;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #isSilent = false;

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((near) => this.#join(near));
  }

  /** Opens one in front of `host:port`. */
  static async open(target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Passes nothing on from now on, and hangs up on nobody: a black hole. */
  silence(): void {
    this.#isSilent = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  /** New connections pass. */
  speak(): void {
    this.#isSilent = false;
  }

  /** Breaks what there is. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#pairs.clear();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #join(near: Socket): void {
    const at = this.#target.lastIndexOf(':');
    const far = connect(Number(this.#target.slice(at + 1)), this.#target.slice(0, at));
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const [from, to] of [pair, [far, near] as const]) {
      from.on('error', () => undefined);
      from.on('close', () => {
        to.destroy();
        this.#pairs.delete(pair);
      });
      from.on('data', (bytes) => to.write(bytes));
      if (this.#isSilent) from.pause();
    }
  }
}
