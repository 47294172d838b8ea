/** What can be wrong between nodes. */
import type { Finding } from './finding.js';
import { answering, type NodeObservation } from './observation.js';

/** Versions, and who answers where. */
export function clusterRules(nodes: readonly NodeObservation[]): readonly Finding[] {
  return [...ofIdentity(nodes), ...ofVersions(nodes), ...ofClusterVersion(nodes)];
}

function ofIdentity(nodes: readonly NodeObservation[]): readonly Finding[] {
  const present = answering(nodes);
  const clusterIds = new Set(present.map(({ diagnostics }) => diagnostics.clusterId));
  const findings: Finding[] = [];
  if (clusterIds.size > 1) {
    findings.push({
      severity: 'error',
      code: 'CLUSTERS_MIXED',
      what: `nodes of ${clusterIds.size} clusters answer at the addresses of this one's node table`,
      why: 'what is sent to those addresses reaches the wrong cluster',
      todo: 'compare node ids and addresses: shanghaictl nodes',
    });
  }
  for (const { node, diagnostics } of present) {
    if (node.instanceId === '' || node.instanceId === diagnostics.instanceId) continue;
    findings.push({
      severity: 'error',
      code: 'INSTANCE_DIFFERS',
      nodeId: node.nodeId,
      what: `node ${node.nodeId} answers as another instance than the node table has`,
      why: 'its data directory was copied, wiped or repaired: the other nodes refuse it under this id',
      todo: `shanghaictl node replace ${node.nodeId}`,
    });
  }
  return findings;
}

function ofVersions(nodes: readonly NodeObservation[]): readonly Finding[] {
  const versions = new Map<string, number[]>();
  for (const { node, diagnostics } of answering(nodes)) {
    versions.set(diagnostics.version, [...(versions.get(diagnostics.version) ?? []), node.nodeId]);
  }
  if (versions.size < 2) return [];
  const list = [...versions]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([version, ids]) => `${version} on ${ids.join(', ')}`);
  return [
    {
      severity: 'warning',
      code: 'VERSIONS_MIXED',
      what: `nodes run different versions: ${list.join('; ')}`,
      why: 'a rolling upgrade is under way, or was left half done; what is new is off until its end',
      todo: 'finish the upgrade, one node after the other',
    },
  ];
}

function ofClusterVersion(nodes: readonly NodeObservation[]): readonly Finding[] {
  const supported = nodes.map(({ node }) => node.highestClusterVersion ?? 0);
  const lowest = Math.min(...supported);
  const current = Math.max(0, ...answering(nodes).map(({ diagnostics }) => diagnostics.clusterVersion));
  if (supported.length === 0 || lowest === 0 || current === 0 || lowest <= current) return [];
  return [
    {
      severity: 'info',
      code: 'CLUSTER_VERSION_BEHIND',
      what: `every node supports cluster version ${lowest}, the cluster works in ${current}`,
      why: 'it is raised by the leader of the system group within seconds of the last upgrade',
      todo: 'ask again; where it stays, see whether the system group has a leader: shanghaictl groups',
    },
  ];
}
