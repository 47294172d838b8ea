import { framesOf } from '../wire/fragments.js';

/** The part of a gRPC call that is written to. */
interface WritableCall {
  write(frame: Uint8Array, onWritten?: () => void): boolean;
}

/** Writes messages to one lane, and knows how much waits. */
export class LaneWriter {
  readonly #call: WritableCall;
  #waitingBytes = 0;

  constructor(call: WritableCall) {
    this.#call = call;
  }

  /** Bytes that were given and are not on their way yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Whether more may be written now. */
  write(message: Uint8Array): boolean {
    let mayGoOn = true;
    for (const frame of framesOf(message)) {
      this.#waitingBytes += frame.length;
      mayGoOn = this.#call.write(frame, () => {
        this.#waitingBytes -= frame.length;
      });
    }
    return mayGoOn;
  }
}
