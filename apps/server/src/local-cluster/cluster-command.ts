/**
 * `shanghai cluster`: what to start. Flags of the server are given once and hold for every node; each node gets a number,
 * a directory of its own below the data directory, and ports of its own: base plus its number.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { ConfigError } from '../config/config-error.js';
import type { Config } from '../config/config-options.js';
import { loadConfig } from '../config/load-config.js';

/** A node of a local cluster. */
export interface LocalNode {
  readonly nodeId: number;
  readonly dataDir: string;
  /** Arguments of its process. */
  readonly args: readonly string[];
}

/** What a command line asks for. */
export type ClusterIntention =
  | { readonly type: 'print'; readonly text: string }
  | { readonly type: 'run'; readonly nodes: readonly LocalNode[]; readonly config: Config };

const mostNodes = 9;

/** The base where none is given; a node's own comes from the cluster's list. */
const defaultPeerPort = 9190;

const defaultDirectory = './shanghai-cluster';

const help = `
Everything else is a flag of the server (shanghai --help) and holds for every node. Node i listens on the ports given
plus i, and keeps its data in <data-dir>/node-<i> (./shanghai-cluster/node-<i>). A cluster that was started before goes on with what it holds.

Examples:
  $ shanghai cluster                         three nodes: HTTP 8081-8083, gRPC 9091-9093
  $ shanghai cluster --nodes 5 --data-dir /tmp/five --http-port 8100
`;

/** Parses what stands behind `shanghai cluster`. Throws `ConfigError`. */
export function parseClusterCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  version: string,
): ClusterIntention {
  const written: string[] = [];
  const command = new Command('shanghai cluster')
    .description('Starts a cluster on this machine, every node a process of its own, until it is told to stop.')
    .usage('[--nodes <n>] [flags of the server]')
    .addOption(new Option('--nodes <n>', `how many nodes, 1 to ${mostNodes}`).default(3).argParser(nodesOf))
    .helpOption('-h, --help', 'print this')
    .addHelpText('after', help)
    .allowUnknownOption()
    .allowExcessArguments()
    .exitOverride()
    .configureOutput({ writeOut: (text) => void written.push(text), writeErr: () => {}, getOutHelpWidth: () => 110 });
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { type: 'print', text: written.join('') };
    throw new ConfigError('INVALID_CONFIG', [error.message.replace(/^error: /, '')]);
  }
  const intention = loadConfig(command.args, environment, version);
  if (intention.type === 'print') return intention;
  const { config: given, sources } = intention.resolved;
  // Not beside what a node alone has in its directory.
  const dataDir = sources.dataDir.from === 'default' ? defaultDirectory : given.dataDir;
  const config = { ...given, dataDir };
  const { nodes } = command.opts<{ nodes: number }>();
  return { type: 'run', nodes: localNodes(nodes, command.args, config), config };
}

function nodesOf(text: string): number {
  const nodes = Number(text);
  if (Number.isInteger(nodes) && nodes >= 1 && nodes <= mostNodes) return nodes;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${mostNodes}.`);
}

function localNodes(count: number, shared: readonly string[], config: Config): LocalNode[] {
  const { host } = config;
  const peerPort = config.peerPort === 0 ? defaultPeerPort : config.peerPort;
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  for (const [flag, base] of [
    ['--http-port', config.httpPort],
    ['--grpc-port', config.grpcPort],
    ['--peer-port', peerPort],
  ] as const) {
    if (base + count > 65_535)
      throw new ConfigError('INVALID_CONFIG', [`${flag} ${base} leaves no ports for ${count} nodes`]);
  }
  const members = ids.map((id) => `${id}=${host}:${peerPort + id}`).join(',');
  const portOf = (base: number, id: number) => String(base === 0 ? 0 : base + id);
  return ids.map((nodeId) => {
    const dataDir = `${config.dataDir}/node-${nodeId}`;
    const own = {
      '--data-dir': dataDir,
      '--node-id': String(nodeId),
      '--http-port': portOf(config.httpPort, nodeId),
      '--grpc-port': portOf(config.grpcPort, nodeId),
      '--peer-port': portOf(peerPort, nodeId),
      '--initial-cluster': members,
      '--banner': 'false',
    };
    // The last of two equal flags holds.
    return { nodeId, dataDir, args: [...shared, ...Object.entries(own).flat()] };
  });
}
