/**
 * The files of named logs: one log of frames per (log, origin), `logs/<log id>/<origin>/`.
 *
 * They are written after the entry is committed and not synced then; a checkpoint syncs them, and only then is the
 * command log cut. So an append costs no sync of its own, however many logs there are. A sequence number is the record's
 * LSN in its file log. Files are opened when somebody needs them, and the least recently used are closed again.
 *
 * Files that are opened must hold at least what was ever told to be in them; otherwise the log is damaged
 * (damaged-logs.ts), and refused until the next start.
 */
import { type Clock, invariant } from '@shanghai/env';
import type { Wal, WalError } from '@shanghai/wal';
import type { AcceptedAppend } from '../apply/log-table.js';
import type { LogWriter } from '../apply/log-writer.js';
import type { AcceptedRun, StreamRun } from '../apply/stream-run.js';
import { ServerError } from '../requests/server-error.js';
import { appendRuns } from './append-runs.js';
import { DamagedLogs, foreignFiles, isDamage, shortFiles, unreadableFiles } from './damaged-logs.js';
import { fileLogId, isOwnLog } from './file-log-id.js';
import { requireHeldAppend, requireHeldEntry } from './held-entries.js';
import { type LogFileImage, logFileImages } from './log-file-image.js';
import { encodeFileRun } from './log-file-record.js';
import { logFileSize } from './log-file-size.js';
import type { LogFilesOptions } from './log-files-options.js';
import { LogHomes } from './log-homes.js';
import { type ExpectedLog, isUnread, type LogPlace, nameOf, placeOf, streamPlace } from './log-place.js';
import { flushFile, type OpenFile } from './open-file.js';
import { openLogFile } from './open-log-file.js';
import { planRuns } from './plan-runs.js';
import { listIfPresent, removeIfPresent } from './remove-tree.js';

/** The files of all logs of this node. */
export class LogFiles implements LogWriter {
  readonly #options: LogFilesOptions;
  readonly #clock: Clock;
  /** In the order of last use, oldest first. */
  readonly #open = new Map<string, OpenFile>();
  readonly #closing = new Map<string, Promise<void>>();
  readonly #expected = new Map<string, ExpectedLog>();
  readonly #damaged = new DamagedLogs();
  readonly #homes: LogHomes;
  /** Files that are another state's, and are still read. */
  readonly #leaving = new Set<Promise<unknown>>();
  #writingTimeMs = 0;
  /** Why files that were closed to make room may not be on the disk: nothing is durable behind it. */
  #closeFailure: unknown;

  constructor(options: LogFilesOptions) {
    this.#options = options;
    this.#homes = new LogHomes(options.directory);
    // Frames carry log time, so that a search by time follows the entries' own.
    this.#clock = {
      nowMs: () => this.#writingTimeMs,
      monotonicMs: () => options.clock.monotonicMs(),
      setTimer: (delayMs, callback, timer) => options.clock.setTimer(delayMs, callback, timer),
      soon: (callback) => options.clock.soon(callback),
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

  /** Calls `use` with a log's files, which stay open meanwhile. Rejects with `DATA_CORRUPTED` where the log is damaged. */
  async use<T>(place: LogPlace, use: (wal: Wal) => Promise<T>): Promise<T> {
    this.refuseDamaged(place);
    const file = this.#acquire(place);
    try {
      return await use(await file.wal);
    } finally {
      file.users--;
      if (file.users === 0) this.#becomeIdle(file);
      this.#closeSome();
    }
  }

  /** Opens a log's files where they are not, and rejects with `DATA_CORRUPTED` where the log is damaged. */
  async check(place: LogPlace): Promise<void> {
    await this.use(place, async () => undefined);
  }

  /** Throws `DATA_CORRUPTED` where the log is known to be damaged. */
  refuseDamaged(place: LogPlace): void {
    const damage = this.#damaged.get(nameOf(place));
    if (damage !== undefined) throw damage;
  }

  /** Says what the files of a log must hold, in place of what was known; such as are open already are judged now. */
  async expect({ firstSequence, lastSequence, ...log }: LogPlace & Readonly<ExpectedLog>): Promise<void> {
    const place = placeOf(log);
    const name = nameOf(place);
    this.#expected.set(name, { firstSequence, lastSequence });
    const file = this.#open.get(name);
    if (file === undefined) return;
    const short = this.#judge(place, await file.wal);
    if (short !== undefined) this.#damage(place, short);
  }

  /** Gives up the entries before `firstSequence`. Only what is durably trimmed in the state. Nothing where the log is damaged or held. */
  async release(place: LogPlace, firstSequence: number): Promise<void> {
    if (this.#damaged.get(nameOf(place)) !== undefined || this.#homes.isHeld(place.logId)) return;
    const expected = this.#expectedOf(nameOf(place));
    expected.firstSequence = Math.max(expected.firstSequence, firstSequence);
    await this.use(place, async (wal) => wal.release(0, firstSequence - 1));
  }

  /**
   * Removes the files of a stream of which this node gives its copy up. `forgotten` is called when they are gone; when it
   * has resolved, nothing is known of them any more, and they may begin anew.
   */
  async discard(place: LogPlace, forgotten: () => Promise<unknown>): Promise<void> {
    await this.#removeFiles(place);
    await forgotten();
    this.#expected.delete(nameOf(place));
    this.#damaged.forgetOne(nameOf(place));
  }

  /** Index of the first entry of the command log that damaged files did not take, among the logs that `counts`; infinite where there is none. */
  unstoredFrom(counts: (logId: number) => boolean): number {
    return this.#damaged.unstoredFrom(counts);
  }

  /** Syncs every file written since the last call. Rejects for good once a file could not be synced. */
  async flush(): Promise<void> {
    const dirty = [...this.#open.values()].filter((file) => file.dirty);
    for (const file of dirty) file.dirty = false;
    // A file that is being closed is synced by that.
    await Promise.all([...dirty.map(flushFile), ...this.#closing.values()]);
    if (this.#closeFailure !== undefined) throw this.#closeFailure;
  }

  /** Where a log's files lie now. */
  directory(place: LogPlace): string {
    return this.#homes.directory(place);
  }

  /** Bytes and segments of a log's files, without opening them. */
  async size(place: LogPlace): Promise<{ readonly bytes: number; readonly segments: number }> {
    return logFileSize(this.#options.disk, this.#homes.directory(place));
  }

  /**
   * Calls `change` with the directory of a log while nobody has its files open; whoever needs them meanwhile waits.
   * Resolves to false, and nothing happens, where the log is damaged, held or not open.
   */
  alone(place: LogPlace, change: (directory: string) => Promise<void>): Promise<boolean> {
    const name = nameOf(place);
    const file = this.#open.get(name);
    if (file === undefined) return Promise.resolve(false);
    return new Promise((resolve, reject) => {
      const take = () => {
        const isOurs = this.#open.get(name) === file && this.#damaged.get(name) === undefined;
        if (!isOurs || this.#homes.isHeld(place.logId)) return resolve(false);
        const directory = this.#homes.directory(place);
        const closed = this.#close(name, file).catch((error: unknown) => {
          this.#closeFailure ??= error;
          throw error;
        });
        const changed = closed.then(() => change(directory));
        this.#closeUntil(
          name,
          changed.catch(() => undefined),
        );
        changed.then(() => resolve(true), reject);
      };
      if (file.users === 0) take();
      else file.onFree = take;
    });
  }

  /** The logs that are open now and not damaged. */
  openPlaces(): LogPlace[] {
    const whole = [...this.#open].filter(([name]) => this.#damaged.get(name) === undefined);
    return whole.map(([, file]) => file.place);
  }

  /** Removes the files of logs that are gone. Only for what is durably gone from the state. */
  async removeGone(isGone: (logId: number) => boolean): Promise<void> {
    const { disk, directory } = this.#options;
    const known = (await listIfPresent(disk, directory)).filter((name) => /^\d+$/.test(name)).map(Number);
    for (const logId of new Set([...known, ...this.#homes.moved()])) {
      if (!isGone(logId) || this.#homes.isHeld(logId)) continue;
      const open = [...this.#open].filter(([, { place }]) => place.logId === logId);
      // A reader that is still at it keeps its files until the next time.
      if (open.some(([, file]) => file.users > 0)) continue;
      for (const [key, file] of open) await this.#close(key, file);
      await removeIfPresent(disk, this.#homes.treeOf(logId));
      this.#homes.move([logId], undefined);
      this.#damaged.forget(logId);
    }
  }

  /**
   * What the files of a log hold now of the sequences from `firstSequence` on, oldest first. Only while nothing is written
   * to it, and it must be held. Rejects with `DATA_CORRUPTED` where the log is damaged.
   */
  async image(place: LogPlace, firstSequence: number): Promise<readonly LogFileImage[]> {
    const directory = this.#homes.directory(place);
    return this.use(place, async (wal) => logFileImages(wal, directory, firstSequence));
  }

  /** Keeps all that these logs hold now, whatever the state says, until what is returned is called; that may be called again. */
  hold(logIds: readonly number[]): () => void {
    return this.#homes.hold(logIds);
  }

  /**
   * From the call on the files of these logs are those below `home` (absent: `logs/`), of which nothing is known yet. Resolves when
   * nobody reads the earlier ones any more; they are left for the caller to remove.
   */
  async relocate(logIds: readonly number[], home: string | undefined): Promise<void> {
    const moved = new Set(logIds);
    const left: Promise<unknown>[] = [];
    for (const [name, file] of [...this.#open]) if (moved.has(file.place.logId)) left.push(this.#leave(name, file));
    for (const name of [...this.#expected.keys()])
      if (moved.has(Number.parseInt(name, 10))) this.#expected.delete(name);
    for (const logId of logIds) this.#damaged.forget(logId);
    this.#homes.move(logIds, home);
    await Promise.all(left);
  }

  /** Removes what is left below `logs/` of logs that lie elsewhere now. */
  async removeMoved(): Promise<void> {
    const { disk, directory } = this.#options;
    for (const logId of this.#homes.moved()) await removeIfPresent(disk, `${directory}/${logId}`);
  }

  /** Syncs and closes all files. */
  async close(): Promise<void> {
    for (const [name, file] of [...this.#open]) this.#close(name, file);
    await Promise.all([...this.#closing.values(), ...this.#leaving]);
  }

  async writeRuns(accepted: readonly AcceptedRun[]): Promise<void> {
    const byStream = new Map<string, AcceptedRun[]>();
    for (const one of accepted) {
      const name = nameOf(streamPlace(one.run.stream));
      const runs = byStream.get(name);
      if (runs === undefined) byStream.set(name, [one]);
      else runs.push(one);
      this.#writingTimeMs = Math.max(this.#writingTimeMs, one.run.lastHlc.ms);
    }
    await Promise.all(
      [...byStream.values()].map((runs) => {
        const [{ entryIndex, run }] = runs as [AcceptedRun];
        const place = streamPlace(run.stream);
        return this.#unlessDamaged(place, entryIndex, () => this.#storeRuns(place, runs));
      }),
    );
  }

  /** A damaged log takes nothing, and that is no failure of the run: the command log keeps what was left out. */
  async #writeLog(appends: readonly AcceptedAppend[]): Promise<void> {
    const { logId, origin, entryIndex } = appends[0] as AcceptedAppend;
    const place = { logId, origin };
    await this.#unlessDamaged(place, entryIndex, () => this.#store(place, appends));
  }

  async #unlessDamaged(place: LogPlace, entryIndex: number, store: () => Promise<void>): Promise<void> {
    try {
      await store();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#damage(place, error);
      this.#damaged.leaveOut(nameOf(place), entryIndex);
    }
  }

  async #storeRuns(place: LogPlace, accepted: readonly AcceptedRun[]): Promise<void> {
    const expected = this.#expectedOf(nameOf(place));
    for (let from = 0; from < accepted.length; ) {
      const { run, firstKept, isRecalled } = accepted[from] as AcceptedRun;
      if (expected.firstSequence === Number.MAX_SAFE_INTEGER) expected.firstSequence = firstKept;
      else expected.firstSequence = Math.max(expected.firstSequence, firstKept);
      if (!isRecalled) expected.lastSequence = Math.max(expected.lastSequence, run.firstSequence - 1);
      const stored = await this.use(place, (wal) => this.#storeRunsInto(place, wal, accepted.slice(from)));
      from += stored;
      if (from < accepted.length) await this.#beginAnew(place, (accepted[from] as AcceptedRun).run.firstSequence);
    }
  }

  /**
   * Writes runs up to the first that the files must begin anew with: nobody reads what they hold, and it does not follow.
   * Resolves to how many came before that one.
   */
  async #storeRunsInto(place: LogPlace, wal: Wal, accepted: readonly AcceptedRun[]): Promise<number> {
    const { firstLsn, lastLsn } = wal.info();
    const plan = planRuns(accepted, lastLsn);
    if (plan === 'short') throw this.#short(place, { firstSequence: firstLsn, lastSequence: lastLsn });
    for (const held of plan.held) await requireHeldEntry(wal, place.logId, held, this.#homes.directory(place));
    const { count, last } = plan;
    if (plan.writes.length === 0) return count;
    const name = nameOf(place);
    const file = this.#open.get(name);
    invariant(file !== undefined, 'a file in use is open');
    await appendRuns(wal, plan.writes);
    file.dirty = true;
    const expected = this.#expectedOf(name);
    expected.lastSequence = Math.max(expected.lastSequence, last);
    return count;
  }

  async #beginAnew(place: LogPlace, firstSequence: number): Promise<void> {
    await this.#removeFiles(place);
    const id = fileLogId(this.#options.clusterId, place);
    const directory = this.#homes.directory(place);
    await (await openLogFile(this.#options, directory, id, this.#clock, firstSequence)).close();
  }

  async #removeFiles(place: LogPlace): Promise<void> {
    const name = nameOf(place);
    const file = this.#open.get(name);
    if (file !== undefined) await this.#leave(name, file);
    await this.#closing.get(name);
    await removeIfPresent(this.#options.disk, this.#homes.directory(place));
  }

  async #store(place: LogPlace, appends: readonly AcceptedAppend[]): Promise<void> {
    const name = nameOf(place);
    const expected = this.#expectedOf(name);
    expected.lastSequence = Math.max(expected.lastSequence, (appends[0] as AcceptedAppend).firstSequence - 1);
    await this.use(place, async (wal) => {
      const { firstLsn } = wal.info();
      let last = wal.info().lastLsn;
      const writes: Pick<StreamRun, 'bytes' | 'count'>[] = [];
      for (const append of appends) {
        const held = last - append.firstSequence + 1;
        if (held < 0) throw this.#short(place, { firstSequence: firstLsn, lastSequence: last });
        if (held > 0) await requireHeldAppend(wal, append, this.#homes.directory(place));
        if (held >= append.command.recordCount) continue;
        writes.push(encodeFileRun(append, held));
        last = append.firstSequence + append.command.recordCount - 1;
      }
      if (writes.length === 0) return;
      const file = this.#open.get(name);
      invariant(file !== undefined, 'a file in use is open');
      const next = await appendRuns(wal, writes);
      file.dirty = true;
      invariant(next === last + 1, `records end before ${next}, expected them to end at ${last}`);
      expected.lastSequence = Math.max(expected.lastSequence, last);
    });
  }

  #expectedOf(name: string): ExpectedLog {
    const known = this.#expected.get(name);
    if (known !== undefined) return known;
    // Until the start says what the state knows, only writing bounds what must be there.
    const expected = { firstSequence: Number.MAX_SAFE_INTEGER, lastSequence: 0 };
    this.#expected.set(name, expected);
    return expected;
  }

  #damage(place: LogPlace, cause: ServerError | WalError): ServerError {
    const { logId } = place;
    const directory = this.#homes.directory(place);
    const error = cause instanceof ServerError ? cause : unreadableFiles(logId, directory, cause);
    if (this.#damaged.add(nameOf(place), logId, error)) this.#options.onDamaged?.({ logId, directory, error });
    return error;
  }

  #short(place: LogPlace, found: Readonly<ExpectedLog> | undefined): ServerError {
    const expected = { ...this.#expectedOf(nameOf(place)) };
    return shortFiles({ logId: place.logId, directory: this.#homes.directory(place), expected, found });
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
    const file: OpenFile = { place, wal: this.#openChecked(name, place), users: 1, dirty: false };
    file.wal.catch(() => {
      if (this.#open.get(name) === file) this.#open.delete(name);
    });
    this.#open.set(name, file);
    return file;
  }

  async #openChecked(name: string, place: LogPlace): Promise<Wal> {
    const directory = this.#homes.directory(place);
    try {
      await this.#closing.get(name);
      return await this.#openFile(name, place);
    } catch (error) {
      // What another state's files looked like says nothing about these.
      const isMoved = directory !== this.#homes.directory(place);
      throw isDamage(error) && !isMoved ? this.#damage(place, error) : error;
    }
  }

  async #openFile(name: string, place: LogPlace): Promise<Wal> {
    const { clusterId, onTornTail } = this.#options;
    const directory = this.#homes.directory(place);
    const expected = this.#expectedOf(name);
    // Files that were lost are not begun anew: that would hide it.
    const isLost = expected.lastSequence > 0 && !isUnread(place, expected) && (await this.size(place)).segments === 0;
    if (isLost) throw this.#short(place, undefined);
    const first = isUnread(place, expected) ? expected.firstSequence : 1;
    const wal = await openLogFile(this.#options, directory, fileLogId(clusterId, place), this.#clock, first);
    const { tornTail } = wal.info();
    if (tornTail !== undefined) onTornTail?.({ ...tornTail, logId: place.logId, directory });
    const damage = this.#judgeOrigin(place, wal) ?? this.#judge(place, wal);
    if (damage === undefined) return wal;
    await wal.close();
    throw damage;
  }

  #judgeOrigin(place: LogPlace, wal: Wal): ServerError | undefined {
    const { logId } = wal.info();
    if (isOwnLog(logId, this.#options.clusterId, place)) return undefined;
    return foreignFiles(place.logId, this.#homes.directory(place), logId);
  }

  #judge(place: LogPlace, wal: Wal): ServerError | undefined {
    const { firstLsn, lastLsn } = wal.info();
    const expected = this.#expectedOf(nameOf(place));
    if (isUnread(place, expected)) return undefined;
    if (lastLsn >= expected.lastSequence && firstLsn <= expected.firstSequence) return undefined;
    return this.#short(place, { firstSequence: firstLsn, lastSequence: lastLsn });
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

  /** Takes a file out of use. Resolves when those who read it have ended; what becomes of it then matters to nobody. */
  #leave(name: string, file: OpenFile): Promise<unknown> {
    this.#open.delete(name);
    const idle = new Promise<void>((resolve) => {
      file.onIdle = resolve;
      if (file.users === 0) resolve();
    });
    const leaving = idle
      .then(async () => (await file.wal).close())
      .catch(() => undefined)
      .finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
    return leaving;
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

  #closeUntil(name: string, done: Promise<void>): void {
    const closing = done.finally(() => {
      if (this.#closing.get(name) === closing) this.#closing.delete(name);
    });
    this.#closing.set(name, closing);
  }

  #becomeIdle(file: OpenFile): void {
    file.onIdle?.();
    const { onFree } = file;
    file.onFree = undefined;
    onFree?.();
  }
}
