import { checkedFirstMembers, type FirstMember, hostOf, portOf } from '../first-members.js';
import type { Config } from './config-options.js';
import { isLoopbackHost } from './loopback-host.js';

/** What is wrong with the options of a cluster, taken together with the others. */
export function clusterContradictions(config: Config): string[] {
  if (config.initialCluster === '') return [];
  const members = checkedFirstMembers(config.initialCluster);
  if (typeof members === 'string') return [`initial-cluster: '${config.initialCluster}' ${members}`];
  const problems: string[] = [];
  if (members.length > 1 && config.durability !== 'always') {
    problems.push(
      `durability: '${config.durability}' is only for a node alone, and initial-cluster names ${members.length}: what a node acknowledged to the others must be on its disk`,
    );
  }
  const own = members.find(({ nodeId }) => nodeId === config.nodeId);
  if (own !== undefined) problems.push(...ownProblems(config, own));
  else if (config.nodeId !== 0) {
    const ids = members.map(({ nodeId }) => nodeId).join(', ');
    problems.push(`node-id: ${config.nodeId} is not in initial-cluster, which names ${ids}`);
  }
  return problems;
}

function ownProblems(config: Config, { nodeId, peerAddress }: FirstMember): string[] {
  const { host, httpPort, grpcPort } = config;
  const problems: string[] = [];
  if (isLoopbackHost(host) && !isLoopbackHost(hostOf(peerAddress))) {
    problems.push(
      `host: the other nodes cannot reach '${host}' at '${peerAddress}', as initial-cluster says of node ${nodeId}; add --host ${hostOf(peerAddress)}`,
    );
  }
  const peerPort = config.peerPort === 0 ? portOf(peerAddress) : config.peerPort;
  const taken = peerPort === httpPort ? 'http-port' : peerPort === grpcPort ? 'grpc-port' : undefined;
  if (taken !== undefined) problems.push(`${taken}: ${peerPort} is the port for peers too; give each its own`);
  return problems;
}
