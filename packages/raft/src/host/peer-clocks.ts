/** Asks the peers for the time and answers them, and says when this node's own clock is off. */
import type { Clock } from '@shanghai/env';
import { ClockJudge, type ClockVerdict } from '../core/clock-judge.js';
import type { ClockMessage, PeerTransport } from '../ports/peer-transport.js';
import type { HostListener } from './host-listener.js';

/** Between questions to a peer that has answered once; before that each tick asks. */
const askEveryMs = 2_000;
/** What took longer to be answered says nothing worth knowing. */
const longestRoundMs = 60_000;
/** Wall time is told in whole milliseconds; a clock that was moved by less was not moved. */
const noticedMs = 2;

/** The clocks of a host's peers. */
export class PeerClocks {
  readonly #clock: Clock;
  readonly #transport: PeerTransport;
  readonly #listener: HostListener;
  readonly #judge = new ClockJudge();
  #askedMs = Number.NEGATIVE_INFINITY;
  /** The last verdict, and what it was made of. */
  #verdict: ClockVerdict | undefined;
  #ownLeadMs = 0;
  #peers: readonly number[] = [];
  /** Something new was heard. */
  #isDue = false;

  constructor(clock: Clock, transport: PeerTransport, listener: HostListener) {
    this.#clock = clock;
    this.#transport = transport;
    this.#listener = listener;
  }

  /** Asks whoever is to be asked. `peers`: nodes that share a group with this one. */
  tick(peers: readonly number[]): void {
    const nowMs = this.#clock.monotonicMs();
    const isTime = nowMs - this.#askedMs >= askEveryMs;
    if (isTime) this.#askedMs = nowMs;
    const ask: ClockMessage = { type: 'ask', questionMs: Math.floor(nowMs) };
    for (const nodeId of peers) if (isTime || !this.#judge.knows(nodeId)) this.#send(nodeId, ask);
    this.judge(peers);
  }

  /** Takes in what a peer asks or answers. */
  receive(from: number, message: ClockMessage): void {
    const { questionMs } = message;
    if (message.type === 'ask') {
      this.#send(from, { type: 'answer', questionMs, wallMs: this.#clock.nowMs() });
      return;
    }
    const answeredMs = this.#clock.monotonicMs();
    if (questionMs > answeredMs || answeredMs - questionMs > longestRoundMs) return;
    this.#isDue = true;
    this.#judge.hear(from, { askedMs: questionMs, answeredMs, wallMs: message.wallMs });
    // Somebody may be waiting for the first verdict; later ones are made when they are asked for.
    if (this.#verdict?.isKnown === false) this.judge(this.#peers);
  }

  /** Whether the own clock can be believed now. Tells the listener of changes. */
  judge(peers: readonly number[]): ClockVerdict {
    const wallMs = this.#clock.nowMs();
    const nowMs = this.#clock.monotonicMs();
    // Asked for every entry that is proposed: while nobody set a clock, nothing can have changed.
    const isMoved = Math.abs(wallMs - nowMs - this.#ownLeadMs) > noticedMs;
    if (this.#verdict !== undefined && !this.#isDue && !isMoved && peers === this.#peers) return this.#verdict;
    const wasOff = this.#verdict?.isOff === true;
    const wasKnown = this.#verdict?.isKnown === true;
    const verdict = this.#judge.judge(wallMs, nowMs, peers);
    this.#verdict = verdict;
    this.#isDue = false;
    this.#ownLeadMs = wallMs - nowMs;
    this.#peers = peers;
    if (verdict.isKnown && !wasKnown) this.#listener.clockKnown?.();
    if (verdict.isOff !== wasOff) {
      const event = { offsetMs: verdict.offsetMs ?? 0 };
      if (verdict.isOff) this.#listener.clockOff?.(event);
      else this.#listener.clockAgrees?.(event);
    }
    return verdict;
  }

  #send(nodeId: number, clock: ClockMessage): void {
    this.#transport.send(nodeId, { messages: [], signals: [], clock });
  }
}
