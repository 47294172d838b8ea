import { crc32 } from '@shanghai/env';
import {
  type ConfState,
  type Entry,
  emptyConfState,
  emptyHardState,
  type GroupLog,
  type HardState,
  isEmptyHardState,
  type LogWrite,
  RaftError,
} from '../../src/index.js';

/** A group's log as a plain value. */
interface LogValue {
  readonly index: number;
  readonly term: number;
  readonly confState: ConfState;
  readonly entries: readonly Entry[];
  readonly hardState: HardState;
}

const nothing: LogValue = { index: 0, term: 0, confState: emptyConfState, entries: [], hardState: emptyHardState };

/**
 * What was asked of a group's log, as the values it had after each call. Whatever becomes of the disk, the log must have
 * one of these values, and none from before what was acknowledged.
 */
export class GroupHistory {
  readonly groupId: number;
  readonly #values: LogValue[] = [nothing];
  #acknowledged = 0;
  /** False: the log acknowledges what a power failure may take. What a compaction has acknowledged is synced all the same. */
  isSynced = true;

  constructor(groupId: number) {
    this.groupId = groupId;
  }

  get last(): LogValue {
    return this.#values.at(-1) as LogValue;
  }

  get lastIndex(): number {
    return this.last.index + this.last.entries.length;
  }

  /** Resolves to `'LOG_FULL'` where it was refused, and rejects where it failed otherwise. */
  append(log: GroupLog, write: LogWrite): Promise<string | undefined> {
    return this.#call(appended(this.last, write), () => log.append(write), this.isSynced);
  }

  async compact(log: GroupLog, index: number, confState: ConfState): Promise<string | undefined> {
    const { last } = this;
    if (index <= last.index) {
      await log.compact(index, confState);
      return undefined;
    }
    const { term } = last.entries[index - last.index - 1] as Entry;
    const entries = last.entries.slice(index - last.index);
    return await this.#call({ ...last, index, term, confState, entries }, () => log.compact(index, confState));
  }

  /** Throws unless the log reads as it was left by the last call. */
  expectCurrent(log: GroupLog): void {
    const [got, wanted] = [textOf(contentOf(log)), textOf(this.last)];
    if (got !== wanted) throw new Error(`group ${this.groupId} reads as ${got}, expected ${wanted}`);
  }

  /** Throws unless a log that was read back has a value that it may have; goes on from that one. */
  expectRecovered(log: GroupLog): void {
    const got = textOf(clamped(contentOf(log)));
    for (let at = this.#values.length - 1; at >= this.#acknowledged; at--) {
      if (textOf(clamped(this.#values[at] as LogValue)) !== got) continue;
      this.#values.splice(0, this.#values.length, clamped(this.#values[at] as LogValue));
      this.#acknowledged = 0;
      return;
    }
    const allowed = this.#values.slice(this.#acknowledged).map((value) => textOf(clamped(value)));
    throw new Error(`group ${this.groupId} was read back as ${got}, expected one of\n${allowed.join('\n')}`);
  }

  /** The log was closed in order. */
  acknowledgeAll(): void {
    this.#acknowledged = this.#values.length - 1;
  }

  /** Takes over what another one knows. */
  adopt(other: GroupHistory): void {
    this.#values.splice(0, this.#values.length, ...other.#values);
    this.#acknowledged = other.#acknowledged;
  }

  async #call(value: LogValue, call: () => Promise<void>, isSynced = true): Promise<string | undefined> {
    const at = this.#values.push(value) - 1;
    try {
      await call();
      if (isSynced) this.#acknowledged = Math.max(this.#acknowledged, at);
      return undefined;
    } catch (error) {
      if (!(error instanceof RaftError) || error.code !== 'LOG_FULL') throw error;
      // What was asked for later is refused as well.
      this.#values.length = Math.min(this.#values.length, at);
      return error.code;
    }
  }
}

function appended(value: LogValue, { snapshot, entries, hardState }: LogWrite): LogValue {
  const start = snapshot === undefined ? value : { ...value, ...snapshot, entries: [] };
  const first = entries[0]?.index ?? Number.POSITIVE_INFINITY;
  return {
    index: start.index,
    term: start.term,
    confState: start.confState,
    entries: [...start.entries.filter(({ index }) => index < first), ...entries],
    hardState: isEmptyHardState(hardState) ? value.hardState : hardState,
  };
}

/** Reading a log back takes a commit index that lies beyond its end, or before its beginning, for those. */
function clamped(value: LogValue): LogValue {
  const commit = Math.max(value.index, Math.min(value.hardState.commit, value.index + value.entries.length));
  return { ...value, hardState: { ...value.hardState, commit } };
}

function contentOf(log: GroupLog): LogValue {
  const [first, last] = [log.firstIndex(), log.lastIndex()];
  const entries = last < first ? [] : log.entries(first, last + 1, Number.POSITIVE_INFINITY);
  if (typeof entries === 'string') throw new Error(`entries ${first} to ${last} are ${entries}`);
  const bytes = entries.reduce((sum, { data }) => sum + data.length, 0);
  if (bytes !== log.bytes) throw new Error(`${bytes} bytes of entries, but ${log.bytes} by the log's own count`);
  const { hardState, confState } = log.initialState();
  return { index: first - 1, term: log.term(first - 1) as number, confState, entries, hardState };
}

function textOf({ index, term, confState, entries, hardState }: LogValue): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
  const members = [voters, votersOutgoing, learners, learnersNext, autoLeave];
  const list = entries.map((entry) => [
    entry.index,
    entry.term,
    entry.type,
    `${entry.data.length} ${crc32(entry.data)}`,
  ]);
  return JSON.stringify([index, term, members, list, hardState.term, hardState.vote, hardState.commit]);
}
