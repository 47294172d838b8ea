/**
 * A network of Linux namespaces: one for each node, and one that routes between them and the clients. A way is closed by
 * a rule of the router that drops the packets of one side to another without a word, as a broken cable does. A node is
 * slow behind a narrow way (a token bucket). Needs root and iproute2; nothing of the machine's own network is changed but
 * for one interface pair and one route.
 */
import type { Link } from './cut-links.js';
import { clientSide, type Network, type NodeAddress } from './network.js';
import { runCommand } from './run-command.js';

/** Names of everything this makes begin so; then comes the process id of who made it. */
export const namespacePrefix = 'shanghai-nemesis-';

const ports = { httpPort: 8080, grpcPort: 9090, peerPort: 9190 };
/** Two hundred runs at a time would share addresses. */
const subnets = 200;
const slowRate = ['tbf', 'rate', '400kbit', 'burst', '6kb', 'latency', '600ms'];

/** Makes one. Rejects where this machine cannot; then nothing is left. */
export async function openNamespaces(nodes: number): Promise<Network> {
  const network = new Namespaces(nodes, process.pid);
  try {
    await network.make();
  } catch (error) {
    await network.remove();
    throw error;
  }
  return network;
}

/** Namespaces, and the pair of the router, whose makers are gone: `[name, maker's process id]`. */
export async function namespacesLeft(isAlive: (pid: number) => boolean): Promise<readonly string[]> {
  const listed = await runCommand('ip', ['netns', 'list']).catch(() => '');
  return listed
    .split('\n')
    .map((line) => line.split(' ')[0] as string)
    .filter(
      (name) => name.startsWith(namespacePrefix) && !isAlive(Number(name.slice(namespacePrefix.length).split('-')[0])),
    );
}

/** Removes a namespace of that name, and with it every interface in it. */
export async function removeNamespace(name: string): Promise<void> {
  await runCommand('ip', ['netns', 'del', name]).catch(() => undefined);
}

class Namespaces implements Network {
  readonly description = 'a network namespace for each node, and a router between them';
  readonly #nodes: readonly number[];
  readonly #name: string;
  readonly #subnet: string;
  readonly #outside: string;
  readonly #closed = new Set<string>();

  constructor(nodes: number, pid: number) {
    this.#nodes = Array.from({ length: nodes }, (_, i) => i + 1);
    this.#name = `${namespacePrefix}${pid}`;
    this.#subnet = `10.77.${20 + (pid % subnets)}`;
    this.#outside = `shnm${pid % 1_000_000}`;
  }

  async make(): Promise<void> {
    const router = this.#router;
    const all = [router, ...this.#nodes.map((node) => this.#namespace(node))];
    for (const name of all) await runCommand('ip', ['netns', 'add', name]);
    const shell = 'echo 1 > /proc/sys/net/ipv4/ip_forward';
    await runCommand('ip', ['netns', 'exec', router, 'sh', '-c', shell]);
    const lines = [`link add ${this.#outside} type veth peer name clients netns ${router}`];
    for (const node of this.#nodes) {
      lines.push(`link add node${node} netns ${router} type veth peer name eth0 netns ${this.#namespace(node)}`);
    }
    lines.push(`addr add ${this.#addressOf(clientSide)}/32 dev ${this.#outside}`, `link set ${this.#outside} up`);
    lines.push(`route add ${this.#gateway}/32 dev ${this.#outside}`);
    lines.push(`route add ${this.#subnet}.0/24 via ${this.#gateway} dev ${this.#outside}`);
    await this.#ip([], lines);
    await this.#ip(
      ['-n', router],
      [
        ...['link set lo up', ...this.#gate('clients', clientSide)],
        ...this.#nodes.flatMap((node) => this.#gate(`node${node}`, node)),
      ],
    );
    for (const node of this.#nodes) {
      await this.#ip(
        ['-n', this.#namespace(node)],
        [
          'link set lo up',
          `addr add ${this.#addressOf(node)}/32 dev eth0`,
          'link set eth0 up',
          `route add ${this.#gateway}/32 dev eth0`,
          `route add default via ${this.#gateway} dev eth0`,
        ],
      );
    }
  }

  addressOf(node: number): NodeAddress {
    return { host: this.#addressOf(node), ...ports };
  }

  clientAddressOf(node: number): { http: string; grpc: string } {
    const host = this.#addressOf(node);
    return { http: `${host}:${ports.httpPort}`, grpc: `${host}:${ports.grpcPort}` };
  }

  launch(node: number, program: readonly string[]) {
    // Not `ip netns exec`: that gives a process its own view of all mounts, which then outlive their unmounting.
    return { command: 'nsenter', args: [`--net=/run/netns/${this.#namespace(node)}`, ...program], env: {} };
  }

  async close(links: readonly Link[]): Promise<void> {
    const fresh = links.filter((link) => !this.#closed.has(nameOf(link)));
    for (const link of fresh) this.#closed.add(nameOf(link));
    await this.#ip(
      ['-n', this.#router],
      fresh.map((link) => `rule add ${this.#rule(link)}`),
    );
  }

  async open(links: readonly Link[]): Promise<void> {
    const known = links.filter((link) => this.#closed.delete(nameOf(link)));
    await this.#ip(
      ['-n', this.#router],
      known.map((link) => `rule del ${this.#rule(link)}`),
    );
  }

  async slow(node: number): Promise<void> {
    await this.#shape(node, 'replace', slowRate);
  }

  async fast(node: number): Promise<void> {
    await this.#shape(node, 'del', []).catch(() => undefined);
  }

  async remove(): Promise<void> {
    await runCommand('ip', ['link', 'del', this.#outside]).catch(() => undefined);
    for (const node of this.#nodes) await removeNamespace(this.#namespace(node));
    await removeNamespace(this.#router);
  }

  get #router(): string {
    return `${this.#name}-router`;
  }

  get #gateway(): string {
    return `${this.#subnet}.254`;
  }

  #namespace(node: number): string {
    return `${this.#name}-${node}`;
  }

  #addressOf(place: number): string {
    return `${this.#subnet}.${place === clientSide ? 200 : place}`;
  }

  /** The router's end of the way to somebody. */
  #gate(device: string, place: number): string[] {
    return [
      `addr add ${this.#gateway}/32 dev ${device}`,
      `link set ${device} up`,
      `route add ${this.#addressOf(place)}/32 dev ${device}`,
    ];
  }

  #rule({ from, to }: Link): string {
    return `from ${this.#addressOf(from)} to ${this.#addressOf(to)} priority 100 blackhole`;
  }

  /** Both directions, for a node's end and the router's. */
  async #shape(node: number, verb: string, what: readonly string[]): Promise<void> {
    await runCommand('tc', ['-n', this.#router, 'qdisc', verb, 'dev', `node${node}`, 'root', ...what]);
    await runCommand('tc', ['-n', this.#namespace(node), 'qdisc', verb, 'dev', 'eth0', 'root', ...what]);
  }

  async #ip(where: readonly string[], lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await runCommand('ip', [...where, '-batch', '-'], `${lines.join('\n')}\n`);
  }
}

function nameOf({ from, to }: Link): string {
  return `${from}>${to}`;
}
