/** A way to a node that answers some reads with what was true once: a defect that the check of histories must find. */
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Of every so many reads of a key, one is answered with the first answer there was. */
const oneIn = 3;

/** First answers, by what was asked for; proxies that share it answer with each other's. */
export type OldAnswers = Map<string, { readonly status: number; readonly body: Buffer; asked: number }>;

/** An HTTP listener before a node. */
export class LyingProxy {
  readonly #target: URL;
  readonly #first: OldAnswers;
  readonly #server: Server;
  /** Old answers given. */
  lies = 0;

  private constructor(target: string, first: OldAnswers) {
    this.#first = first;
    this.#target = new URL(`http://${target}`);
    this.#server = createServer((incoming, answer) => {
      const { method = 'GET', url = '/', headers } = incoming;
      const known = method === 'GET' ? this.#first.get(url) : undefined;
      if (known !== undefined && ++known.asked % oneIn === 0) {
        this.lies++;
        answer.writeHead(known.status, { 'content-type': 'application/json' }).end(known.body);
        return;
      }
      const { hostname: host, port } = this.#target;
      const onward = request({ host, port, method, path: url, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => answer.destroy());
        response.on('end', () => {
          const body = Buffer.concat(chunks);
          const status = response.statusCode ?? 500;
          if (method === 'GET' && status < 500 && known === undefined) this.#first.set(url, { status, body, asked: 0 });
          answer.writeHead(status, { 'content-type': 'application/json' }).end(body);
        });
      });
      onward.on('error', () => answer.destroy());
      incoming.pipe(onward);
    });
  }

  /** Listens on a free port of this machine, before the HTTP listener at `target` (`host:port`). */
  static async open(target: string, old: OldAnswers = new Map()): Promise<LyingProxy> {
    const proxy = new LyingProxy(target, old);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Where it listens: `host:port`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Listens no more. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
