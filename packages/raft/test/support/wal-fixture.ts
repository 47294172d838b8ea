import { createSeededRandom, type Disk } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import { openWal, type Wal, WalError, type WalErrorCode, type WalOptions } from '@shanghai/wal';
import {
  type Entry,
  type EntryType,
  emptyHardState,
  type HardState,
  type LogWrite,
  type SnapshotMetadata,
} from '../../src/index.js';

/** Ids must never come twice on a disk: stale frames of a recycled file would be taken for new ones. */
let openings = 0;

/** Opens a log with small segments. */
export function openWalOn(disk: Disk, options: Partial<WalOptions> = {}): Promise<Wal> {
  return openWal({
    directory: '/wal',
    disk,
    clock: createManualClock(),
    random: createSeededRandom(++openings),
    segmentBytes: 65_536,
    firstSegmentBytes: 8192,
    ...options,
  });
}

/** A log that can be told to refuse what is appended from now on, while what was appended goes through. */
export interface RefusingWal extends Wal {
  /** `undefined`: nothing is refused. */
  refuse(code: WalErrorCode | undefined): void;
}

/** Refusals come from the next turn on, or, with `late`, only when everything appended before is durable, or when that resolves. */
export function refusing(wal: Wal, late: boolean | Promise<void> = false): RefusingWal {
  let refused: WalErrorCode | undefined;
  const refusal = async (): Promise<never> => {
    const code = refused as WalErrorCode;
    if (late === true) await wal.flush();
    else await late;
    throw new WalError(code, `refused as ${code}`);
  };
  const overrides: Partial<RefusingWal> = {
    append: (payload, options) => (refused === undefined ? wal.append(payload, options) : refusal()),
    appendBatch: (records) => (refused === undefined ? wal.appendBatch(records) : refusal()),
    refuse: (code) => {
      refused = code;
    },
  };
  return new Proxy(wal, {
    get(target, name) {
      const own = overrides[name as keyof RefusingWal];
      if (own !== undefined) return own;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  }) as RefusingWal;
}

/** Entries with these terms, from an index on; their data tell which they are. */
export function entriesOf(first: number, ...terms: readonly number[]): Entry[] {
  return terms.map((term, i) => entryOf(first + i, term));
}

/** One entry. */
export function entryOf(index: number, term: number, bytes = 12, type: EntryType = 'EntryNormal'): Entry {
  const data = new Uint8Array(bytes).fill((index * 7 + term) % 251);
  return { index, term, type, data };
}

/** What is to be appended. */
export function write(
  entries: readonly Entry[],
  hardState: HardState = emptyHardState,
  snapshot?: SnapshotMetadata,
): LogWrite {
  return { snapshot, entries, hardState };
}
