import type { GetDiagnosticsResponse } from '@shanghai/proto';
import type { ApiServices } from '../api-services.js';
import { groupMessage } from './cluster-messages.js';
import { checkMessage, clockMessage, reasonMessage, stateNumbers } from './health-messages.js';

/** What a diagnosis asks of this node. The clock is read last: what it took to gather the rest is not the clock's error. */
export async function diagnosticsResponse(services: ApiServices): Promise<GetDiagnosticsResponse> {
  const { node, health, version } = services;
  const { walSync, fileSystem, limits, runtimeVersion } = await services.diagnostics();
  const status = node.status();
  const { state, reasons } = health.cluster(status);
  const { wal } = status;
  return {
    nodeId: BigInt(status.nodeId),
    clusterId: status.clusterId,
    instanceId: status.instanceId,
    version,
    runtimeVersion,
    uptimeMs: BigInt(Math.max(0, Math.trunc(services.nowMs() - status.startedAtMs))),
    checks: health.checks().map(checkMessage),
    walSync: { ...walSync, count: BigInt(walSync.count) },
    fileSystem: {
      type: fileSystem.type,
      totalBytes: BigInt(fileSystem.totalBytes),
      availableBytes: BigInt(fileSystem.availableBytes),
    },
    process: {
      openFiles: BigInt(limits.openFiles),
      maxOpenFiles: BigInt(limits.maxOpenFiles),
      residentBytes: BigInt(limits.residentBytes),
      heapBytes: BigInt(limits.heapBytes),
      maxHeapBytes: BigInt(limits.maxHeapBytes),
      eventLoopP99Ms: limits.eventLoopP99Ms,
    },
    groups: status.groups.map(groupMessage),
    diskStalls: BigInt(wal.diskStalls ?? 0),
    waitingMs: wal.waitingMs ?? 0,
    durability: wal.durability,
    state: stateNumbers[state],
    reasons: reasons.map(reasonMessage),
    clusterVersion: status.clusterVersion ?? 0,
    clock: clockMessage(status),
    clockMs: services.nowMs(),
  };
}
