import type { Clock } from '@shanghai/env';
import type { Channel, Transport } from '../transport.js';

/** A node that failed is avoided for so long, in milliseconds; twice as long after each further failure. */
const firstAvoidMs = 500;
const maxAvoidMs = 10_000;

/** Right after it failed others may still name it, in milliseconds. */
const ignoreHintsMs = 200;

/** One node as a client knows it: its address, the channel to it, and how it did lately. */
export class ClusterNode {
  readonly address: string;
  /** The number that it has in its cluster, once it was heard. */
  nodeId: number | undefined;
  /** Requests and streams that it is working on for this client. */
  load = 0;
  readonly #transport: Transport;
  readonly #clock: Clock;
  #channel: Channel | undefined;
  #failures = 0;
  #avoidUntilMs = 0;
  #hintedAgainMs = 0;

  constructor(address: string, transport: Transport, clock: Clock) {
    this.address = address;
    this.#transport = transport;
    this.#clock = clock;
  }

  /** The channel to it, opened when first needed. */
  get channel(): Channel {
    this.#channel ??= this.#transport.open(this.address);
    return this.#channel;
  }

  /**
   * The channel to it, connected. Rejects as `Channel.ready` does. A channel that has failed goes on failing for a while
   * although its node is there again; a new one does not, so it is not kept.
   */
  async connected(signal: AbortSignal): Promise<Channel> {
    const { channel } = this;
    try {
      await channel.ready(signal);
      return channel;
    } catch (error) {
      if (!signal.aborted && this.#channel === channel) this.close();
      throw error;
    }
  }

  /** Whether nothing speaks against asking it. */
  get isHealthy(): boolean {
    return this.#failures === 0 || this.#clock.monotonicMs() >= this.#avoidUntilMs;
  }

  /** Whether a hint that it leads is worth following: not right after it failed, but before it is asked in turn again. */
  get isWorthFollowing(): boolean {
    return this.#failures === 0 || this.#clock.monotonicMs() >= this.#hintedAgainMs;
  }

  /** It could not be reached, broke a connection, or said that it cannot serve: others are preferred for a while. */
  failed(): void {
    const avoidMs = Math.min(maxAvoidMs, firstAvoidMs * 2 ** Math.min(this.#failures++, 10));
    const nowMs = this.#clock.monotonicMs();
    this.#avoidUntilMs = nowMs + avoidMs;
    this.#hintedAgainMs = nowMs + ignoreHintsMs;
  }

  /** It answered. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** Closes its channel; it may be opened again. Idempotent. */
  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }
}
