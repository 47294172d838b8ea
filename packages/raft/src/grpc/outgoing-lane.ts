/**
 * What goes to one peer on one lane. Dials, and dials again for as long as the peer is wanted, later each time. While it
 * dials, frames wait for the answer; while it waits to dial again, or when the peer does not read, they are dropped and
 * the peer is told to be unreachable: what consensus sends later says more than what it sent before.
 */
import type { Random, Timer } from '@shanghai/env';
import type { Peer } from '../ports/peer-transport.js';
import { fragmentsOf } from '../wire/frame-codec.js';
import type { PeerError } from '../wire/peer-error.js';
import { type DialledStream, type DialSettings, dialStream, refusalOf } from './dialled-stream.js';
import type { GrpcPeersListener } from './grpc-peers-options.js';

/** What lanes of a node share. */
export interface LaneSettings extends DialSettings {
  readonly random: Random;
  readonly listener: GrpcPeersListener;
  /** Never called from within a method of the lane. */
  readonly onUnreachable: (nodeId: number) => void;
  /** A lane that was open has broken, whyever. */
  readonly onBroken: (peer: Peer, lane: 'control' | 'log') => void;
}

/** A lane that was open for so many times the longest wait was not ended for something that will end it again. */
const stableOpenings = 2;

/** `dialling`: until the answer to the hello; `waiting`: until the next attempt. */
type State = 'dialling' | 'open' | 'waiting' | 'closed';

/** A lane to a peer; dials from the beginning. */
export class OutgoingLane {
  readonly #settings: LaneSettings;
  readonly #peer: Peer;
  readonly #lane: 'control' | 'log';
  readonly #boundBytes: number;
  #state: State = 'waiting';
  #stream: DialledStream | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #openSinceMs = 0;
  #isRefused = false;
  /** What the owner was told last, so that the same is not told again and again. */
  #lastReason = '';
  #instanceId = '';
  #version = 0;
  /** Frames that wait for the answer. */
  #held: Uint8Array[] = [];
  /** Bytes that were given and are not on their way yet. */
  #waitingBytes = 0;
  #isBlocked = false;
  /** Whether the peer was told to be unreachable since the last change for the better. */
  #isTold = false;

  constructor(settings: LaneSettings, peer: Peer, lane: 'control' | 'log') {
    this.#settings = settings;
    this.#peer = peer;
    this.#lane = lane;
    const { limits } = settings;
    this.#boundBytes = lane === 'control' ? limits.controlBufferBytes : limits.logBufferBytes;
    this.#dial();
  }

  /** Who answered; empty where nobody has. */
  get instanceId(): string {
    return this.#state === 'open' ? this.#instanceId : '';
  }

  /** The version of the protocol that the peer speaks; 0 where it has not answered. */
  get version(): number {
    return this.#state === 'open' ? this.#version : 0;
  }

  /** The peer has shown that it is there: one that is waited for is dialled now. */
  hurry(): void {
    if (this.#state !== 'waiting' || this.#isRefused) return;
    this.#timer?.cancel();
    this.#dial();
  }

  /** Takes frames over, in their order; those larger than a frame may be go in fragments. */
  send(frames: readonly Uint8Array[]): void {
    for (const frame of frames) {
      const mayTake = this.#state === 'open' || this.#state === 'dialling';
      if (!mayTake || this.#isFull()) {
        this.#tellUnreachable();
        return;
      }
      this.#waitingBytes += frame.length;
      if (this.#state === 'open') this.#write(frame);
      else this.#held.push(frame);
    }
  }

  close(): void {
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    this.#timer?.cancel();
    this.#stream?.close();
    this.#held = [];
    if (wasOpen) this.#settings.listener.disconnected?.({ ...this.#event(), reason: '' });
  }

  #isFull(): boolean {
    if (this.#isBlocked) return true;
    if (this.#waitingBytes < this.#boundBytes) return false;
    this.#isBlocked = true;
    this.#settings.listener.blocked?.({ ...this.#event(), waitingBytes: this.#waitingBytes });
    return true;
  }

  #dial(): void {
    this.#state = 'dialling';
    this.#waitingBytes = 0;
    this.#isBlocked = false;
    this.#isTold = false;
    this.#stream = dialStream(this.#settings, this.#peer, this.#lane, {
      onOpen: (instanceId, version) => this.#becomeOpen(instanceId, version),
      // Nothing is said on this way back.
      onFrame: () => undefined,
      onEnd: (error) => this.#becomeWaiting(error),
    });
  }

  #becomeOpen(instanceId: string, version: number): void {
    this.#state = 'open';
    this.#instanceId = instanceId;
    this.#version = version;
    this.#openSinceMs = this.#settings.clock.monotonicMs();
    this.#lastReason = '';
    this.#settings.listener.connected?.(this.#event());
    const held = this.#held;
    this.#held = [];
    for (const frame of held) this.#write(frame);
  }

  #becomeWaiting(error: PeerError): void {
    const { listener, limits, random, clock } = this.#settings;
    const event = { ...this.#event(), reason: error.message, address: this.#peer.address };
    if (this.#state === 'open') {
      listener.disconnected?.(event);
      this.#settings.onBroken(this.#peer, this.#lane);
      // One that is ended as soon as it is open must not be made anew as fast as that goes.
      if (clock.monotonicMs() - this.#openSinceMs > stableOpenings * limits.retryMaxMs) this.#failures = 0;
    } else if (this.#lastReason !== error.message) {
      if (error.code === 'REFUSED') listener.refused?.({ ...event, ...refusalOf(error) });
      else listener.unreachable?.(event);
    }
    this.#lastReason = error.message;
    this.#isRefused = error.code === 'REFUSED';
    this.#state = 'waiting';
    this.#stream = undefined;
    this.#held = [];
    this.#tellUnreachable();
    const grown = Math.min(limits.retryMaxMs, limits.retryMinMs * 2 ** Math.min(this.#failures, 30));
    const waitMs = this.#isRefused ? limits.refusedRetryMs : grown;
    this.#failures++;
    // Nodes that lost the same peer should not come back in step.
    this.#timer = clock.setTimer(waitMs * (0.5 + random.float() / 2), () => this.#dial());
  }

  #write(frame: Uint8Array): void {
    const stream = this.#stream as DialledStream;
    const parts = fragmentsOf(frame);
    for (let at = 0; at < parts.length; at++) {
      const isLast = at === parts.length - 1;
      stream.write(parts[at] as Uint8Array, isLast ? () => this.#written(stream, frame.length) : ignore);
    }
    this.#settings.listener.sent?.(this.#peer.nodeId, this.#lane, frame.length);
  }

  #written(stream: DialledStream, bytes: number): void {
    if (this.#stream !== stream) return;
    this.#waitingBytes -= bytes;
    if (!this.#isBlocked || this.#waitingBytes > this.#boundBytes / 2) return;
    this.#isBlocked = false;
    this.#isTold = false;
  }

  #tellUnreachable(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const { clock, onUnreachable } = this.#settings;
    clock.soon(() => {
      if (this.#state !== 'closed') onUnreachable(this.#peer.nodeId);
    });
  }

  #event() {
    return { nodeId: this.#peer.nodeId, lane: this.#lane, direction: 'out' as const };
  }
}

function ignore(): void {}
