import type { Timer } from '@shanghai/env';
import type { ReplicationPeer } from '../ports/replication-transport.js';
import { type DialEnd, DialledSession, type DialSettings } from './dialled-session.js';

/** A session that was open for so many times the longest wait was not ended for something that will end it again. */
const stableOpenings = 2;

/** Keeps a session with one source: dials, and dials again for as long as the source is wanted, later each time. */
export class Dialler {
  readonly #settings: DialSettings;
  readonly #peer: ReplicationPeer;
  #session: DialledSession | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #dialledMs = 0;
  /** What was told last, so that the same is not told again and again. */
  #lastReason = '';
  #isClosed = false;

  constructor(settings: DialSettings, peer: ReplicationPeer) {
    this.#settings = settings;
    this.#peer = peer;
    this.#dial();
  }

  get address(): string {
    return this.#peer.address;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#session?.drop();
  }

  #dial(): void {
    this.#dialledMs = this.#settings.options.clock.monotonicMs();
    this.#session = new DialledSession(this.#settings, this.#peer, (end, wasOpen) => this.#ended(end, wasOpen));
  }

  #ended(end: DialEnd, wasOpen: boolean): void {
    if (this.#isClosed) return;
    const { options, limits } = this.#settings;
    const { clock, random } = options;
    if (wasOpen) this.#lastReason = '';
    else this.#tell(end);
    if (wasOpen && clock.monotonicMs() - this.#dialledMs > stableOpenings * limits.retryMaxMs) this.#failures = 0;
    const grown = Math.min(limits.retryMaxMs, limits.retryMinMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    const waitMs = end.refusal === undefined ? grown : limits.refusedRetryMs;
    // Nodes that lost the same source should not come back in step.
    this.#timer = clock.setTimer(waitMs * (0.5 + random.float() / 2), () => this.#dial());
  }

  #tell({ reason, refusal }: DialEnd): void {
    if (reason === this.#lastReason) return;
    this.#lastReason = reason;
    const { listener } = this.#settings.options;
    if (refusal !== undefined) listener?.refused?.(refusal);
    else listener?.unreachable?.({ nodeId: this.#peer.nodeId, address: this.#peer.address, reason });
  }
}
