/**
 * Writes encoded messages to a stream no faster than its reader takes them. grpc-js counts waiting messages, not their
 * bytes; this counts bytes: those handed to the stream whose write has not completed. HTTP/2 flow control completes no
 * write towards a reader that stopped, so at most `limitBytes` and one message wait for it.
 */
import type { Writable } from 'node:stream';
import type { AnswerBudget, SlowReader } from '../connections/answer-budget.js';

/** What may be written to: a server stream or the answering side of a bidirectional one. */
export type WritableCall = Pick<Writable, 'write' | 'once'>;

/** What HTTP/2 says to who is too much. */
const enhanceYourCalm = 11;

/** Bytes on their way to one reader. */
export class StreamWriter implements SlowReader {
  readonly #call: WritableCall;
  readonly #limitBytes: number;
  readonly #onRoom: (() => void) | undefined;
  readonly #budget: AnswerBudget;
  #pendingBytes = 0;
  #isClosed = false;
  #waiting: (() => void)[] = [];

  /** `onRoom` is called whenever a full writer has room again. */
  constructor(call: WritableCall, limitBytes: number, budget: AnswerBudget, onRoom?: () => void) {
    this.#call = call;
    this.#budget = budget;
    this.#limitBytes = limitBytes;
    this.#onRoom = onRoom;
    call.once('cancelled', () => this.#close());
    call.once('close', () => this.#close());
  }

  /** Whether nothing more should be produced for now. */
  get isFull(): boolean {
    return this.#pendingBytes >= this.#limitBytes;
  }

  /** The reader is gone; writing has no effect. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * Hands a message over. Callers ask `isFull` or await `room` before they produce the next one. `onWritten` is called when
   * nobody reads `bytes` any more; not where the stream breaks.
   */
  write(bytes: Buffer, onWritten?: () => void): void {
    if (this.#isClosed) return;
    const length = bytes.length + 5;
    this.#pendingBytes += length;
    this.#budget.add(this, length);
    if (this.#isClosed) return;
    this.#call.write(bytes, (error) => {
      this.#written(length);
      if (error === null || error === undefined) onWritten?.();
    });
  }

  /** Resolves when there is room or the reader is gone. */
  room(): Promise<void> {
    if (!this.isFull || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  /** Ends the stream at once, with all that waits. The library would first write it out. */
  cutOff(): void {
    this.#isClosed = true;
    const inner = (this.#call as unknown as { call?: { stream?: { close(code: number): void } } }).call;
    // Which gRPC shows as RESOURCE_EXHAUSTED.
    inner?.stream?.close(enhanceYourCalm);
    this.#wake();
  }

  #written(length: number): void {
    const wasFull = this.isFull;
    this.#pendingBytes -= length;
    this.#budget.taken(this, length);
    if (wasFull && !this.isFull) this.#wake();
  }

  #close(): void {
    this.#isClosed = true;
    this.#budget.forget(this);
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
    this.#onRoom?.();
  }
}
