import type { Clock, Random } from '@shanghai/env';
import type { Destination } from '../core/message.js';
import type { MembershipTransport, TransportHandlers } from '../ports/membership-transport.js';

/** What a network in memory does to frames. */
export interface MemoryNetworkOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** A frame takes this long at least, and at most. Defaults 1 and 5. */
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
  /** Which part of the frames is lost, in [0, 1). Default 0. */
  readonly loss?: number;
}

/** A network between transports of one process. Frames may overtake each other. */
export interface MemoryNetwork {
  /** The transport of a node at an address. */
  transport(nodeId: number, address: string): MembershipTransport;
  /** Frames from the first to the second are swallowed, or not any more. */
  cut(from: number, to: number, isCut: boolean): void;
  /** Frames carried, and their bytes. */
  readonly carried: { readonly frames: number; readonly bytes: number };
}

/** Makes one. */
export function createMemoryNetwork(options: MemoryNetworkOptions): MemoryNetwork {
  return new Network(options);
}

class Network implements MemoryNetwork {
  readonly carried = { frames: 0, bytes: 0 };
  readonly #options: MemoryNetworkOptions;
  readonly #places = new Map<string, Place>();
  readonly #cuts = new Set<string>();

  constructor(options: MemoryNetworkOptions) {
    this.#options = options;
  }

  transport(nodeId: number, address: string): MembershipTransport {
    return new Place(nodeId, address, this);
  }

  cut(from: number, to: number, isCut: boolean): void {
    if (isCut) this.#cuts.add(`${from} ${to}`);
    else this.#cuts.delete(`${from} ${to}`);
  }

  enter(place: Place): void {
    this.#places.set(place.address, place);
  }

  leave(place: Place): void {
    if (this.#places.get(place.address) === place) this.#places.delete(place.address);
  }

  carry(from: number, to: Destination, frame: Uint8Array): void {
    const { clock, random, minDelayMs = 1, maxDelayMs = 5, loss = 0 } = this.#options;
    if (loss > 0 && random.float() < loss) return;
    clock.setTimer(minDelayMs + random.float() * (maxDelayMs - minDelayMs), () => {
      const place = this.#places.get(to.address);
      if (place === undefined || (to.nodeId !== 0 && to.nodeId !== place.nodeId)) return;
      if (this.#cuts.has(`${from} ${place.nodeId}`)) return;
      this.carried.frames++;
      this.carried.bytes += frame.length;
      place.handlers?.onFrame(from, frame);
    });
  }
}

class Place implements MembershipTransport {
  readonly nodeId: number;
  readonly address: string;
  handlers: TransportHandlers | undefined;
  readonly #network: Network;
  #isClosed = false;

  constructor(nodeId: number, address: string, network: Network) {
    this.nodeId = nodeId;
    this.address = address;
    this.#network = network;
  }

  open(handlers: TransportHandlers): void {
    this.handlers = handlers;
    this.#network.enter(this);
  }

  send(to: Destination, frame: Uint8Array): void {
    if (!this.#isClosed) this.#network.carry(this.nodeId, to, frame);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.handlers = undefined;
    this.#network.leave(this);
  }
}
