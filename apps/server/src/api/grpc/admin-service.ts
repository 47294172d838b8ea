import { type AdminServer, ReadGroupLogResponse, SaveSnapshotResponse } from '@shanghai/proto';
import { ServerError } from '../../requests/server-error.js';
import { type ApiServices, defaultDrainMs } from '../api-services.js';
import { groupLogMessage, snapshotMessage } from './backup-messages.js';
import { diagnosticsResponse } from './diagnostics-message.js';
import { pauseReplication, replicationMessage } from './replication-messages.js';
import { serverStream } from './server-stream.js';
import { unaryCall } from './unary-call.js';
import { asBuffer, safeNumber } from './wire-numbers.js';

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
    getReplication: unaryCall(services, 'Admin/GetReplication', async (request) => replicationMessage(node, request)),
    pauseReplication: unaryCall(services, 'Admin/PauseReplication', async ({ follower, resume }) => {
      await pauseReplication(node, safeNumber(follower, 'follower'), !resume);
      return {};
    }),
    saveSnapshot: serverStream(services, 'Admin/SaveSnapshot', {
      async *open({ stale }, { signal }) {
        if (node.saveSnapshot === undefined) throw new ServerError('UNSUPPORTED', 'this node has no backups');
        for await (const part of node.saveSnapshot({ stale, signal })) yield snapshotMessage(part, services.version);
      },
      encode: (message) => asBuffer(SaveSnapshotResponse.encode(message).finish()),
    }),
    readGroupLog: serverStream(services, 'Admin/ReadGroupLog', {
      async *open(request, { signal }) {
        if (node.readGroupLog === undefined) throw new ServerError('UNSUPPORTED', 'this node does not show its log');
        const groupId = safeNumber(request.groupId, 'group_id');
        const fromIndex = safeNumber(request.fromIndex, 'from_index');
        for await (const page of node.readGroupLog(groupId, fromIndex, signal)) yield groupLogMessage(page);
      },
      encode: (message) => asBuffer(ReadGroupLogResponse.encode(message).finish()),
    }),
    getDiagnostics: unaryCall(services, 'Admin/GetDiagnostics', () => diagnosticsResponse(services)),
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
