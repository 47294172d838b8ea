import { type Clock, type Disk, nodeClock, nodeDisk, nodeRandom, type Random } from '@shanghai/env';
import type { BitcaskDurability } from './bitcask.js';
import type { BitcaskListener } from './bitcask-events.js';
import type { BitcaskOptions, CompressionOptions, KeydirSnapshotOptions, MergeOptions } from './bitcask-options.js';
import { keyLimitBytes } from './core/record.js';

const kib = 1024;
const mib = 1024 * kib;
const gib = 1024 * mib;

/** The largest value the format's readers take. */
export const valueLimitBytes = gib;

/** Options that hold others: without types, `merge: false` would otherwise read as `merge: {}`, which is on. */
const groups = ['compression', 'cache', 'merge', 'keydirSnapshot', 'listener'] as const;

/** `BitcaskOptions` with nothing left open. */
export interface ResolvedBitcaskOptions {
  readonly directory: string;
  readonly durability: BitcaskDurability;
  readonly syncIntervalMs: number;
  readonly segmentBytes: number;
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
  readonly maxQueuedBytes: number;
  readonly horizon: () => number;
  readonly compression: Required<CompressionOptions>;
  readonly cache: { readonly maxBytes: number; readonly ttlMs: number };
  readonly merge: ResolvedMergeOptions;
  readonly keydirSnapshot: Required<KeydirSnapshotOptions>;
  readonly checkpointIntervalMs: number;
  /** 0 = never by operations. */
  readonly checkpointOperations: number;
  readonly maxOpenFiles: number;
  readonly snapshotMemoryBytes: number;
  readonly lock: boolean;
  readonly breakLock: boolean;
  readonly readOnly: boolean;
  readonly listener: BitcaskListener;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
}

/** `MergeOptions` with nothing left open but the window. */
export type ResolvedMergeOptions = Required<Omit<MergeOptions, 'window'>> & { readonly window: MergeOptions['window'] };

/** Fills in the defaults and throws `TypeError` or `RangeError` for what is out of range. */
export function resolveBitcaskOptions(options: BitcaskOptions): ResolvedBitcaskOptions {
  if (typeof options.directory !== 'string' || options.directory === '')
    throw new TypeError('directory must be a non-empty string');
  for (const name of groups) refuseOtherThanObject(name, options[name]);
  if (options.horizon !== undefined && typeof options.horizon !== 'function')
    throw new TypeError('horizon must be a function that returns milliseconds since 1970');
  const clock = options.clock ?? nodeClock();
  const segmentBytes = integer('segmentBytes', options.segmentBytes ?? 100 * mib, 4 * kib, gib);
  return {
    directory: options.directory,
    durability: oneOf('durability', options.durability ?? 'always', ['always', 'interval', 'never']),
    syncIntervalMs: integer('syncIntervalMs', options.syncIntervalMs ?? 1_000, 1, 3_600_000),
    segmentBytes,
    maxKeyBytes: integer('maxKeyBytes', options.maxKeyBytes ?? 65_536, 1, keyLimitBytes),
    maxValueBytes: integer('maxValueBytes', options.maxValueBytes ?? 16 * mib, 1, valueLimitBytes),
    maxQueuedBytes: integer('maxQueuedBytes', options.maxQueuedBytes ?? 64 * mib, 64 * kib, gib),
    horizon: options.horizon ?? (() => clock.nowMs()),
    compression: {
      codec: oneOf('compression.codec', options.compression?.codec ?? 'none', ['none', 'lz4', 'gzip']),
      level: integer('compression.level', options.compression?.level ?? 1, 1, 9),
      minBytes: integer('compression.minBytes', options.compression?.minBytes ?? 1_024, 1, valueLimitBytes),
    },
    cache: {
      maxBytes: integer('cache.maxBytes', options.cache?.maxBytes ?? 0, 0, Number.MAX_SAFE_INTEGER),
      ttlMs: integer('cache.ttlMs', options.cache?.ttlMs ?? 300_000, 1, Number.MAX_SAFE_INTEGER),
    },
    merge: resolveMerge(options.merge ?? {}),
    keydirSnapshot: resolveKeydirSnapshot(options.keydirSnapshot ?? {}),
    checkpointIntervalMs: integer('checkpointIntervalMs', options.checkpointIntervalMs ?? 60_000, 1, 86_400_000),
    checkpointOperations: integer(
      'checkpointOperations',
      options.checkpointOperations ?? 0,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    maxOpenFiles: integer('maxOpenFiles', options.maxOpenFiles ?? 256, 4, 1_000_000),
    snapshotMemoryBytes: integer(
      'snapshotMemoryBytes',
      options.snapshotMemoryBytes ?? 64 * mib,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    lock: options.lock ?? true,
    breakLock: options.breakLock ?? false,
    readOnly: options.readOnly ?? false,
    listener: options.listener ?? {},
    disk: options.disk ?? nodeDisk(),
    clock,
    random: options.random ?? nodeRandom(),
  };
}

function resolveKeydirSnapshot(snapshot: KeydirSnapshotOptions): Required<KeydirSnapshotOptions> {
  const most = Number.MAX_SAFE_INTEGER;
  return {
    enabled: snapshot.enabled ?? true,
    minKeys: integer('keydirSnapshot.minKeys', snapshot.minKeys ?? 100_000, 0, most),
    everyOperations: integer('keydirSnapshot.everyOperations', snapshot.everyOperations ?? 1_000_000, 0, most),
  };
}

function resolveMerge(merge: MergeOptions): ResolvedMergeOptions {
  if (merge.window !== undefined) {
    integer('merge.window.fromHour', merge.window.fromHour, 0, 23);
    integer('merge.window.toHour', merge.window.toHour, 0, 24);
    if (merge.window.fromHour === merge.window.toHour)
      throw new RangeError(
        'merge.window is empty: fromHour and toHour must differ; for no merges set merge.enabled to false',
      );
  }
  return {
    enabled: merge.enabled ?? true,
    staleRatio: share('merge.staleRatio', merge.staleRatio ?? 0.3),
    storeStaleRatio: share('merge.storeStaleRatio', merge.storeStaleRatio ?? 0.5),
    deadBytes: integer('merge.deadBytes', merge.deadBytes ?? 512 * mib, 1, Number.MAX_SAFE_INTEGER),
    minSegments: integer('merge.minSegments', merge.minSegments ?? 3, 1, 1_000_000),
    bytesPerSecond: integer('merge.bytesPerSecond', merge.bytesPerSecond ?? 50 * mib, 0, Number.MAX_SAFE_INTEGER),
    checkIntervalMs: integer('merge.checkIntervalMs', merge.checkIntervalMs ?? 10_000, 1, 86_400_000),
    window: merge.window,
  };
}

function refuseOtherThanObject(name: string, value: unknown): void {
  if (value === undefined || (typeof value === 'object' && value !== null)) return;
  throw new TypeError(`${name} must be an object with options of its own, not ${String(value)}`);
}

function share(name: string, value: number): number {
  if (!(value > 0 && value <= 1)) throw new RangeError(`${name} must lie in (0, 1], not ${value}`);
  return value;
}

function integer(name: string, value: number, low: number, high: number): number {
  if (!Number.isSafeInteger(value) || value < low || value > high) {
    throw new RangeError(`${name} must be an integer in [${low}, ${high}], not ${value}`);
  }
  return value;
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) throw new RangeError(`${name} must be one of ${allowed.join(', ')}, not '${value}'`);
  return value;
}
