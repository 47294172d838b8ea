/**
 * A network in this process, for machines that give no namespaces: a proxy for every pair of nodes and listener, and one
 * to each listener for the clients. The nodes are told the true addresses of each other; `proxied-process.mjs`, loaded
 * into each of them, dials the proxy of this pair instead.
 */
import { fileURLToPath } from 'node:url';
import { freePorts } from '@shanghai/env/testing';
import type { Link } from './cut-links.js';
import { clientSide, type Network, type NodeAddress } from './network.js';
import { TcpProxy } from './tcp-proxy.js';

const host = '127.0.0.1';
const slowMs = 150;
/** Loaded into nodes: other ports, another clock. */
export const preloadPath = fileURLToPath(new URL('proxied-process.mjs', import.meta.url));

interface Way {
  readonly from: number;
  readonly to: number;
  readonly port: number;
  readonly proxy: TcpProxy;
}

/** Makes one. `firstPort`: of the nodes' listeners, three each; any free ones where it is missing. */
export async function openProxies(nodes: number, firstPort?: number): Promise<Network> {
  const ports =
    firstPort === undefined ? await freePorts(nodes * 3) : Array.from({ length: nodes * 3 }, (_, i) => firstPort + i);
  const addresses = Array.from({ length: nodes }, (_, i) => ({
    host,
    httpPort: ports[i * 3] as number,
    grpcPort: ports[i * 3 + 1] as number,
    peerPort: ports[i * 3 + 2] as number,
  }));
  const ways: Way[] = [];
  for (const [i, { httpPort, grpcPort, peerPort }] of addresses.entries()) {
    const to = i + 1;
    for (let from = clientSide; from <= nodes; from++) {
      if (from === to) continue;
      for (const port of from === clientSide ? [httpPort, grpcPort] : [grpcPort, peerPort]) {
        ways.push({ from, to, port, proxy: await TcpProxy.open(host, { host, port }) });
      }
    }
  }
  return new Proxies(addresses, ways);
}

class Proxies implements Network {
  readonly description = 'a proxy in this process for every pair of nodes';
  readonly #addresses: readonly NodeAddress[];
  readonly #ways: readonly Way[];
  readonly #slow = new Set<number>();

  constructor(addresses: readonly NodeAddress[], ways: readonly Way[]) {
    this.#addresses = addresses;
    this.#ways = ways;
  }

  addressOf(node: number): NodeAddress {
    const address = this.#addresses[node - 1];
    if (address === undefined) throw new RangeError(`there is no place ${node} in this network`);
    return address;
  }

  clientAddressOf(node: number): { http: string; grpc: string } {
    const { httpPort, grpcPort } = this.addressOf(node);
    const portFor = (port: number) =>
      this.#ways.find((way) => way.from === clientSide && way.to === node && way.port === port)?.proxy.port;
    return { http: `${host}:${portFor(httpPort)}`, grpc: `${host}:${portFor(grpcPort)}` };
  }

  launch(node: number, program: readonly string[]) {
    const own = this.#ways.filter(({ from }) => from === node).map(({ port, proxy }) => [port, proxy.port]);
    const [command = '', ...args] = program;
    return { command, args, env: { NEMESIS_PORTS: JSON.stringify(Object.fromEntries(own)) } };
  }

  async close(links: readonly Link[]): Promise<void> {
    this.#set(links, false);
  }

  async open(links: readonly Link[]): Promise<void> {
    this.#set(links, true);
  }

  async slow(node: number): Promise<void> {
    this.#slow.add(node);
    this.#delay();
  }

  async fast(node: number): Promise<void> {
    this.#slow.delete(node);
    this.#delay();
  }

  async remove(): Promise<void> {
    for (const { proxy } of this.#ways) proxy.close();
  }

  #set(links: readonly Link[], isOpen: boolean): void {
    for (const { from, to } of links) {
      for (const way of this.#ways) {
        if (way.from === from && way.to === to) way.proxy.set({ there: isOpen });
        if (way.from === to && way.to === from) way.proxy.set({ back: isOpen });
      }
    }
  }

  #delay(): void {
    for (const { from, to, proxy } of this.#ways) {
      proxy.delayMs = this.#slow.has(from) || this.#slow.has(to) ? slowMs : 0;
    }
  }
}
