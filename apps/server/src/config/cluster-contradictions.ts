import { checkedFirstMembers, type FirstMember, hostOf, portOf } from '../first-members.js';
import type { Config } from './config-options.js';
import { isLoopbackHost } from './loopback-host.js';
import { joinAddresses } from './node-settings.js';

/** What is wrong with the options of a cluster, taken together with the others. */
export function clusterContradictions(config: Config): string[] {
  if (config.join !== '') return joinContradictions(config);
  if (config.initialCluster === '') return alonePort(config);
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

/** A node alone that others may join one day. */
function alonePort(config: Config): string[] {
  const { host, advertiseHost, peerPort, durability } = config;
  if (peerPort === 0) return [];
  const problems = portProblems(config, peerPort);
  if (advertiseHost === '' && isUnspecified(host)) problems.push(unreachable(host));
  if (durability !== 'always') {
    problems.push(
      `durability: '${durability}' is only for a node alone, and peer-port ${peerPort} is for others to join it; leave one of them out`,
    );
  }
  return problems;
}

function joinContradictions(config: Config): string[] {
  const { join, initialCluster, durability, host, advertiseHost, peerPort, nodeId } = config;
  const problems: string[] = [];
  for (const address of joinAddresses(join)) {
    if (isAddress(address)) continue;
    problems.push(`join: '${address}' is no host:port of a gRPC listener`);
  }
  if (joinAddresses(join).length === 0) problems.push(`join: '${join}' names no node`);
  if (initialCluster !== '')
    problems.push('join: initial-cluster makes a new cluster, join enters one; use one of them');
  if (durability !== 'always') {
    problems.push(
      `durability: '${durability}' is only for a node alone: what a node that joins acknowledges to the others must be on its disk`,
    );
  }
  if (advertiseHost === '' && isUnspecified(host)) problems.push(unreachable(host));
  if (peerPort === 0 && nodeId === 0) {
    problems.push(
      'peer-port: a node that joins needs one for the other nodes, such as 9190; or a node-id that was reserved with its address',
    );
  }
  return [...problems, ...portProblems(config, peerPort)];
}

function unreachable(host: string): string {
  return `advertise-host: the other nodes cannot reach '${host}'; add --advertise-host with the name or address of this machine`;
}

function isUnspecified(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

function isAddress(text: string): boolean {
  return /^(?:\[[0-9a-fA-F:.]+\]|[^\s:,=[\]]+):\d{1,5}$/.test(text) && portOf(text) > 0 && portOf(text) <= 65_535;
}

/** `peerPort` 0: not known here. */
function portProblems({ httpPort, grpcPort }: Config, peerPort: number): string[] {
  if (peerPort === 0) return [];
  const taken = peerPort === httpPort ? 'http-port' : peerPort === grpcPort ? 'grpc-port' : undefined;
  return taken === undefined ? [] : [`${taken}: ${peerPort} is the port for peers too; give each its own`];
}

function ownProblems(config: Config, { nodeId, peerAddress }: FirstMember): string[] {
  const { host } = config;
  const problems: string[] = [];
  if (isLoopbackHost(host) && !isLoopbackHost(hostOf(peerAddress))) {
    problems.push(
      `host: the other nodes cannot reach '${host}' at '${peerAddress}', as initial-cluster says of node ${nodeId}; add --host ${hostOf(peerAddress)}`,
    );
  }
  const peerPort = config.peerPort === 0 ? portOf(peerAddress) : config.peerPort;
  return [...problems, ...portProblems(config, peerPort)];
}
