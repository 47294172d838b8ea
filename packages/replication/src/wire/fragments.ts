import { ReplicationError } from '../core/replication-error.js';

/** What a frame may have, and so a message of gRPC. */
export const maxFrameBytes = 1_048_576;

const wholeMark = 0;
const pieceMark = 1;
const lastPieceMark = 2;

/** A message as it was encoded, in frames. */
export function framesOf(message: Uint8Array): readonly Uint8Array[] {
  if (message.length <= maxFrameBytes) return [message];
  const frames: Uint8Array[] = [];
  const roomBytes = maxFrameBytes - 1;
  // The first byte of a whole message is not part of what is cut.
  for (let at = 1; at < message.length; at += roomBytes) {
    const piece = message.subarray(at, at + roomBytes);
    const frame = Buffer.allocUnsafe(piece.length + 1);
    frame[0] = at + roomBytes < message.length ? pieceMark : lastPieceMark;
    frame.set(piece, 1);
    frames.push(frame);
  }
  return frames;
}

/** Puts the pieces of one stream together again. */
export class Fragments {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  /** No message has more than `maxBytes`. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The message that this frame ends; `undefined` where it does not. Throws `ReplicationError` `CORRUPT`. */
  take(frame: Uint8Array): Uint8Array | undefined {
    const mark = frame[0];
    if (mark === wholeMark && this.#bytes === 0) return frame;
    if (mark !== pieceMark && mark !== lastPieceMark) {
      throw new ReplicationError('CORRUPT', `a frame of ${frame.length} bytes begins with ${mark}`);
    }
    this.#bytes += frame.length - 1;
    if (frame.length < 2 || this.#bytes > this.#maxBytes) {
      throw new ReplicationError('CORRUPT', `${this.#bytes} bytes in pieces; a message has ${this.#maxBytes} at most`);
    }
    this.#pieces.push(frame.subarray(1));
    if (mark === pieceMark) return undefined;
    const message = Buffer.concat([new Uint8Array([wholeMark]), ...this.#pieces]);
    this.#pieces = [];
    this.#bytes = 0;
    return message;
  }
}
