import type { Message } from '../core/message.js';
import type { GroupMessage, GroupSignal, PeerFrame, PeerTransport } from '../ports/peer-transport.js';

/** Says no more than that its sender lives. */
const beat: PeerFrame = { messages: [], signals: [] };

interface WaitingFrame {
  readonly messages: GroupMessage[];
  readonly signals: GroupSignal[];
}

/** What the groups of a host have to send in a turn: it leaves as one frame for each node. */
export class Outbox {
  readonly #transport: PeerTransport;
  #waiting = new Map<number, WaitingFrame>();

  constructor(transport: PeerTransport) {
    this.#transport = transport;
  }

  send(groupId: number, message: Message): void {
    this.#frameFor(message.to).messages.push({ groupId, message });
  }

  signal(to: number, signal: GroupSignal): void {
    this.#frameFor(to).signals.push(signal);
  }

  /** Sends everything, and a beat to those of `beatTo` whom nothing is for. */
  flush(beatTo: readonly number[] = []): void {
    const frames = this.#waiting;
    if (frames.size > 0) {
      this.#waiting = new Map();
      for (const [nodeId, frame] of frames) this.#transport.send(nodeId, frame);
    }
    for (const nodeId of beatTo) if (!frames.has(nodeId)) this.#transport.send(nodeId, beat);
  }

  #frameFor(nodeId: number): WaitingFrame {
    const known = this.#waiting.get(nodeId);
    if (known !== undefined) return known;
    const frame: WaitingFrame = { messages: [], signals: [] };
    this.#waiting.set(nodeId, frame);
    return frame;
  }
}
