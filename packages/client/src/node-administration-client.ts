import type { CallEnvironment } from './calls/call-environment.js';
import { callUnary } from './calls/unary-calls.js';
import type { NodeAdministration } from './node-administration.js';
import { backupOf } from './node-backup-client.js';
import { diagnosticsOf } from './wire/diagnostics-wire.js';
import { replicationOf } from './wire/replication-wire.js';
import { toNumber, toUint64 } from './wire/wire-values.js';

/** Operations on the node that a client is connected to. */
export function administrationOf(environment: CallEnvironment): NodeAdministration {
  return {
    backup: backupOf(environment),
    async shutdown(options = {}) {
      const request = { drainMs: toUint64(options.drainMs, 'drainMs') };
      await callUnary(environment, 'shutdown', request, 'once', options);
    },
    metrics: (options) => callUnary(environment, 'getMetrics', {}, 'repeatable', options),
    async checkpoint(options) {
      const { groups } = await callUnary(environment, 'checkpoint', {}, 'repeatable', options);
      return groups.map((group) => ({
        groupId: toNumber(group.groupId),
        durableAppliedIndex: toNumber(group.durableAppliedIndex),
      }));
    },
    async checksums(options) {
      const { groups } = await callUnary(environment, 'getChecksums', {}, 'repeatable', options);
      return groups.map(({ checksum, ...group }) => ({
        groupId: toNumber(group.groupId),
        appliedIndex: toNumber(group.appliedIndex),
        checksum,
        entries: toNumber(group.entries),
        logRecords: toNumber(group.logRecords),
      }));
    },
    diagnostics: async (options) =>
      diagnosticsOf(await callUnary(environment, 'getDiagnostics', {}, 'repeatable', options)),
    async replication(options = {}) {
      const { log = '', origin } = options;
      const request = { log, origin: origin === undefined ? 0n : toUint64(origin, 'origin', 1) };
      return replicationOf(await callUnary(environment, 'getReplication', request, 'repeatable', options));
    },
    async pauseReplication(follower, options = {}) {
      const request = {
        follower: follower === 'all' ? 0n : toUint64(follower, 'follower', 1),
        resume: options.resume ?? false,
      };
      await callUnary(environment, 'pauseReplication', request, 'repeatable', options);
    },
    async merge(options = {}) {
      const request = { force: options.force ?? false };
      const report = await callUnary(environment, 'merge', request, 'repeatable', options);
      return {
        segmentsMerged: toNumber(report.segmentsMerged),
        recordsCopied: toNumber(report.recordsCopied),
        bytesBefore: toNumber(report.bytesBefore),
        bytesAfter: toNumber(report.bytesAfter),
      };
    },
  };
}
