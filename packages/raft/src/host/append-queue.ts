/**
 * The writing of one group's log: takes the core's work in order, and gives its responses back in order when what they
 * wait for is durable.
 *
 * Where nothing but the commit index moved nothing is written: it rides along with the next entries. It must: a leader
 * proposes a change of the configuration when it has applied the one before, so that whoever holds the second knows that
 * the first is committed, also after a crash. Without that the configurations of two nodes could be two changes apart,
 * and have majorities that do not meet. Responses of work that is not written still wait for what is being written.
 *
 * A snapshot is put into the state machine first, then into the log; work behind it waits.
 */
import { emptyHardState, type HardState, type Snapshot } from '../core/entry.js';
import type { Message } from '../core/message.js';
import type { GroupLog } from '../ports/group-log.js';

interface Write {
  readonly responses: Message[];
  /** The last entry written; 0 where there was none. */
  readonly lastIndex: number;
}

/** What a queue hands on. */
export interface AppendQueueOptions {
  readonly log: GroupLog;
  /** Durable: these are to be sent, or stepped. `lastIndex` 0: no entries. */
  onDurable(responses: readonly Message[], lastIndex: number): void;
  onFailed(error: Error): void;
  /** Puts a snapshot into the state machine, behind all that it has to apply before. */
  restore(snapshot: Snapshot): Promise<void>;
  /** It is in the log, too. */
  onRestored(snapshot: Snapshot): void;
}

/** Writes until `abandon`: another queue goes on where the log lost something. */
export class AppendQueue {
  readonly #options: AppendQueueOptions;
  #writing: Write[] = [];
  /** Behind a snapshot that is being put in. */
  #held: Message[] | undefined;
  /** What the core gave last, and what of it was written. */
  #latest: HardState;
  #written: HardState;
  #isAbandoned = false;

  constructor(options: AppendQueueOptions) {
    this.#options = options;
    this.#latest = options.log.initialState().hardState;
    this.#written = this.#latest;
  }

  get isIdle(): boolean {
    return this.#writing.length === 0 && this.#held === undefined;
  }

  get isRestoring(): boolean {
    return this.#held !== undefined;
  }

  /** Takes a `MsgStorageAppend`. */
  submit(message: Message): void {
    if (this.#held !== undefined) this.#held.push(message);
    else if (message.snapshot !== undefined) this.#restore(message, message.snapshot);
    else this.#write(message);
  }

  /** Nothing is heard of it any more. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  #restore(message: Message, snapshot: Snapshot): void {
    const held: Message[] = [];
    this.#held = held;
    const proceed = () => {
      if (this.#isAbandoned) return;
      this.#held = undefined;
      this.#write(message);
      this.#options.onRestored(snapshot);
      for (const [at, next] of held.entries()) {
        this.submit(next);
        if (this.#held === undefined) continue;
        (this.#held as Message[]).push(...held.slice(at + 1));
        return;
      }
    };
    this.#options.restore(snapshot).then(proceed, (error: Error) => this.#fail(error));
  }

  #write(message: Message): void {
    const { entries, snapshot, term, vote, commit, responses } = message;
    if (term !== 0 || vote !== 0 || commit !== 0) this.#latest = { term, vote, commit };
    const isPromise = this.#latest.term !== this.#written.term || this.#latest.vote !== this.#written.vote;
    if (entries.length === 0 && snapshot === undefined && !isPromise) {
      const last = this.#writing.at(-1);
      if (last !== undefined) last.responses.push(...responses);
      else if (responses.length > 0) this.#options.onDurable(responses, 0);
      return;
    }
    const hardState = this.#latest === this.#written ? emptyHardState : this.#latest;
    this.#written = this.#latest;
    const write: Write = { responses: [...responses], lastIndex: entries.at(-1)?.index ?? 0 };
    this.#writing.push(write);
    const done = this.#options.log.append({ snapshot: snapshot?.metadata, entries, hardState });
    done.then(
      () => this.#finish(write),
      (error: Error) => this.#fail(error),
    );
  }

  #finish(write: Write): void {
    if (this.#isAbandoned) return;
    const first = this.#writing.shift();
    if (first !== write) this.#fail(new Error('the log has answered out of order'));
    else this.#options.onDurable(write.responses, write.lastIndex);
  }

  #fail(error: Error): void {
    if (this.#isAbandoned) return;
    this.abandon();
    this.#options.onFailed(error);
  }
}
