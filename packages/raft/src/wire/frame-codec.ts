/**
 * What goes between two nodes at once, as frames of bounded size (docs/formats/peer-protocol.md):
 *
 *     1 | item | item | …
 *     2 | number | bytes of the whole (number 0 only) | part of the whole
 *     3 | ask or answer | question | wall time (answer only)
 *
 * The second kind carries what is larger than a frame: the parts together are a frame of the first kind.
 */
import type { ClockMessage, GroupMessage, GroupSignal, PeerFrame } from '../ports/peer-transport.js';
import { ItemReader, messageBound, signalBound, writeMessage, writeSignal } from './message-codec.js';
import { PeerError } from './peer-error.js';
import { WireReader } from './wire-reader.js';
import { maxVarintBytes, WireWriter } from './wire-writer.js';

/** No frame has more bytes. */
export const maxFrameBytes = 1_048_576;

/** What a whole may have beyond the largest entry: heads, or other small entries before it. */
export const wholeSlackBytes = 1_048_576;

const batchKind = 1;
const fragmentKind = 2;
const clockKind = 3;
const askType = 1;
const answerType = 2;

/** A frame that says nothing but that its sender lives. */
export const beatFrame: Uint8Array = Uint8Array.of(batchKind);

/**
 * Messages and signals of the node `from`, in their order, as frames; none where there are none. One that is larger than
 * `maxFrameBytes` holds a single large message and goes in fragments.
 */
export function encodeFrames(
  messages: readonly GroupMessage[],
  signals: readonly GroupSignal[],
  from: number,
): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let begin = 0;
  let bound = 1;
  for (let at = 0; at < messages.length; at++) {
    const bytes = messageBound(messages[at] as GroupMessage);
    if (bound + bytes > maxFrameBytes && at > begin) {
      frames.push(encodeBatch(messages.slice(begin, at), [], from, bound));
      begin = at;
      bound = 1;
    }
    bound += bytes;
  }
  const perFrame = Math.floor((maxFrameBytes - 1) / signalBound);
  const withLast = bound + signals.length * signalBound <= maxFrameBytes ? signals : [];
  if (begin < messages.length || withLast.length > 0) {
    const last = begin === 0 ? messages : messages.slice(begin);
    frames.push(encodeBatch(last, withLast, from, bound + withLast.length * signalBound));
  }
  for (let at = withLast.length; at < signals.length; at += perFrame) {
    const part = signals.slice(at, at + perFrame);
    frames.push(encodeBatch([], part, from, 1 + part.length * signalBound));
  }
  return frames;
}

function encodeBatch(
  messages: readonly GroupMessage[],
  signals: readonly GroupSignal[],
  from: number,
  bound: number,
): Uint8Array {
  const writer = new WireWriter(bound);
  writer.byte(batchKind);
  for (const message of messages) writeMessage(writer, message, from);
  for (const signal of signals) writeSignal(writer, signal);
  return writer.finish();
}

/** A question for the time, or the answer. Only for who speaks version 2 of the protocol. */
export function encodeClock(clock: ClockMessage): Uint8Array {
  const writer = new WireWriter(2 + 2 * maxVarintBytes);
  writer.byte(clockKind);
  writer.byte(clock.type === 'ask' ? askType : answerType);
  writer.varint(clock.questionMs);
  if (clock.type === 'answer') writer.varint(clock.wallMs);
  return writer.finish();
}

function decodeClock(reader: WireReader): PeerFrame {
  const type = reader.byte();
  if (type !== askType && type !== answerType) throw reader.malformed(`has the unknown clock type ${type}`);
  const questionMs = reader.varint();
  const clock: ClockMessage =
    type === askType ? { type: 'ask', questionMs } : { type: 'answer', questionMs, wallMs: reader.varint() };
  if (reader.left > 0) throw reader.malformed('goes on behind its end');
  return { messages: [], signals: [], clock };
}

/** A frame as it travels: itself, or in parts where it is too large. */
export function fragmentsOf(whole: Uint8Array): readonly Uint8Array[] {
  if (whole.length <= maxFrameBytes) return [whole];
  const headBound = 1 + 2 * maxVarintBytes;
  const partBytes = maxFrameBytes - headBound;
  const frames: Uint8Array[] = [];
  for (let at = 0; at < whole.length; at += partBytes) {
    const part = whole.subarray(at, at + partBytes);
    const writer = new WireWriter(headBound + part.length);
    writer.byte(fragmentKind);
    writer.varint(frames.length);
    if (at === 0) writer.varint(whole.length);
    writer.raw(part);
    frames.push(writer.finish());
  }
  return frames;
}

/** What a frame says. Throws `PeerError` `MALFORMED`, and nothing else. */
export function decodeBatch(frame: Uint8Array, from: number, to: number): PeerFrame {
  const reader = new WireReader(frame);
  const kind = reader.byte();
  if (kind === clockKind) return decodeClock(reader);
  if (kind !== batchKind) throw reader.malformed(`is of the unknown kind ${kind}`);
  const items = new ItemReader(reader, frame, from, to);
  const messages: GroupMessage[] = [];
  const signals: GroupSignal[] = [];
  while (reader.left > 0) items.next(messages, signals);
  return { messages, signals };
}

/** Puts fragments together. One for each stream: it holds at most one whole. */
export class Fragments {
  readonly #maxWholeBytes: number;
  #whole: Uint8Array | undefined;
  #filled = 0;
  #next = 0;

  constructor(maxWholeBytes: number) {
    this.#maxWholeBytes = maxWholeBytes;
  }

  /** A frame that came: itself, the whole that it completes, or `undefined` where more is to come. Throws `MALFORMED`. */
  take(frame: Uint8Array): Uint8Array | undefined {
    if (frame[0] !== fragmentKind) {
      if (this.#whole !== undefined)
        throw new PeerError('MALFORMED', 'a frame stands between the fragments of another');
      return frame;
    }
    const reader = new WireReader(frame, 1);
    const number = reader.varint();
    if (number !== this.#next) throw reader.malformed(`is fragment ${number} where ${this.#next} is next`);
    if (number === 0) this.#begin(reader);
    const whole = this.#whole as Uint8Array;
    const part = reader.view(reader.left);
    if (part.length === 0) throw reader.malformed('is an empty fragment');
    if (this.#filled + part.length > whole.length) throw reader.malformed('has more than was said');
    whole.set(part, this.#filled);
    this.#filled += part.length;
    this.#next++;
    if (this.#filled < whole.length) return undefined;
    this.#whole = undefined;
    this.#next = 0;
    return whole;
  }

  #begin(reader: WireReader): void {
    const bytes = reader.varint();
    if (bytes > this.#maxWholeBytes) throw reader.malformed(`begins ${bytes} bytes; at most ${this.#maxWholeBytes}`);
    if (bytes <= maxFrameBytes) throw reader.malformed(`begins ${bytes} bytes, which fit into one frame`);
    this.#whole = new Uint8Array(bytes);
    this.#filled = 0;
  }
}
