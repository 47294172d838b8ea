import { type Clock, type Disk, nodeClock, nodeDisk, nodeRandom, type Random } from '@shanghai/env';
import type { NodeVersions } from './apply/catalogue-command.js';
import type { EngineName } from './engine/storage-engine.js';
import { checkFirstMembers, type FirstMember } from './first-members.js';
import { type NodeLimits, resolveLimits } from './limits.js';
import type { NodeListener } from './node-events.js';
import type { NodeOptions } from './node-options.js';
import { supportedVersions } from './version/cluster-version.js';

/** Options that were checked, with what was left out. */
export interface NodeSettings {
  /** Absent: as the data directory says. */
  readonly nodeId: number | undefined;
  readonly firstMembers: readonly FirstMember[];
  readonly clusterToken: string;
  readonly slots: number;
  readonly limits: NodeLimits;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly listener: NodeListener;
  readonly engine: EngineName;
  readonly versions: NodeVersions;
  readonly checkpointIntervalMs: number;
  readonly checkpointBytes: number;
}

/** Fills and checks options. `RangeError` for what cannot be. */
export function resolveNodeOptions(options: NodeOptions): NodeSettings {
  const { nodeId, slots = 1024, initialMembers: firstMembers = [] } = options;
  if (nodeId !== undefined && (!Number.isInteger(nodeId) || nodeId < 1 || nodeId >= 2 ** 32)) {
    throw new RangeError(`nodeId must be an integer in [1, 2^32), got ${nodeId}`);
  }
  if (!Number.isInteger(slots) || slots < 1 || slots > 65_536) {
    throw new RangeError(`slots must be an integer in [1, 65536], got ${slots}`);
  }
  if (firstMembers.length > 0) checkFirstMembers(firstMembers);
  return {
    nodeId,
    firstMembers,
    clusterToken: options.clusterToken ?? 'shanghai',
    slots,
    limits: resolveLimits(options.limits),
    disk: options.disk ?? nodeDisk(),
    clock: options.clock ?? nodeClock(),
    random: options.random ?? nodeRandom(),
    listener: options.listener ?? {},
    engine: options.engine ?? 'bitcask',
    versions: { program: options.program ?? '', ...(options.versions ?? supportedVersions) },
    checkpointIntervalMs: options.checkpointIntervalMs ?? 30_000,
    checkpointBytes: options.checkpointBytes ?? 64 * 1024 * 1024,
  };
}
