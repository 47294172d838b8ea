import { entriesBytes } from '../core/entry.js';
import type { Message } from '../core/message.js';
import type { GroupSignal } from '../ports/peer-transport.js';

/** A signal and who sent it. */
export interface ReceivedSignal {
  readonly from: number;
  readonly signal: GroupSignal;
}

/** As much may wait for a group; what comes beyond it is lost, as on a network. */
const maxWaitingMessages = 8_192;
const maxWaitingBytes = 128 * 1_048_576;
/** As much is taken in one turn, so that one group cannot hold up the others. */
const turnMessages = 256;
const turnBytes = 1_048_576;

/** What came for one group and was not looked at yet. */
export class Inbox {
  #messages: Message[] = [];
  #signals: ReceivedSignal[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0 && this.#signals.length === 0;
  }

  /** Returns false where it was lost. */
  add(message: Message): boolean {
    if (this.#messages.length >= maxWaitingMessages || this.#bytes >= maxWaitingBytes) return false;
    this.#messages.push(message);
    this.#bytes += entriesBytes(message.entries);
    return true;
  }

  addSignal(from: number, signal: GroupSignal): void {
    if (this.#signals.length < maxWaitingMessages) this.#signals.push({ from, signal });
  }

  /** The messages of one turn. */
  take(): readonly Message[] {
    const messages = this.#messages;
    let count = 0;
    for (let bytes = 0; count < messages.length && count < turnMessages && bytes < turnBytes; count++) {
      bytes += entriesBytes((messages[count] as Message).entries);
    }
    if (count === messages.length) {
      this.#messages = [];
      this.#bytes = 0;
      return messages;
    }
    const taken = messages.splice(0, count);
    for (const { entries } of taken) this.#bytes -= entriesBytes(entries);
    return taken;
  }

  /** Signals mean something behind the messages that came before them: only once those were taken. */
  takeSignals(): readonly ReceivedSignal[] {
    return this.#messages.length > 0 || this.#signals.length === 0 ? [] : this.#signals.splice(0);
  }

  clear(): void {
    this.#messages = [];
    this.#signals = [];
    this.#bytes = 0;
  }
}
