import type { Entry, GroupLog, HostLog, LogWrite } from '@shanghai/raft';
import type { Truth } from '../raft/truth.js';
import type { VirtualWorld } from './virtual-world.js';

/** Who is told. */
export interface LogRoom {
  readonly world: VirtualWorld;
  readonly truthOf: (groupId: number) => Truth;
}

/** A log that tells what is written to it: entries to what must hold of all nodes together, votes likewise. */
export class ObservedLog implements HostLog {
  readonly #log: HostLog;
  readonly #nodeId: number;
  readonly #room: LogRoom;
  readonly #opened = new Map<number, GroupLog>();

  constructor(log: HostLog, nodeId: number, room: LogRoom) {
    this.#log = log;
    this.#nodeId = nodeId;
    this.#room = room;
  }

  groups(): readonly number[] {
    return this.#log.groups();
  }

  waitingSinceMs(): number | undefined {
    return this.#log.waitingSinceMs();
  }

  async open(groupId: number): Promise<GroupLog> {
    const log = new ObservedGroupLog(await this.#log.open(groupId), this.#nodeId, this.#room);
    this.#opened.set(groupId, log);
    return log;
  }

  /** This node leads a term of a group: it must hold what was committed before. */
  elected(groupId: number, term: number): void {
    const log = this.#opened.get(groupId);
    if (log === undefined) return;
    const termAt = (index: number) => {
      if (index < log.firstIndex() - 1 || index > log.lastIndex()) return undefined;
      const at = log.term(index);
      return typeof at === 'number' ? at : undefined;
    };
    this.#room.truthOf(groupId).elected(this.#nodeId, term, log.lastIndex(), termAt);
  }
}

class ObservedGroupLog implements GroupLog {
  readonly groupId: number;
  readonly #log: GroupLog;
  readonly #nodeId: number;
  readonly #truth: Truth;
  readonly #world: VirtualWorld;

  constructor(log: GroupLog, nodeId: number, { world, truthOf }: LogRoom) {
    this.groupId = log.groupId;
    this.#log = log;
    this.#nodeId = nodeId;
    this.#truth = truthOf(log.groupId);
    this.#world = world;
  }

  get bytes(): number {
    return this.#log.bytes;
  }

  async append(write: LogWrite): Promise<void> {
    const written = this.#log.append(write);
    this.#world.check(() => {
      for (const [i, entry] of write.entries.entries()) this.#written(entry, write.entries[i - 1], write);
    });
    const { term, vote } = write.hardState;
    await written;
    // A vote counts once it is durable: before that nobody hears of it.
    if (vote !== 0) this.#world.check(() => this.#truth.voted(this.#nodeId, term, vote));
  }

  initialState() {
    return this.#log.initialState();
  }

  entries(from: number, to: number, maxBytes: number) {
    return this.#log.entries(from, to, maxBytes);
  }

  term(index: number) {
    return this.#log.term(index);
  }

  lastIndex(): number {
    return this.#log.lastIndex();
  }

  firstIndex(): number {
    return this.#log.firstIndex();
  }

  compact(...args: Parameters<GroupLog['compact']>): Promise<void> {
    return this.#log.compact(...args);
  }

  close(): void {
    this.#log.close();
  }

  #written(entry: Entry, before: Entry | undefined, { snapshot }: LogWrite): void {
    const log = this.#log;
    if (entry.index - 1 < log.firstIndex() - 1 || entry.index > log.lastIndex()) return;
    const stored = before?.term ?? (snapshot?.index === entry.index - 1 ? snapshot.term : log.term(entry.index - 1));
    if (typeof stored === 'number') this.#truth.written(this.#nodeId, entry, stored);
  }
}
