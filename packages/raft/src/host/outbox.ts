import type { Clock, Timer } from '@shanghai/env';
import type { Message } from '../core/message.js';
import type { GroupMessage, GroupSignal, PeerFrame, PeerTransport } from '../ports/peer-transport.js';

/** Says no more than that its sender lives. */
const beat: PeerFrame = { messages: [], signals: [] };

interface WaitingFrame {
  readonly messages: GroupMessage[];
  readonly signals: GroupSignal[];
}

/**
 * What the groups of a host have to send in a turn: it leaves as one frame for each node.
 *
 * An append without entries says only how far entries are committed. A frame of its own for it costs sender, receiver and
 * the answer's way back as much as one with entries, so it waits for a frame that goes to the same node anyway, for at
 * most `commitDelayMs`; where an append of its group goes there first, it says the same and more, and the one that waited
 * is dropped. Only readers of a follower's state notice: a read that its leader answered finds the news before the answer.
 */
export class Outbox {
  readonly #transport: PeerTransport;
  readonly #clock: Clock;
  readonly #commitDelayMs: number;
  #waiting = new Map<number, WaitingFrame>();
  /** By node, by group. */
  readonly #held = new Map<number, Map<number, Message>>();
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(transport: PeerTransport, clock: Clock, commitDelayMs: number) {
    this.#transport = transport;
    this.#clock = clock;
    this.#commitDelayMs = commitDelayMs;
  }

  send(groupId: number, message: Message): void {
    if (message.type === 'MsgApp') {
      const held = this.#held.get(message.to);
      if (this.#commitDelayMs > 0 && message.entries.length === 0) {
        this.#hold(groupId, message, held);
        return;
      }
      held?.delete(groupId);
    }
    this.#frameFor(message.to).messages.push({ groupId, message });
  }

  signal(to: number, signal: GroupSignal): void {
    this.#frameFor(to).signals.push(signal);
  }

  /** Sends everything that does not wait for company, and a beat to those of `beatTo` whom nothing is for. */
  flush(beatTo: readonly number[] = []): void {
    for (const nodeId of beatTo) this.#frameOfHeld(nodeId);
    const frames = this.#waiting;
    if (frames.size > 0) {
      this.#waiting = new Map();
      for (const [nodeId, frame] of frames) this.#transport.send(nodeId, frame);
    }
    for (const nodeId of beatTo) if (!frames.has(nodeId)) this.#transport.send(nodeId, beat);
  }

  /** Sends what there is, whatever it waits for. Nothing waits from then on. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#release();
  }

  #hold(groupId: number, message: Message, held: Map<number, Message> | undefined): void {
    const { to } = message;
    const frame = this.#waiting.get(to);
    if (frame !== undefined || this.#isClosed) {
      this.#frameFor(to).messages.push({ groupId, message });
      return;
    }
    if (held === undefined) this.#held.set(to, new Map([[groupId, message]]));
    else held.set(groupId, message);
    this.#timer ??= this.#clock.setTimer(this.#commitDelayMs, () => {
      this.#timer = undefined;
      this.#release();
    });
  }

  #release(): void {
    for (const nodeId of this.#held.keys()) this.#frameOfHeld(nodeId);
    this.flush();
  }

  /** A frame for what waits for a node; none where nothing does. */
  #frameOfHeld(nodeId: number): void {
    const held = this.#held.get(nodeId);
    if (held !== undefined && held.size > 0) this.#frameFor(nodeId);
  }

  #frameFor(nodeId: number): WaitingFrame {
    const known = this.#waiting.get(nodeId);
    if (known !== undefined) return known;
    const messages: GroupMessage[] = [];
    const held = this.#held.get(nodeId);
    if (held !== undefined && held.size > 0) {
      for (const [groupId, message] of held) messages.push({ groupId, message });
      held.clear();
    }
    const frame: WaitingFrame = { messages, signals: [] };
    this.#waiting.set(nodeId, frame);
    return frame;
  }
}
