import { invariant } from '@shanghai/env';
import type { GetDiagnosticsResponse } from '@shanghai/proto';
import type { NodeDiagnostics } from '../node-administration.js';
import { checkOf, clockOf, groupOf, reasonOf, stateOf } from './status-wire.js';
import { toNumber } from './wire-values.js';

/** What a node says for a diagnosis. */
export function diagnosticsOf(response: GetDiagnosticsResponse): NodeDiagnostics {
  const { walSync, fileSystem, process } = response;
  const isWhole = walSync !== undefined && fileSystem !== undefined && process !== undefined;
  invariant(isWhole, 'the server answered half a diagnosis');
  return {
    nodeId: toNumber(response.nodeId),
    clusterId: response.clusterId,
    instanceId: response.instanceId,
    version: response.version,
    runtimeVersion: response.runtimeVersion,
    clockMs: response.clockMs,
    uptimeMs: toNumber(response.uptimeMs),
    state: stateOf(response.state),
    reasons: response.reasons.map(reasonOf),
    checks: response.checks.map(checkOf),
    walSync: { ...walSync, count: toNumber(walSync.count) },
    fileSystem: {
      type: fileSystem.type,
      totalBytes: toNumber(fileSystem.totalBytes),
      availableBytes: toNumber(fileSystem.availableBytes),
    },
    process: {
      openFiles: toNumber(process.openFiles),
      maxOpenFiles: toNumber(process.maxOpenFiles),
      residentBytes: toNumber(process.residentBytes),
      heapBytes: toNumber(process.heapBytes),
      maxHeapBytes: toNumber(process.maxHeapBytes),
      eventLoopP99Ms: process.eventLoopP99Ms,
    },
    groups: response.groups.map(groupOf),
    diskStalls: toNumber(response.diskStalls),
    waitingMs: response.waitingMs,
    durability: response.durability,
    clusterVersion: response.clusterVersion,
    clock: clockOf(response.clock),
  };
}
