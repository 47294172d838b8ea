/**
 * The disk of one machine: a fault disk whose calls take time, and now and then fail. It is the machine's: a crash of the
 * process takes what was not synced, or a part of it, and the next process finds the rest.
 */
import type { Clock, Disk, DiskFile, DiskOpenMode, Random } from '@shanghai/env';
import {
  type CrashSurvival,
  createFaultDisk,
  type DiskOperation,
  type FaultDisk,
  type FaultEffect,
} from '@shanghai/env/testing';

/** How a disk behaves. Shares are probabilities, times in ms. */
export interface DiskConditions {
  readonly maxWriteMs: number;
  readonly maxSyncMs: number;
  readonly maxReadMs: number;
  /** Writes that move less than they were given. */
  readonly shortShare: number;
  /** Writes that find no space. */
  readonly fullShare: number;
  /** Syncs that fail; what they were to make durable may be gone. */
  readonly failingSyncShare: number;
}

/** A disk that is quick and whole. Reads take no time: what was just written is in the system's cache. */
export const calmDisk: DiskConditions = {
  maxWriteMs: 0.2,
  maxSyncMs: 2,
  maxReadMs: 0,
  shortShare: 0.01,
  fullShare: 0,
  failingSyncShare: 0,
};

const operations: readonly DiskOperation[] = [
  'read',
  'write',
  'sync',
  'syncDirectory',
  'truncate',
  'makeDirectory',
  'rename',
  'link',
  'remove',
];

const needsSpace: ReadonlySet<DiskOperation> = new Set(['write', 'truncate', 'makeDirectory']);

/** A call that is not disturbed. */
const atOnce: FaultEffect = { kind: 'short', bytes: Number.POSITIVE_INFINITY };

/** What a disk went through. */
export interface DiskCounts {
  failedWrites: number;
  failedSyncs: number;
  /** Calls that were held up. */
  stalled: number;
}

/** A machine's disk, beyond the life of its processes. */
export class VirtualDisk {
  conditions: DiskConditions = calmDisk;
  /** It says that it has synced, and has not: nothing that is built on it can stand that. */
  isLying = false;
  readonly counts: DiskCounts = { failedWrites: 0, failedSyncs: 0, stalled: 0 };
  readonly #random: Random;
  readonly #clock: Clock;
  #disk: FaultDisk;
  #trap: { left: number; readonly spring: () => void } | undefined;
  #stalled: { readonly promise: Promise<void>; readonly release: () => void } | undefined;

  /** `clock`: of the machine, whatever process runs. */
  constructor(seed: number, clock: Clock, random: Random) {
    this.#random = random;
    this.#clock = clock;
    this.#disk = createFaultDisk({ seed, clock, keepsTrace: false });
    this.#makeRules();
  }

  /** As the process that runs now sees it. */
  get disk(): Disk {
    return this.isLying ? lying(this.#disk) : this.#disk;
  }

  /** The process has died, or the power has failed. */
  crash(survival: CrashSurvival): void {
    this.#disk = this.#disk.restart(survival);
    this.#makeRules();
  }

  /** Calls `spring` just before the `count`-th call from now that would change something, or make it durable. */
  trap(count: number, spring: () => void): void {
    this.#trap = { left: count, spring };
  }

  /** From here on nothing is written until `answer`. */
  stall(): void {
    if (this.#stalled !== undefined) return;
    let release = () => {};
    const promise = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#stalled = { promise, release };
  }

  /** What has been waiting goes on, once the process does. */
  answer(): void {
    const { release } = this.#stalled ?? {};
    if (release !== undefined) this.#clock.setTimer(0, release);
    this.#stalled = undefined;
  }

  #makeRules(): void {
    for (const operation of operations) {
      const draw = () => this.#effect(operation);
      this.#disk.inject({
        operation,
        times: Number.POSITIVE_INFINITY,
        // Drawn for each call.
        get effect() {
          return draw();
        },
      });
    }
  }

  #effect(operation: DiskOperation): FaultEffect {
    const { maxWriteMs, maxSyncMs, maxReadMs, shortShare, fullShare, failingSyncShare } = this.conditions;
    if (operation === 'read') return this.#takes(maxReadMs);
    this.#step();
    if (this.#stalled !== undefined) {
      this.counts.stalled++;
      return { kind: 'stall', release: this.#stalled.promise };
    }
    if (operation === 'sync' || operation === 'syncDirectory') {
      if (operation === 'sync' && this.#random.float() < failingSyncShare) {
        this.counts.failedSyncs++;
        return { kind: 'error', code: 'EIO' };
      }
      return this.#takes(maxSyncMs);
    }
    if (!needsSpace.has(operation)) return this.#takes(maxWriteMs);
    if (this.#random.float() < fullShare) {
      this.counts.failedWrites++;
      return { kind: 'error', code: 'ENOSPC' };
    }
    if (operation === 'write' && this.#random.float() < shortShare) {
      return { kind: 'short', bytes: 1 + this.#random.below(64) };
    }
    return this.#takes(maxWriteMs);
  }

  #step(): void {
    const trap = this.#trap;
    if (trap === undefined || --trap.left > 0) return;
    this.#trap = undefined;
    trap.spring();
  }

  #takes(maxMs: number): FaultEffect {
    if (maxMs === 0) return atOnce;
    return { kind: 'delay', delayMs: this.#random.float() * maxMs };
  }
}

/** A disk whose files are never synced. */
function lying(disk: Disk): Disk {
  const open = async (path: string, mode: DiskOpenMode): Promise<DiskFile> => {
    const file = await disk.open(path, mode);
    return new Proxy(file, {
      get(target, name) {
        if (name === 'sync') return async () => {};
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  return new Proxy(disk, {
    get(target, name) {
      if (name === 'open') return open;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
