import type { Clock } from '@shanghai/env';
import type { Wal } from '@shanghai/wal';
import type { CatalogueCommand } from './apply/catalogue-command.js';
import type { DataDirectory } from './data-directory.js';
import type { LeaderCalls } from './forward/leader-calls.js';
import type { LogFiles } from './logs/log-files.js';
import type { LogRequests } from './logs/log-requests.js';
import type { GroupChecksum, NodeStatus, ReadinessCheck, ShanghaiNode } from './node.js';
import type { NodeCheckpoints } from './node-checkpoints.js';
import { groupStatus, storageStatus, walStatus } from './node-status.js';
import type { Replica } from './raft/replica.js';
import type { SystemGroup } from './raft/system-group.js';
import type { Gate } from './requests/gate.js';
import type { KeyValueRequests } from './requests/key-value-requests.js';
import type { SlotRouter } from './routing/slot-router.js';

/** Everything a running node is made of. */
export interface NodeParts {
  readonly directory: DataDirectory;
  readonly nodeName: string;
  readonly wal: Wal;
  readonly replicas: readonly Replica[];
  readonly systemGroup: SystemGroup;
  readonly leaderCalls: LeaderCalls;
  readonly router: SlotRouter;
  readonly files: LogFiles;
  readonly gate: Gate;
  readonly checkpoints: NodeCheckpoints;
  readonly keyValue: KeyValueRequests;
  readonly logs: LogRequests;
  readonly clock: Clock;
}

/** A running node. */
export class NodeHost implements ShanghaiNode {
  readonly keyValue: KeyValueRequests;
  readonly logs: LogRequests;
  readonly #parts: NodeParts;
  readonly #startedAtMs: number;
  #closing: Promise<void> | undefined;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.keyValue = parts.keyValue;
    this.logs = parts.logs;
    this.#startedAtMs = parts.clock.nowMs();
    for (const { state } of parts.replicas) state.beginServing();
  }

  status(): NodeStatus {
    const { directory, nodeName, replicas, router, wal } = this.#parts;
    const { clusterId, nodeId, instanceId } = directory.identity;
    return {
      clusterId,
      nodeId,
      nodeName,
      instanceId,
      startedAtMs: this.#startedAtMs,
      nodes: this.#parts.systemGroup.replica.machine.catalogue.nodes,
      groups: replicas.map((replica) => groupStatus(replica, router.slotsOfGroup(replica.groupId))),
      storage: storageStatus(replicas),
      wal: walStatus(wal),
    };
  }

  readiness(): readonly ReadinessCheck[] {
    const { gate, replicas, wal } = this.#parts;
    const checks = [check('accepting', !gate.closed.aborted, 'the node is closing')];
    for (const { groupId, log } of replicas) {
      const { state, isStalled } = log.status();
      const closed = state === 'full' ? 'the disk is full' : `its log is ${state}`;
      const reason = isStalled ? 'the disk does not answer' : closed;
      checks.push(check(`group-${groupId}`, state === 'open' && !isStalled, reason));
    }
    const { state } = wal.info();
    checks.push(check('wal', state === 'open', `it is ${state}; restart the node`));
    return checks;
  }

  checkpoint(): Promise<readonly { readonly groupId: number; readonly durableAppliedIndex: number }[]> {
    return this.#parts.checkpoints.run();
  }

  async checksums(): Promise<readonly GroupChecksum[]> {
    const checksums: GroupChecksum[] = [];
    for (const { groupId, state } of this.#parts.replicas) checksums.push({ groupId, ...(await state.checksum()) });
    return checksums;
  }

  async merge(
    force: boolean,
  ): Promise<{ segmentsMerged: number; recordsCopied: number; bytesBefore: number; bytesAfter: number }> {
    const total = { segmentsMerged: 0, recordsCopied: 0, bytesBefore: 0, bytesAfter: 0 };
    for (const { store } of this.#parts.replicas) {
      const merged = await store.merge({ force });
      total.segmentsMerged += merged.segmentsMerged;
      total.recordsCopied += merged.recordsCopied;
      total.bytesBefore += merged.bytesBefore;
      total.bytesAfter += merged.bytesAfter;
    }
    return total;
  }

  proposeCatalogue(change: CatalogueCommand): Promise<number> {
    return this.#parts.systemGroup.proposeHere(change);
  }

  close(drainMs: number): Promise<void> {
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  /** In the order of dependence; a step that fails does not keep the others from closing, the first failure is reported. */
  async #close(drainMs: number): Promise<void> {
    const { gate, checkpoints, leaderCalls, replicas, files, wal, directory } = this.#parts;
    gate.close();
    const failures: unknown[] = [];
    const attempt = async (step: () => Promise<unknown>) => {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    };
    await attempt(() => checkpoints.stop());
    await Promise.all(replicas.map((replica) => attempt(() => replica.log.close(drainMs))));
    await Promise.all(replicas.map((replica) => attempt(() => replica.close(0))));
    leaderCalls.close();
    await attempt(() => files.close());
    await attempt(() => wal.close());
    await directory.lock.release();
    if (failures.length > 0) throw failures[0];
  }
}

function check(name: string, ok: boolean, reason: string): ReadinessCheck {
  return ok ? { name, ok } : { name, ok, reason };
}
