import type { Message } from '../core/message.js';
import type { Transport, TransportHandlers } from '../ports/transport.js';

/** Transports in memory, of any number of nodes. What was sent waits until `deliver`. */
export class MemoryNetwork {
  readonly #nodes = new Map<number, TransportHandlers>();
  #waiting: (() => void)[] = [];

  /** The transport of a node. */
  transport(id: number): Transport {
    let handlers: TransportHandlers | undefined;
    return {
      open: (given) => {
        handlers = given;
        this.#nodes.set(id, given);
      },
      send: (messages) => {
        const from = handlers;
        if (from === undefined) return;
        const isOpen = () => this.#nodes.get(id) === from;
        for (const message of messages) this.#waiting.push(() => isOpen() && this.#carry(message, from));
      },
      close: async () => {
        if (handlers !== undefined && this.#nodes.get(id) === handlers) this.#nodes.delete(id);
        handlers = undefined;
      },
    };
  }

  /** Delivers everything that was sent, and what is sent because of it. Returns how many messages there were. */
  deliver(): number {
    let count = 0;
    for (; this.#waiting.length > 0; count++) this.#waiting.shift()?.();
    return count;
  }

  #carry(message: Message, from: TransportHandlers): void {
    const target = this.#nodes.get(message.to);
    target?.onMessage(message);
    if (target === undefined) from.onUnreachable(message.to);
    if (message.type === 'MsgSnap') from.onSnapshotSent(message.to, target !== undefined);
  }
}
