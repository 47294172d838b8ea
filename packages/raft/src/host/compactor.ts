import { payloadBytes } from '../core/entry.js';
import type { GroupLog } from '../ports/group-log.js';
import type { ConfigurationHistory } from './configuration-history.js';
import type { HostLimits } from './host-options.js';

/** What an entry costs in memory beside its data, about. */
const entryOverheadBytes = 64;
/** A log that followers wait for may be so many times longer than one is cut at. */
const heldFactor = 8;
const stepEntries = 1_024;

/** What cutting stands on. */
export interface CompactorOptions {
  readonly log: GroupLog;
  readonly limits: HostLimits;
  readonly history: ConfigurationHistory;
  /** The log behind it is needed by followers that get a snapshot. */
  readonly heldIndex: () => number;
  onCompacted(index: number, bytes: number): void;
}

/** Cuts one group's log, one cut at a time. */
export class Compactor {
  readonly #options: CompactorOptions;
  #running: Promise<void> = Promise.resolve();
  #durableIndex = 0;

  constructor(options: CompactorOptions) {
    this.#options = options;
  }

  /** Entries up to `durableIndex`, which were applied, are not needed here any more. */
  compact(durableIndex: number): Promise<void> {
    this.#durableIndex = Math.max(this.#durableIndex, durableIndex);
    // A cut that failed, for want of space say, does not stand in the way of the next.
    this.#running = this.#running.catch(() => {}).then(() => this.#cut());
    return this.#running;
  }

  async #cut(): Promise<void> {
    const { log, limits, history, heldIndex, onCompacted } = this.#options;
    const index = cutIndex(log, limits, this.#durableIndex, heldIndex());
    if (index === undefined) return;
    const before = log.bytes;
    await log.compact(index, history.at(index));
    history.cut(index);
    onCompacted(index, before - log.bytes);
  }
}

/** Up to where to cut, if it is worth it. */
export function cutIndex(
  log: GroupLog,
  limits: HostLimits,
  durableIndex: number,
  heldIndex: number,
): number | undefined {
  const firstIndex = log.firstIndex();
  const index = behindTrailing(log, limits, Math.min(durableIndex, log.lastIndex()));
  const cut = sizeOf(log) > heldFactor * limits.compactBytes ? index : Math.min(index, heldIndex);
  return isLarger(log, firstIndex, cut, limits.compactBytes) ? cut : undefined;
}

function sizeOf(log: GroupLog): number {
  return log.bytes + entryOverheadBytes * (log.lastIndex() - log.firstIndex() + 1);
}

/** The last index with as much between it and `durableIndex` as is to be kept. */
function behindTrailing(log: GroupLog, limits: HostLimits, durableIndex: number): number {
  let index = Math.max(durableIndex - limits.trailingEntries, log.firstIndex() - 1);
  let bytes = 0;
  for (let to = durableIndex + 1; to > index + 1; ) {
    const from = Math.max(to - stepEntries, index + 1);
    const entries = log.entries(from, to, Number.POSITIVE_INFINITY);
    if (typeof entries === 'string') return index;
    for (let i = entries.length - 1; i >= 0; i--) {
      bytes += (entries[i]?.data.length ?? 0) + entryOverheadBytes;
      if (bytes > limits.trailingBytes) index = Math.max(index, from + i);
    }
    to = from;
  }
  return index;
}

/** Whether the entries from `from` to `to` are more than `bytes`. */
function isLarger(log: GroupLog, from: number, to: number, bytes: number): boolean {
  let sum = 0;
  for (let at = from; at <= to; at += stepEntries) {
    const entries = log.entries(at, Math.min(at + stepEntries, to + 1), Number.POSITIVE_INFINITY);
    if (typeof entries === 'string') return false;
    sum += payloadBytes(entries) + entryOverheadBytes * entries.length;
    if (sum > bytes) return true;
  }
  return false;
}
