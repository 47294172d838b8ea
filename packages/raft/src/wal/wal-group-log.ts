import { invariant } from '@shanghai/env';
import type { ConfState } from '../core/configuration/configuration.js';
import type { Entry, HardState } from '../core/entry.js';
import type { LogGap } from '../core/log/log-storage.js';
import { RaftError } from '../core/raft-error.js';
import type { GroupLog, LogWrite } from '../ports/group-log.js';
import type { GroupStream } from './group-stream.js';

/** A group's log while somebody has it open. */
export class WalGroupLog implements GroupLog {
  readonly groupId: number;
  readonly #stream: GroupStream;
  readonly #onIdle: () => void;
  #onClosed: (() => void) | undefined;

  /** `onIdle` hears of a compaction that has nothing to compact. */
  constructor(stream: GroupStream, onIdle: () => void, onClosed: () => void) {
    this.groupId = stream.groupId;
    this.#stream = stream;
    this.#onIdle = onIdle;
    this.#onClosed = onClosed;
  }

  get bytes(): number {
    return this.#stream.view.bytes;
  }

  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    return { hardState: this.#stream.hardState, confState: this.#stream.view.start.confState };
  }

  entries(from: number, to: number, maxBytes: number): readonly Entry[] | LogGap {
    return this.#stream.view.entries(from, to, maxBytes);
  }

  term(index: number): number | LogGap {
    return this.#stream.view.term(index);
  }

  lastIndex(): number {
    return this.#stream.view.lastIndex;
  }

  firstIndex(): number {
    return this.#stream.view.start.index + 1;
  }

  append(write: LogWrite): Promise<void> {
    return this.#onClosed === undefined ? Promise.reject(closed(this.groupId)) : this.#stream.append(write);
  }

  async compact(index: number, confState: ConfState): Promise<void> {
    if (this.#onClosed === undefined) throw closed(this.groupId);
    const { start, lastIndex } = this.#stream.view;
    invariant(index <= lastIndex, `compacting up to ${index} of a log up to ${lastIndex}`);
    if (index > start.index) await this.#stream.compact(index, confState);
    else this.#onIdle();
  }

  close(): void {
    this.#onClosed?.();
    this.#onClosed = undefined;
  }
}

function closed(groupId: number): RaftError {
  return new RaftError('CLOSED', `the log of group ${groupId} is closed`);
}
