/**
 * One set of a keyspace's rows as another node gets them: all of one moment, read page by page while entries go on to be
 * folded. What is read later is put back to that moment:
 *
 * - versions of entries that came since are left out, told by the positions of the streams at that moment;
 * - where a change takes versions of that moment out of a row (a verdict, rows that forget, more versions than a row keeps),
 *   the row is kept as it was, in memory, until its page has gone out.
 *
 * So it costs memory by what is forgotten meanwhile, and not by what is written.
 */
import {
  compareKeys,
  decodeRow,
  type EntryId,
  encodeRow,
  encodeRowPage,
  type GivingId,
  type Hlc,
  ReplicationError,
  type Row,
  type RowsEnd,
  type StreamId,
  withoutVersions,
} from '@shanghai/replication';
import type { FoldStore } from '../apply/fold-store.js';
import { keyOfRow, rowKey } from '../apply/keyspace-keys.js';
import { keyspaceLogId } from '../apply/keyspace-log.js';
import type { StateMachine } from '../apply/state-machine.js';
import type { StorageEngine } from '../engine/storage-engine.js';

/** A page as it travels, and where the next one begins; after the last one what the set stands for. */
export interface GivenRows {
  readonly bytes: Uint8Array;
  readonly next: Uint8Array | undefined;
}

/** Bytes of rows that are kept as they were. */
const maxKeptBytes = 32 * 1024 * 1024;

/** Rows of one page. */
const maxPageRows = 4096;

const noBytes = new Uint8Array(0);

interface FoundRow {
  readonly key: Uint8Array;
  readonly row: Row;
}

/** A set of rows that is being given. */
export class RowGiving {
  readonly id: GivingId;
  readonly end: RowsEnd;
  readonly #keyspaceId: number;
  readonly #floor: Hlc;
  readonly #positions = new Map<string, number>();
  /** As they were, by key; `undefined`: there was none. */
  readonly #kept = new Map<string, { readonly key: Uint8Array; readonly row: Row | undefined }>();
  #keptBytes = 0;
  #failure: ReplicationError | undefined;
  readonly #unwatch: () => void;

  /** The state of the keyspace as it is now, between two runs. Throws `BUSY` where it has taken over half of another's. */
  constructor(keyspaceId: number, fold: FoldStore, { streams, visible }: StateMachine) {
    const { floor, takeover, removed, acceptedMs } = fold.state();
    if (takeover !== undefined) {
      throw new ReplicationError('BUSY', `keyspace ${keyspaceId} takes over rows itself; its own can be given later`);
    }
    const { origin, epoch } = streams.own;
    this.id = { origin, epoch, number: visible.appliedIndex };
    this.#keyspaceId = keyspaceId;
    this.#floor = floor;
    const known = streams.ofLog(keyspaceLogId(keyspaceId)).filter(({ lastSequence }) => lastSequence > 0);
    for (const stream of known) this.#positions.set(nameOf(stream), stream.lastSequence);
    const positions = known.map(({ lastSequence: sequence, lastHlc: hlc, ...stream }) => {
      return { origin: stream.origin, epoch: stream.epoch, sequence, hlc };
    });
    const lost = fold.losses().map(({ key, lost: both }) => ({ key, lost: both }));
    const tail = { verdicts: fold.allVerdicts(), held: [...fold.allHeld()], lost, removed, acceptedMs };
    this.end = { tail, positions };
    this.#unwatch = fold.watch((key, before, after) => this.#changed(key, before, after));
  }

  /** The streams of the log, and what comes of each behind the rows. */
  get covered(): { readonly stream: StreamId; readonly firstSequence: number }[] {
    const logId = keyspaceLogId(this.#keyspaceId);
    return this.end.positions.map(({ origin, epoch, sequence }) => {
      return { stream: { logId, origin, epoch }, firstSequence: sequence + 1 };
    });
  }

  /** The page from a key on; without one the first. Rejects with `BUSY` where the set cannot be given to its end. */
  async page(store: StorageEngine, from: Uint8Array | undefined, maxBytes: number): Promise<GivenRows> {
    const { found, to } = await this.#read(store, from, maxBytes);
    // Memory is ahead of the store: whatever a read may have missed of the moment is kept here by now.
    if (this.#failure !== undefined) throw this.#failure;
    const rows = this.#asItWas(found, from, to);
    const range = { ...(from === undefined ? {} : { from }), ...(to === undefined ? { end: this.end } : { to }) };
    return { bytes: encodeRowPage({ giving: this.id, floor: this.#floor, rows, ...range }), next: to };
  }

  /** It is given no more. Idempotent. */
  stop(): void {
    this.#unwatch();
    this.#kept.clear();
    this.#failure ??= new ReplicationError('BUSY', 'these rows are not given any more');
  }

  async #read(store: StorageEngine, from: Uint8Array | undefined, maxBytes: number) {
    const start = rowKey(this.#keyspaceId, from ?? noBytes);
    const end = rowKey(this.#keyspaceId + 1, noBytes);
    const found: FoundRow[] = [];
    let bytes = 0;
    for await (const { key: stored, value } of store.range({ start, end, horizonMs: 0 })) {
      const key = Uint8Array.from(keyOfRow(stored));
      if (found.length > 0 && (bytes + key.length + value.length > maxBytes || found.length === maxPageRows)) {
        return { found, to: key };
      }
      bytes += key.length + value.length;
      found.push({ key, row: decodeRow(Uint8Array.from(value)) });
    }
    return { found, to: undefined };
  }

  #asItWas(found: readonly FoundRow[], from: Uint8Array | undefined, to: Uint8Array | undefined): FoundRow[] {
    const rows = new Map<string, FoundRow>();
    for (const { key, row } of found) {
      const then = this.#ofThen(row);
      if (then !== undefined) rows.set(textOf(key), { key, row: then });
    }
    for (const [name, { key, row }] of this.#kept) {
      if (from !== undefined && compareKeys(key, from) < 0) this.#forget(name);
      else if (to === undefined || compareKeys(key, to) < 0) {
        if (row === undefined) rows.delete(name);
        else rows.set(name, { key, row });
      }
    }
    return [...rows.values()].sort((a, b) => compareKeys(a.key, b.key));
  }

  /** Called for every change since that moment. */
  #changed(key: Uint8Array, before: Row | undefined, after: Row | undefined): void {
    if (before === undefined || this.#failure !== undefined) return;
    const isGone = ({ stamp }: { stamp: EntryId }) =>
      this.#isOfThen(stamp) && !(after?.some((version) => isSame(version.stamp, stamp)) ?? false);
    if (!before.some(isGone)) return;
    const name = textOf(key);
    if (this.#kept.has(name)) return;
    const row = this.#ofThen(before);
    this.#kept.set(name, { key: Uint8Array.from(key), row });
    this.#keptBytes += sizeOf(name, row);
    if (this.#keptBytes > maxKeptBytes) {
      this.stop();
    }
  }

  #forget(name: string): void {
    this.#keptBytes -= sizeOf(name, this.#kept.get(name)?.row);
    this.#kept.delete(name);
  }

  #ofThen(row: Row): Row | undefined {
    return withoutVersions(row, ({ stamp }) => !this.#isOfThen(stamp));
  }

  #isOfThen(id: EntryId): boolean {
    return id.sequence <= (this.#positions.get(nameOf(id)) ?? 0);
  }
}

function nameOf({ origin, epoch }: { readonly origin: number; readonly epoch: number }): string {
  return `${origin}.${epoch}`;
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

function sizeOf(name: string, row: Row | undefined): number {
  return 64 + name.length + (row === undefined ? 0 : encodeRow(row).length);
}

function isSame(a: EntryId, b: EntryId): boolean {
  return a.origin === b.origin && a.epoch === b.epoch && a.sequence === b.sequence;
}
