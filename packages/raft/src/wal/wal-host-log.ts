/**
 * The logs of all groups in one write-ahead log, a stream for each. Opening reads the whole log once, for all of them;
 * what is needed is kept in memory.
 *
 * A group that rests keeps the old segments that its few records are in. When the log has got longer, those groups whose
 * records are few against what they hold up write them anew (`Wal.stragglers` says which).
 */
import { type Clock, invariant } from '@shanghai/env';
import { type Wal, WalError } from '@shanghai/wal';
import { emptyHardState } from '../core/entry.js';
import { RaftError } from '../core/raft-error.js';
import type { GroupLog, HostLog } from '../ports/group-log.js';
import { GroupStream, type StreamContext } from './group-stream.js';
import { LogView, noStart } from './log-view.js';
import { type FoldedStream, StreamFold } from './stream-fold.js';
import { WaitingWrites } from './waiting-writes.js';
import { WalGroupLog } from './wal-group-log.js';
import { WriteEncoder } from './write-record.js';

/** Streams from this on belong to nobody's group. */
const reservedStreams = 2 ** 24;

/** What a host's log is made of. */
export interface WalHostLogOptions {
  /** Open, and nobody else's; it takes records that are larger than the largest entry by `entryOverheadBytes`. Closed by whoever opened it, after the host. */
  readonly wal: Wal;
  /** Who is alone in the groups that the first release wrote: this node. */
  readonly loneVoter: number;
  readonly clock: Clock;
}

/** Reads what is in a write-ahead log. Rejects with `RaftError` `LOG_DAMAGED` where it cannot be read; a group that alone is damaged, or newer than this version, says so when it is opened. */
export async function openWalHostLog(options: WalHostLogOptions): Promise<HostLog> {
  const log = new WalHostLog(options);
  await log.read(options.loneVoter);
  return log;
}

class WalHostLog implements HostLog {
  readonly #context: StreamContext;
  readonly #streams = new Map<number, GroupStream>();
  readonly #unreadable = new Map<number, RaftError>();
  readonly #open = new Set<number>();
  /** What the log looked like when it was last looked for groups that hold it up. */
  #seen = { segments: 0, firstLsn: 0 };

  constructor({ wal, clock }: WalHostLogOptions) {
    const onReleased = () => this.#relieve();
    const isSynced = wal.info().durability === 'always';
    this.#context = { wal, isSynced, encoder: new WriteEncoder(), waiting: new WaitingWrites(clock), onReleased };
  }

  async read(loneVoter: number): Promise<void> {
    const folds = new Map<number, StreamFold>();
    try {
      for await (const { stream, kind, payload, lsn } of this.#context.wal.entries()) {
        if (stream >= reservedStreams || this.#unreadable.has(stream)) continue;
        let fold = folds.get(stream);
        if (fold === undefined) {
          fold = new StreamFold(stream, loneVoter);
          folds.set(stream, fold);
        }
        this.#attempt(stream, () => fold.add(kind, payload, lsn));
      }
    } catch (error) {
      throw asDamaged(error);
    }
    for (const [stream, fold] of folds) {
      if (!this.#unreadable.has(stream)) this.#attempt(stream, () => this.#take(stream, fold.end()));
    }
  }

  async open(groupId: number): Promise<GroupLog> {
    if (!(Number.isInteger(groupId) && groupId >= 0 && groupId < reservedStreams)) {
      throw new RangeError(`a group's number must be an integer in [0, 2^24), got ${groupId}`);
    }
    const unreadable = this.#unreadable.get(groupId);
    if (unreadable !== undefined) throw unreadable;
    invariant(!this.#open.has(groupId), `the log of group ${groupId} is open already`);
    this.#open.add(groupId);
    let stream = this.#streams.get(groupId);
    if (stream === undefined) {
      stream = new GroupStream(
        groupId,
        { view: new LogView(noStart), hardState: emptyHardState, number: 0 },
        this.#context,
      );
      this.#streams.set(groupId, stream);
    }
    await stream.settle();
    return new WalGroupLog(
      stream,
      () => this.#relieve(),
      () => this.#open.delete(groupId),
    );
  }

  groups(): readonly number[] {
    const kept = [...this.#streams.values()].filter(({ isEmpty }) => !isEmpty).map(({ groupId }) => groupId);
    return [...kept, ...this.#unreadable.keys()].sort((a, b) => a - b);
  }

  waitingSinceMs(): number | undefined {
    return this.#context.waiting.sinceMs();
  }

  /** A group that cannot be read is not touched, and others are. */
  #attempt(stream: number, step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof RaftError)) throw error;
      this.#unreadable.set(stream, error);
    }
  }

  #take(stream: number, folded: FoldedStream): void {
    this.#streams.set(stream, new GroupStream(stream, folded, this.#context));
    this.#context.wal.release(stream, folded.neededLsn - 1);
  }

  /** Lets groups that hold up old segments write what they need anew. Nothing hangs on it: it is tried again. */
  #relieve(): void {
    const { wal } = this.#context;
    const { segments, firstLsn } = wal.info();
    if (segments === this.#seen.segments && firstLsn === this.#seen.firstLsn) return;
    this.#seen = { segments, firstLsn };
    for (const stream of wal.stragglers().recommended) {
      void this.#streams
        .get(stream)
        ?.rewrite()
        .catch(() => undefined);
    }
  }
}

function asDamaged(error: unknown): unknown {
  if (!(error instanceof WalError)) return error;
  return new RaftError('LOG_DAMAGED', `the write-ahead log cannot be read: ${error.message}`, { cause: error });
}
