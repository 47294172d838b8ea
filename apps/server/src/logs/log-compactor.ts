/**
 * Keeps the logs with cleanup policy `compact` small, in the background.
 *
 * Two things that do not wait for each other. The leader of a log's group finds out what nobody needs any more and says so
 * in commands of the group: from there on every replica hides the same entries. And every replica writes those of its own segments again
 * of which much is hidden, with a mark of 24 bytes in the place of each hidden entry, so that sequence numbers stay where they
 * are. A replica that has not done that yet only takes more space.
 */
import { type Clock, type Disk, ensureDirectory, type Random, type Timer } from '@shanghai/env';
import { thinSegment } from '@shanghai/wal';
import type { LogCatalogueEntry } from '../apply/catalogue.js';
import type { HiddenOfLog } from '../apply/hidden-entries.js';
import type { HiddenChunk } from '../apply/log-upkeep-command.js';
import type { Replica } from '../raft/replica.js';
import { type CompactionLimits, defaultCompactionLimits, planCompaction } from './compaction-plan.js';
import { hiddenRecord, isHiddenRecord } from './log-file-record.js';
import type { LogFiles } from './log-files.js';
import type { LogPlace } from './log-place.js';
import { removeIfPresent } from './remove-tree.js';

/** What it stands on. */
export interface LogCompactorParts {
  readonly logs: () => readonly LogCatalogueEntry[];
  readonly replica: (groupId: number) => Replica | undefined;
  readonly files: LogFiles;
  readonly disk: Disk;
  readonly random: Random;
  readonly clock: Clock;
  readonly limits?: CompactionLimits;
  readonly onFailed?: (event: { readonly logId: number; readonly error: Error }) => void;
  /** Told of what is hidden more than before, and of a segment that was written again. */
  readonly onHidden?: (event: CompactionEvent) => void;
  readonly onThinned?: (event: CompactionEvent) => void;
}

/** What a step of compaction did. */
export interface CompactionEvent {
  readonly logId: number;
  readonly hiddenEntries: number;
}

/** Between rounds. */
const roundMs = 5_000;

/** Chunks of one command: 128 KiB, for a million entries. */
const chunksPerCommand = 256;

/** The deletion of a key stays readable for so long where the log does not say. */
export const defaultTombstoneRetentionMs = 24 * 3600 * 1000;

/** The compaction of a node's logs. */
export class LogCompactor {
  readonly #parts: LogCompactorParts;
  /** How many marks each segment has, by its path, where it is known. */
  readonly #marks = new Map<string, number>();
  readonly #failed = new Set<number>();
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: LogCompactorParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = this.#parts.clock.setTimer(roundMs, () => {
      void this.round().finally(() => {
        if (!this.#isStopped) this.start();
      });
    });
  }

  /** Ends the timer and waits for what runs. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** Looks at every log once. Never rejects. */
  round(): Promise<void> {
    this.#running ??= this.#round().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #round(): Promise<void> {
    const { files, logs, replica, onFailed } = this.#parts;
    const places = new Map(files.openPlaces().map((place) => [place.logId, place]));
    for (const log of logs()) {
      const place = places.get(log.logId);
      const group = replica(log.groupId);
      if (this.#isStopped || place === undefined || group === undefined) continue;
      if (log.settings.cleanupPolicy !== 'compact') continue;
      try {
        if (group.log.status().role === 'leader') await this.#hide(log, place, group);
        await this.#rewrite(log.logId, place, group);
        this.#failed.delete(log.logId);
      } catch (error) {
        if (this.#failed.has(log.logId)) continue;
        this.#failed.add(log.logId);
        onFailed?.({ logId: log.logId, error: error instanceof Error ? error : new Error(String(error)) });
      }
    }
  }

  async #hide({ logId, settings }: LogCatalogueEntry, place: LogPlace, replica: Replica): Promise<void> {
    const { files, limits = defaultCompactionLimits } = this.#parts;
    const counters = replica.machine.logs.get(logId);
    if (counters === undefined) return;
    const hidden = replica.machine.logs.hidden.get(logId);
    const hiddenBefore = hidden.count;
    const { firstSequence } = counters;
    const keptMs = settings.tombstoneRetentionMs ?? defaultTombstoneRetentionMs;
    const deletionsBeforeMs = replica.machine.visible.logTimeMs - keptMs;
    const plan = await files.use(place, (wal) =>
      planCompaction({ wal, firstSequence, hidden, deletionsBeforeMs, limits }),
    );
    if (plan === undefined) return;
    const send = (compactedTo: number, chunks: readonly HiddenChunk[]) =>
      replica.propose({ kind: 'logHide', logId, compactedTo, chunks });
    // One after the other: a deletion may go only when all before it is hidden for certain.
    for (const chunks of parts(plan.superseded)) await send(0, chunks);
    for (const chunks of parts(plan.deletions)) await send(0, chunks);
    await send(plan.compactedTo, []);
    this.#parts.onHidden?.({ logId, hiddenEntries: replica.machine.logs.hidden.get(logId).count - hiddenBefore });
  }

  async #rewrite(logId: number, place: LogPlace, replica: Replica): Promise<void> {
    const hidden = replica.machine.logs.hidden.get(logId);
    if (hidden.count === 0) return;
    const sealed = await this.#parts.files.use(place, async (wal) => wal.pins().slice(0, -1));
    for (const { segment, firstLsn, lastLsn } of sealed) {
      if (this.#isStopped) return;
      await this.#rewriteSegment(place, segment, firstLsn, lastLsn, hidden);
    }
  }

  async #rewriteSegment(
    place: LogPlace,
    segment: string,
    firstLsn: number,
    lastLsn: number,
    hidden: HiddenOfLog,
  ): Promise<void> {
    const { files, disk, random } = this.#parts;
    const id = `${place.logId}/${place.origin}/${segment}`;
    const wanted = hidden.countIn(firstLsn, lastLsn);
    const known = this.#marks.get(id) ?? 0;
    const records = lastLsn - firstLsn + 1;
    if (!isWorthIt(wanted, known, records)) return;
    const marks = await files.use(place, async (wal) => {
      let count = 0;
      for await (const { payload } of wal.entries({ from: firstLsn, to: lastLsn + 1 })) {
        if (isHiddenRecord(payload)) count++;
      }
      return count;
    });
    this.#marks.set(id, marks);
    if (!isWorthIt(wanted, marks, records)) return;
    const directory = files.directory(place);
    const scratch = `${directory}/thin`;
    await removeIfPresent(disk, scratch);
    await ensureDirectory(disk, scratch);
    const replace = ({ lsn, payload }: { readonly lsn: number; readonly payload: Uint8Array }) =>
      hidden.isHidden(lsn) && !isHiddenRecord(payload) ? hiddenRecord(payload) : payload;
    const thinned = await thinSegment({ disk, random, directory, segment, scratch, replace });
    if (thinned === undefined) return;
    const isDone = await files.alone(place, async (now) => {
      // Trimmed, or another state's, meanwhile.
      if (now !== directory || (await disk.stat(`${now}/${segment}`)) === undefined) return;
      await disk.rename(thinned.path, `${now}/${segment}`);
      await disk.syncDirectory(now);
    });
    if (isDone) {
      this.#marks.set(id, wanted);
      this.#parts.onThinned?.({ logId: place.logId, hiddenEntries: wanted });
    }
    await removeIfPresent(disk, scratch);
  }
}

/** A quarter of what a segment still holds is to go. */
function isWorthIt(wanted: number, marks: number, records: number): boolean {
  return wanted > marks && (wanted - marks) * 4 >= records - marks;
}

function* parts(chunks: readonly HiddenChunk[]): Generator<readonly HiddenChunk[]> {
  for (let at = 0; at < chunks.length; at += chunksPerCommand) yield chunks.slice(at, at + chunksPerCommand);
}
