import type { AdminServer } from '@shanghai/proto';
import { ServerError } from '../../requests/server-error.js';
import { type ApiServices, defaultDrainMs } from '../api-services.js';
import { unaryCall } from './unary-call.js';
import { safeNumber } from './wire-numbers.js';

/** The Admin service. */
export function adminService(services: ApiServices): AdminServer {
  const { node } = services;
  return {
    shutdown: unaryCall(services, 'Admin/Shutdown', async (request) => {
      const drainMs = safeNumber(request.drainMs, 'drain_ms');
      services.requestShutdown(drainMs === 0 ? defaultDrainMs : drainMs);
      return {};
    }),
    getMetrics: unaryCall(services, 'Admin/GetMetrics', async () => ({
      contentType: services.metrics.contentType,
      text: await services.metrics.text(),
    })),
    checkpoint: unaryCall(services, 'Admin/Checkpoint', async () => ({
      groups: (await node.checkpoint()).map((group) => ({
        groupId: BigInt(group.groupId),
        durableAppliedIndex: BigInt(group.durableAppliedIndex),
      })),
    })),
    getChecksums: unaryCall(services, 'Admin/GetChecksums', async () => ({
      groups: (await node.checksums()).map((group) => ({
        groupId: BigInt(group.groupId),
        appliedIndex: BigInt(group.appliedIndex),
        checksum: group.checksum,
        entries: BigInt(group.entries),
        logRecords: BigInt(group.logRecords),
      })),
    })),
    getDiagnostics: unaryCall(services, 'Admin/GetDiagnostics', async () => {
      throw new ServerError('UNSUPPORTED', 'this node gathers no diagnostics');
    }),
    merge: unaryCall(services, 'Admin/Merge', async (request) => {
      const result = await node.merge(request.force);
      return {
        segmentsMerged: BigInt(result.segmentsMerged),
        recordsCopied: BigInt(result.recordsCopied),
        bytesBefore: BigInt(result.bytesBefore),
        bytesAfter: BigInt(result.bytesAfter),
      };
    }),
  };
}
