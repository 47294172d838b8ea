import type { LogReadResponse, LogTailResponse } from '@shanghai/proto';
import type { LogEntry, LogScope } from '../named-logs.js';
import { logEntryOf } from './log-wire.js';
import { PackedRun } from './packed-run.js';

/** The entries of an answer, one at a time. */
export interface PageEntries {
  /** The next one; `undefined` at the end. */
  next(): LogEntry | undefined;
}

/** Opens an answer, packed or not. Throws `ClientError` where packed entries were damaged on their way. */
export function pageEntries(
  { entries, packed }: LogReadResponse | LogTailResponse,
  order: LogScope['order'],
): PageEntries {
  if (packed.length === 0) return plainEntries(entries);
  const runs = packed.map((message) => new PackedRun(message));
  return order === 'time' && runs.length > 1 ? mergedEntries(runs) : { next: inTurn(runs) };
}

/** The same, all of them. */
export function allEntries(response: LogReadResponse, order: LogScope['order']): LogEntry[] {
  const page = pageEntries(response, order);
  const entries: LogEntry[] = [];
  for (let entry = page.next(); entry !== undefined; entry = page.next()) entries.push(entry);
  return entries;
}

function plainEntries(entries: LogReadResponse['entries']): PageEntries {
  let index = 0;
  return {
    next() {
      const entry = entries[index++];
      return entry === undefined ? undefined : logEntryOf(entry);
    },
  };
}

function inTurn(runs: readonly PackedRun[]): PageEntries['next'] {
  let index = 0;
  let run = runs[0];
  return () => {
    while (run?.isAtEnd === true) run = runs[++index];
    return run?.take();
  };
}

function mergedEntries(runs: readonly PackedRun[]): PageEntries {
  return {
    next() {
      let first: PackedRun | undefined;
      for (const run of runs) {
        if (!run.isAtEnd && (first === undefined || isBefore(run, first))) first = run;
      }
      return first?.take();
    },
  };
}

/** By stamp, origin, epoch, sequence: the same on every node. */
function isBefore(a: PackedRun, b: PackedRun): boolean {
  const order =
    a.stampHigh - b.stampHigh ||
    a.stampLow - b.stampLow ||
    a.origin - b.origin ||
    a.epoch - b.epoch ||
    a.sequence - b.sequence;
  return order < 0;
}
