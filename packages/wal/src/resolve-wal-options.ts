import { type Clock, type Disk, nodeClock, nodeDisk, nodeRandom, type Random } from '@shanghai/env';
import type { WalDurability } from './wal.js';
import type { WalListener } from './wal-events.js';
import type { WalOptions } from './wal-options.js';

/** `WalOptions` with every field filled and checked. */
export interface ResolvedWalOptions {
  readonly directory: string;
  readonly durability: WalDurability;
  readonly syncIntervalMs: number;
  readonly segmentBytes: number;
  readonly firstSegmentBytes: number;
  readonly segmentAgeMs: number;
  readonly segmentsAhead: number;
  readonly maxRecordBytes: number;
  readonly maxQueuedBytes: number;
  readonly lingerMs: number;
  readonly writer: 'async' | 'blocking';
  readonly compression: 'none' | 'lz4';
  readonly retention: 'streams' | 'limits';
  readonly retainBytes: number | undefined;
  readonly retainMs: number | undefined;
  readonly lock: boolean;
  readonly breakLock: boolean;
  readonly logId: string | undefined;
  readonly firstLsn: number;
  readonly listener: WalListener;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
}

const kib = 1024;
const mib = 1024 * kib;

/** What an option is where the caller names none. */
export const walDefaults = {
  durability: 'always',
  syncIntervalMs: 100,
  segmentBytes: 64 * mib,
  firstSegmentBytes: mib,
  segmentAgeMs: 3_600_000,
  segmentsAhead: 1,
  maxRecordBytes: 16 * mib + 64 * kib,
  maxQueuedBytes: 64 * mib,
  lingerMs: 0,
  writer: 'async',
  compression: 'none',
  retention: 'streams',
} as const;

/** Fills in the defaults. Throws `RangeError` or `TypeError`, naming the option. */
export function resolveWalOptions(options: WalOptions): ResolvedWalOptions {
  const { directory, durability = walDefaults.durability, writer = walDefaults.writer } = options;
  if (typeof directory !== 'string' || directory === '') throw new TypeError('directory must be a path');
  if (!['always', 'interval', 'never'].includes(durability)) {
    throw new TypeError(`durability must be 'always', 'interval' or 'never', got '${durability}'`);
  }
  if (!['async', 'blocking'].includes(writer)) {
    throw new TypeError(`writer must be 'async' or 'blocking', got '${writer}'`);
  }
  const { compression = walDefaults.compression, retention = walDefaults.retention } = options;
  if (!['none', 'lz4'].includes(compression)) {
    throw new TypeError(`compression must be 'none' or 'lz4', got '${compression}'`);
  }
  if (!['streams', 'limits'].includes(retention)) {
    throw new TypeError(`retention must be 'streams' or 'limits', got '${retention}'`);
  }
  if (retention === 'limits' && options.retainBytes === undefined && options.retainMs === undefined) {
    throw new TypeError("retention 'limits' needs retainBytes or retainMs: without one nothing would ever go");
  }
  if (options.logId !== undefined && !/^[0-9a-f]{32}$/.test(options.logId)) {
    throw new TypeError(`logId must be 32 hexadecimal digits in lower case, got '${options.logId}'`);
  }
  const segmentBytes = within('segmentBytes', options.segmentBytes, walDefaults.segmentBytes, 64 * kib, 1024 * mib);
  const firstDefault = Math.min(walDefaults.firstSegmentBytes, segmentBytes);
  return {
    directory: directory.length > 1 && directory.endsWith('/') ? directory.slice(0, -1) : directory,
    durability,
    writer,
    segmentBytes,
    firstSegmentBytes: within('firstSegmentBytes', options.firstSegmentBytes, firstDefault, 8 * kib, segmentBytes),
    syncIntervalMs: within('syncIntervalMs', options.syncIntervalMs, walDefaults.syncIntervalMs, 1, 86_400_000),
    segmentAgeMs: within('segmentAgeMs', options.segmentAgeMs, walDefaults.segmentAgeMs, 1, 2_147_483_647),
    segmentsAhead: within('segmentsAhead', options.segmentsAhead, walDefaults.segmentsAhead, 0, 16),
    maxRecordBytes: within('maxRecordBytes', options.maxRecordBytes, walDefaults.maxRecordBytes, 1, 512 * mib),
    maxQueuedBytes: within('maxQueuedBytes', options.maxQueuedBytes, walDefaults.maxQueuedBytes, 1, 1024 * mib),
    lingerMs: within('lingerMs', options.lingerMs, walDefaults.lingerMs, 0, 10_000),
    compression,
    retention,
    retainBytes: optional('retainBytes', options.retainBytes),
    retainMs: optional('retainMs', options.retainMs),
    lock: options.lock ?? true,
    breakLock: options.breakLock ?? false,
    logId: options.logId,
    firstLsn: within('firstLsn', options.firstLsn, 1, 1, Number.MAX_SAFE_INTEGER),
    listener: options.listener ?? {},
    disk: options.disk ?? nodeDisk(),
    clock: options.clock ?? nodeClock(),
    random: options.random ?? nodeRandom(),
  };
}

function optional(name: string, given: number | undefined): number | undefined {
  return given === undefined ? undefined : within(name, given, given, 0, Number.MAX_SAFE_INTEGER);
}

function within(name: string, given: number | undefined, fallback: number, least: number, most: number): number {
  const value = given ?? fallback;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new RangeError(`${name} must be an integer in [${least}, ${most}], got ${value}`);
  }
  return value;
}
