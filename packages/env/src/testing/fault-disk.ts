import type { Disk } from '../disk.js';

/**
 * A disk in memory that loses and damages data as real ones do, all decided by one seed, so that a run replays.
 *
 * A *step* is one call that changes something or makes it durable: create, write, truncate, sync, rename, link,
 * remove, removeDirectory, makeDirectory, syncDirectory. Steps are counted from 1. A call that makes several changes
 * (a deep makeDirectory) is one step, whose parts survive on their own.
 *
 * Paths begin at the root whether or not they begin with `/`; `files`, the trace and rules show them with it.
 *
 * A write in flight is seen by readers and may survive a crash, but is covered only by a sync that begins after its
 * promise has resolved. `close` and `release` of a lock always succeed.
 */
export interface FaultDisk extends Disk {
  readonly seed: number;
  /** Steps begun so far. */
  readonly steps: number;
  /** What was done, oldest first, one line a step: `17 write /wal/0001.log 4096+160`, faults behind a `!`. */
  readonly trace: readonly string[];
  /** The power fails right after step `step`: its effect is in the cache only, it and every later call reject with `DISK_CRASHED`. */
  crashAfterStep(step: number): void;
  /** The power fails now. */
  crash(): void;
  readonly crashed: boolean;
  /** Open files now, for tests that look for leaks. */
  readonly openFiles: number;
  /**
   * The disk as the next start finds it (this one crashes if it has not), fresh step count and trace, no rules, no locks. What was synced is there. Of what was not, `survival` decides:
   * `'none'` loses all of it, `'all'` keeps all of it, `'random'` (the default) draws for every un-synced write, tear
   * (512 bytes), truncation and directory entry on its own from the seed. `'all'` is what the death of the process alone
   * leaves.
   *
   * Changes nothing here: it may be called again, and each call draws anew. `draw` (an integer ≥ 0; by default the
   * number of restarts so far) names the draw: the same one gives the same disk.
   */
  restart(survival?: CrashSurvival, draw?: number): FaultDisk;
  /** What `restart` would give if the power failed now; this disk runs on. */
  afterCrash(survival?: CrashSurvival, draw?: number): FaultDisk;
  /** Adds a fault; returns a function that takes it away. */
  inject(rule: FaultRule): () => void;
  /** Flips the bits of `mask` in the byte at `offset`, on the platter and in the cache. */
  corrupt(path: string, offset: number, mask: number): void;
  /** The bytes of a file as a reader would see them now. */
  contents(path: string): Uint8Array;
  /** Makes a file, or overwrites its bytes, durable at once with its name: for tests that truncate or damage by hand. */
  setContents(path: string, bytes: Uint8Array): void;
  /** Every file's path, sorted. */
  files(): string[];
}

/** What becomes of un-synced changes at a crash; see `FaultDisk.restart`. */
export type CrashSurvival = 'none' | 'all' | 'random';

/** The operations a rule can meet. */
export type DiskOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'link'
  | 'remove'
  | 'list'
  | 'makeDirectory'
  | 'syncDirectory';

/** One fault. It meets the calls of `operation` whose path matches, from the `after`-th (0 = the next) on, `times` times. Of several due, the oldest counts. */
export interface FaultRule {
  readonly operation: DiskOperation;
  readonly path?: RegExp;
  /** Matching calls let through first. Default 0. */
  readonly after?: number;
  /** How many calls it meets. Default 1; `Infinity` = until taken away. */
  readonly times?: number;
  readonly effect: FaultEffect;
}

/**
 * `error`: the call fails with this errno, having done nothing (a failing sync also drops the un-synced bytes or keeps
 * them, drawn from the seed, and marks them clean, so that the next sync succeeds without them). `short`: a read or
 * write moves at most this many bytes (and at least one). `delay`: completes after this long on the disk's clock. `stall`: completes when
 * `release` settles. Neither meets the blocking forms, which cannot wait. `flip`: a read returns one flipped bit.
 */
export type FaultEffect =
  | { readonly kind: 'error'; readonly code: string }
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'stall'; readonly release: Promise<void> }
  | { readonly kind: 'flip' };
