import { type Clock, type Disk, isErrno } from '@shanghai/env';
import { type LevelMark, levelLogs } from './level-log.js';
import { writeLevelMark } from './level-mark-file.js';

/** LevelDB's files as seen from outside: syncing its logs, and what its tables take. */
export class LevelFiles {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #directory: string;
  #running: Promise<void> = Promise.resolve();
  durableSequence = 0;
  /** Wall time of the last checkpoint. */
  lastCheckpointMs = 0;
  /** When last measured. */
  tables = 0;
  tableBytes = 0;

  constructor(disk: Disk, clock: Clock, directory: string) {
    this.#disk = disk;
    this.#clock = clock;
    this.#directory = directory;
  }

  /** How far the newest log goes now. Only while nothing is written. */
  async state(sequence: number): Promise<LevelMark> {
    const log = (await levelLogs(this.#disk, this.#directory)).at(-1) ?? '';
    const stat = log === '' ? undefined : await this.#disk.stat(`${this.#directory}/${log}`);
    return { sequence, log, logBytes: stat?.bytes ?? 0 };
  }

  /** Syncs what `mark` covers and notes it down. One at a time; a newer mark is never replaced by an older one. */
  makeDurable(mark: LevelMark): Promise<void> {
    const mine = this.#running.then(async () => {
      if (mark.sequence < this.durableSequence) return;
      await this.syncLogs();
      await this.#disk.syncDirectory(this.#directory);
      await writeLevelMark(this.#disk, this.#directory, mark);
      this.durableSequence = mark.sequence;
      this.lastCheckpointMs = this.#clock.nowMs();
      await this.measure();
    });
    this.#running = mine.catch(() => undefined);
    return mine;
  }

  /** A log that goes meanwhile was replaced by a table, which LevelDB has synced. */
  async syncLogs(): Promise<void> {
    for (const name of await levelLogs(this.#disk, this.#directory)) {
      try {
        const file = await this.#disk.open(`${this.#directory}/${name}`, 'read');
        try {
          await file.sync();
        } finally {
          await file.close();
        }
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
  }

  /** Counts the tables. */
  async measure(): Promise<void> {
    let tables = 0;
    let bytes = 0;
    for (const name of await this.#disk.list(this.#directory)) {
      if (!/\.(?:ldb|sst)$/.test(name)) continue;
      tables++;
      bytes += (await this.#disk.stat(`${this.#directory}/${name}`))?.bytes ?? 0;
    }
    this.tables = tables;
    this.tableBytes = bytes;
  }
}
