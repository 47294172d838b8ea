/**
 * The files of named logs: one log of frames per (log, origin), `logs/<log id>/<origin>/`.
 *
 * They are written after the entry is committed and not synced then; a checkpoint syncs them, and only then is the
 * command log cut. So an append costs no sync of its own, however many logs there are. A sequence number is the record's
 * LSN in its file log. Files are opened when somebody needs them, and the least recently used are closed again.
 */
import { type Clock, type Disk, ensureDirectory, invariant, isErrno, type Random } from '@shanghai/env';
import { openWal, type Wal, type WalListener, type WalRecord } from '@shanghai/wal';
import type { AcceptedAppend } from '../apply/log-table.js';
import type { LogWriter } from '../apply/log-writer.js';
import { ServerError } from '../requests/server-error.js';
import { encodeFileRecords, fileRecordIndex } from './log-file-record.js';
import { removeTree } from './remove-tree.js';

/** What the files are made with. */
export interface LogFilesOptions {
  /** `logs/` of the data directory. */
  readonly directory: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** Files open at once; more only while they are in use. */
  readonly maxOpen: number;
  /** Largest record, and what may wait for the writer of one log. */
  readonly maxRecordBytes: number;
  readonly maxQueuedBytes: number;
  readonly segmentBytes: number;
  readonly firstSegmentBytes: number;
  readonly listener?: WalListener;
}

/** A log's files. */
export interface LogPlace {
  readonly logId: number;
  readonly origin: number;
}

interface OpenFile {
  readonly place: LogPlace;
  readonly wal: Promise<Wal>;
  users: number;
  dirty: boolean;
}

/** The files of all logs of this node. */
export class LogFiles implements LogWriter {
  readonly #options: LogFilesOptions;
  readonly #clock: Clock;
  /** In the order of last use, oldest first. */
  readonly #open = new Map<string, OpenFile>();
  readonly #closing = new Map<string, Promise<void>>();
  #writingTimeMs = 0;
  /** Why files that were closed to make room may not be on the disk: nothing is durable behind it. */
  #closeFailure: unknown;

  constructor(options: LogFilesOptions) {
    this.#options = options;
    // Frames carry log time, so that a search by time follows the entries' own.
    this.#clock = {
      nowMs: () => this.#writingTimeMs,
      monotonicMs: () => options.clock.monotonicMs(),
      setTimer: (delayMs, callback) => options.clock.setTimer(delayMs, callback),
    };
  }

  /** How many are open now. */
  get openCount(): number {
    return this.#open.size;
  }

  async write(accepted: readonly AcceptedAppend[]): Promise<void> {
    const byLog = new Map<string, AcceptedAppend[]>();
    for (const append of accepted) {
      const name = nameOf(append);
      const group = byLog.get(name);
      if (group === undefined) byLog.set(name, [append]);
      else group.push(append);
      this.#writingTimeMs = Math.max(this.#writingTimeMs, append.timeMs);
    }
    await Promise.all([...byLog.values()].map((appends) => this.#writeLog(appends)));
  }

  /** Calls `use` with a log's files, which stay open meanwhile. */
  async use<T>(place: LogPlace, use: (wal: Wal) => Promise<T>): Promise<T> {
    const file = this.#acquire(place);
    try {
      return await use(await file.wal);
    } finally {
      file.users--;
      this.#closeSome();
    }
  }

  /** Syncs every file written since the last call. Rejects for good once a file could not be synced. */
  async flush(): Promise<void> {
    const dirty = [...this.#open.values()].filter((file) => file.dirty);
    for (const file of dirty) file.dirty = false;
    // A file that is being closed is synced by that.
    await Promise.all([...dirty.map(async (file) => (await file.wal).flush()), ...this.#closing.values()]);
    if (this.#closeFailure !== undefined) throw this.#closeFailure;
  }

  /** Bytes and segments of a log's files, without opening them. */
  async size(place: LogPlace): Promise<{ readonly bytes: number; readonly segments: number }> {
    const directory = this.#directory(place);
    const { disk } = this.#options;
    const names = (await listIfPresent(disk, directory)).filter((name) => name.endsWith('.wal'));
    let bytes = 0;
    for (const name of names) bytes += (await disk.stat(`${directory}/${name}`))?.bytes ?? 0;
    return { bytes, segments: names.length };
  }

  /** The logs that are open now. */
  openPlaces(): LogPlace[] {
    return [...this.#open.values()].map((file) => file.place);
  }

  /** Removes the files of logs that are gone. Only for what is durably gone from the state. */
  async removeGone(isGone: (logId: number) => boolean): Promise<void> {
    const { disk, directory } = this.#options;
    for (const name of await listIfPresent(disk, directory)) {
      if (!/^\d+$/.test(name) || !isGone(Number(name))) continue;
      const open = [...this.#open].filter(([, { place }]) => place.logId === Number(name));
      // A reader that is still at it keeps its files until the next time.
      if (open.some(([, file]) => file.users > 0)) continue;
      for (const [key, file] of open) await this.#close(key, file);
      await removeTree(disk, `${directory}/${name}`);
    }
  }

  /** Syncs and closes all files. */
  async close(): Promise<void> {
    for (const [name, file] of [...this.#open]) this.#close(name, file);
    await Promise.all(this.#closing.values());
  }

  async #writeLog(appends: readonly AcceptedAppend[]): Promise<void> {
    await this.use(appends[0] as AcceptedAppend, async (wal) => {
      let last = wal.info().lastLsn;
      const records: WalRecord[] = [];
      for (const append of appends) {
        const held = last - append.firstSequence + 1;
        if (held < 0) throw disagreement(append, last);
        if (held > 0) await checkHeld(wal, append);
        if (held >= append.command.recordCount) continue;
        for (const payload of encodeFileRecords(append, held)) records.push({ payload });
        last = append.firstSequence + append.command.recordCount - 1;
      }
      if (records.length === 0) return;
      const file = this.#open.get(nameOf(appends[0] as AcceptedAppend));
      invariant(file !== undefined, 'a file in use is open');
      const first = await wal.appendBatch(records);
      file.dirty = true;
      invariant(first + records.length - 1 === last, `records went to ${first}, expected them to end at ${last}`);
    });
  }

  #acquire(place: LogPlace): OpenFile {
    const name = nameOf(place);
    const known = this.#open.get(name);
    if (known !== undefined) {
      known.users++;
      this.#open.delete(name);
      this.#open.set(name, known);
      return known;
    }
    const file: OpenFile = { place, wal: this.#openFile(name, place), users: 1, dirty: false };
    file.wal.catch(() => this.#open.delete(name));
    this.#open.set(name, file);
    return file;
  }

  async #openFile(name: string, place: LogPlace): Promise<Wal> {
    await this.#closing.get(name);
    const { disk, random, segmentBytes, firstSegmentBytes, maxRecordBytes, maxQueuedBytes, listener } = this.#options;
    const directory = this.#directory(place);
    await ensureDirectory(disk, directory);
    return openWal({
      directory,
      durability: 'never',
      segmentsAhead: 0,
      lock: false,
      segmentBytes,
      firstSegmentBytes,
      maxRecordBytes,
      maxQueuedBytes,
      disk,
      random,
      clock: this.#clock,
      ...(listener === undefined ? {} : { listener }),
    });
  }

  #closeSome(): void {
    if (this.#open.size <= this.#options.maxOpen) return;
    for (const [name, file] of this.#open) {
      if (file.users > 0) continue;
      this.#close(name, file).catch((error: unknown) => {
        this.#closeFailure ??= error;
      });
      if (this.#open.size <= this.#options.maxOpen) return;
    }
  }

  #close(name: string, file: OpenFile): Promise<void> {
    this.#open.delete(name);
    const closing = file.wal
      // What failed to open has nothing to close; whoever asked for it was told.
      .then(
        (wal) => wal.close(),
        () => undefined,
      )
      .finally(() => {
        if (this.#closing.get(name) === closing) this.#closing.delete(name);
      });
    this.#closing.set(name, closing);
    return closing;
  }

  #directory(place: LogPlace): string {
    return `${this.#options.directory}/${place.logId}/${place.origin}`;
  }
}

function nameOf({ logId, origin }: LogPlace): string {
  return `${logId}/${origin}`;
}

/** What is skipped must be what would have been written. */
async function checkHeld(wal: Wal, append: AcceptedAppend): Promise<void> {
  const { firstLsn, lastLsn } = wal.info();
  if (append.firstSequence < firstLsn) return;
  const held = await wal.read(append.firstSequence);
  if (held === undefined || fileRecordIndex(held.payload) !== append.entryIndex) throw disagreement(append, lastLsn);
}

function disagreement(append: AcceptedAppend, last: number): ServerError {
  return new ServerError(
    'DATA_CORRUPTED',
    `the files of log ${append.logId} end at sequence ${last} and do not fit entry ${append.entryIndex}, which begins ` +
      `at ${append.firstSequence}; restore the data directory from a backup`,
    { details: { logId: append.logId, lastSequence: last, firstSequence: append.firstSequence } },
  );
}

async function listIfPresent(disk: Disk, directory: string): Promise<string[]> {
  try {
    return await disk.list(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
