import { invariant } from '@shanghai/env';
import type { Channel, Transport } from '../transport.js';

/**
 * The addresses of a client and the channels to them. One is current and serves everything; when it fails the next
 * becomes current. Channels are opened when first needed.
 */
export class Endpoints {
  readonly addresses: readonly string[];
  readonly #transport: Transport;
  readonly #channels = new Map<string, Channel>();
  #at = 0;

  constructor(transport: Transport, addresses: readonly string[]) {
    invariant(addresses.length > 0, 'a client without endpoints');
    this.#transport = transport;
    this.addresses = addresses;
  }

  /** The channel in use. */
  current(): Channel {
    const address = this.address;
    let channel = this.#channels.get(address);
    if (channel === undefined) {
      channel = this.#transport.open(address);
      this.#channels.set(address, channel);
    }
    return channel;
  }

  /** The address in use. */
  get address(): string {
    return this.addresses[this.#at] as string;
  }

  /** That channel failed: the next address becomes current, unless another already did. */
  failed(channel: Channel): void {
    if (this.#channels.get(this.address) === channel) this.#at = (this.#at + 1) % this.addresses.length;
  }

  /** Closes every channel. Idempotent. */
  close(): void {
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
  }
}
