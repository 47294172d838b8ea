/**
 * What must hold of the copies of a log of mode multi-master, whatever happened: of each stream (origin, epoch) the same
 * entries everywhere, numbered without gap; everything acknowledged in its place, what was refused nowhere, nothing twice;
 * what was appended behind an answer stands behind it.
 */
import { createHash } from 'node:crypto';
import { Violation } from '../../raft/truth.js';

/** Where the records of an append came to lie. */
export interface LedgerPlace {
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
}

/** One append, as who made it knows it. */
export interface LedgerAppend {
  /** Different ones, of this append alone. */
  readonly values: readonly string[];
  /** The node that was asked. */
  readonly nodeId: number;
  readonly startMs: number;
  /** When it was answered; infinite where it never was. */
  endMs: number;
  /** `durable`: it is on the node's disk, and where is not known. */
  outcome: 'acknowledged' | 'durable' | 'refused' | 'unknown';
  place?: LedgerPlace;
}

/** An entry as a node gives it. */
export interface LedgerEntry {
  readonly origin: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly timeMs: number;
  readonly value: string;
}

/** The copy of a node, in whatever order of the streams. */
export type LedgerCopy = readonly LedgerEntry[];

/** The name of an entry's stream. */
export function streamOf({ origin, epoch }: Pick<LedgerEntry, 'origin' | 'epoch'>): string {
  return `${origin}.${epoch}`;
}

/** Of each stream how many entries a copy holds, and the SHA-256 over all that they say. Throws a `Violation` at a gap. */
export function sumsOf(copy: LedgerCopy, whose: string): ReadonlyMap<string, { count: number; sum: string }> {
  const streams = new Map<string, { count: number; timeMs: number; hash: ReturnType<typeof createHash> }>();
  for (const entry of copy) {
    const name = streamOf(entry);
    const known = streams.get(name) ?? { count: 0, timeMs: 0, hash: createHash('sha256') };
    streams.set(name, known);
    if (entry.sequence !== known.count + 1) {
      throw new Violation(`ledger: ${whose} gives entry ${entry.sequence} of ${name} behind ${known.count}`);
    }
    if (entry.timeMs < known.timeMs) throw new Violation(`ledger: time falls at entry ${entry.sequence} of ${name}`);
    known.count++;
    known.timeMs = entry.timeMs;
    known.hash.update(`${entry.sequence} ${entry.timeMs} ${entry.value.length} ${entry.value}`);
  }
  return new Map([...streams].sort().map(([name, { count, hash }]) => [name, { count, sum: hash.digest('hex') }]));
}

/** Throws a `Violation` unless all copies, by the node that gave them, are the same. */
export function checkSameCopies(copies: ReadonlyMap<number, LedgerCopy>): void {
  const texts = [...copies].map(([nodeId, copy]) => [nodeId, JSON.stringify([...sumsOf(copy, `node ${nodeId}`)])]);
  const [first, ...others] = texts;
  for (const [nodeId, text] of others) {
    if (text !== first?.[1]) {
      throw new Violation(`ledger: node ${first?.[0]} holds ${first?.[1]}, node ${nodeId} holds ${text}`);
    }
  }
}

/**
 * Throws a `Violation` where a copy contradicts what was told. `lostNodes`: nodes whose disks are gone; what they alone
 * had acknowledged may be missing, at the end of their streams.
 */
export function checkLedger(
  appends: readonly LedgerAppend[],
  copy: LedgerCopy,
  lostNodes: ReadonlySet<number> = new Set(),
): void {
  const places = placesOf(appends, copy);
  for (const append of appends) {
    const found = append.values.map((value) => places.get(value));
    const [first] = found;
    const said = `${named(append)} (${append.outcome} by node ${append.nodeId})`;
    if (found.some((entry) => (entry === undefined) !== (first === undefined))) {
      throw new Violation(`ledger: of ${said} a part is there`);
    }
    if (first === undefined) {
      const must = append.outcome === 'acknowledged' || append.outcome === 'durable';
      if (must && !lostNodes.has(append.nodeId)) throw new Violation(`ledger: ${said} is not there`);
      continue;
    }
    checkPlace(append, found as LedgerEntry[], said);
  }
  checkOrder(appends, places);
}

/** Of each value its entry. */
function placesOf(appends: readonly LedgerAppend[], copy: LedgerCopy): ReadonlyMap<string, LedgerEntry> {
  const known = new Set(appends.flatMap(({ values }) => values));
  const places = new Map<string, LedgerEntry>();
  for (const entry of copy) {
    if (!known.has(entry.value)) throw new Violation(`ledger: nobody appended ${described(entry)}`);
    const before = places.get(entry.value);
    if (before !== undefined) {
      throw new Violation(`ledger: ${described(entry)} is there twice, also as ${before.sequence}`);
    }
    places.set(entry.value, entry);
  }
  return places;
}

function checkPlace({ outcome, place, nodeId }: LedgerAppend, found: readonly LedgerEntry[], said: string): void {
  const [first] = found as [LedgerEntry];
  if (outcome === 'refused')
    throw new Violation(`ledger: ${said} is there, as ${first.sequence} of ${streamOf(first)}`);
  if (first.origin !== nodeId) throw new Violation(`ledger: ${said} is an entry of node ${first.origin}`);
  for (const [i, entry] of found.entries()) {
    if (streamOf(entry) !== streamOf(first) || entry.sequence !== first.sequence + i) {
      throw new Violation(`ledger: ${said} does not stand together`);
    }
  }
  if (place === undefined) return;
  if (streamOf(place) !== streamOf(first) || place.firstSequence !== first.sequence) {
    throw new Violation(`ledger: ${said} was told ${JSON.stringify(place)} and is ${described(first)}`);
  }
}

/** What began when another append at the same node had been answered comes behind it, also in a later epoch. */
function checkOrder(appends: readonly LedgerAppend[], places: ReadonlyMap<string, LedgerEntry>): void {
  const placed = appends.flatMap((append) => {
    const entry = places.get(append.values[0] as string);
    return entry === undefined ? [] : [{ append, entry }];
  });
  placed.sort(
    (a, b) => a.entry.origin - b.entry.origin || a.entry.epoch - b.entry.epoch || a.entry.sequence - b.entry.sequence,
  );
  let latest: LedgerAppend | undefined;
  for (const { append } of placed) {
    if (latest !== undefined && latest.nodeId !== append.nodeId) latest = undefined;
    // A numbered append is begun once and sent often; its answer is the last one's.
    if (latest !== undefined && append.endMs < latest.startMs) {
      throw new Violation(
        `ledger: ${named(append)} was answered before ${named(latest)} was begun, and stands behind it`,
      );
    }
    if (latest === undefined || append.startMs > latest.startMs) latest = append;
  }
}

/** Values are long; what is before the first semicolon tells them apart. */
function short(value: string): string {
  return value.split(';')[0] as string;
}

function named({ values }: LedgerAppend): string {
  return values.map(short).join();
}

function described(entry: LedgerEntry): string {
  return `${streamOf(entry)}.${entry.sequence} '${short(entry.value)}'`;
}
