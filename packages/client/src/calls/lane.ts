// The calls that go to one place: to the leader of a group, whoever that is, or to one replica. A queue, and one stream.
//
// When the place moves (another leader), the stream to the old one is left: what is unanswered there may still be answered
// for a short time, because a node that stops leading in good order mostly knows what became of it; then it is judged
// call by call like a stream that broke. The calls that wait go to the new place.
//
// While nobody is known to lead, one call at a time goes out as a scout and the others wait where they are: a refusal
// costs as little as it can, and a group that elects is not flooded. The first call that is served opens the gate.
//
// A connection can be dead without saying so (a machine that lost its power). A stream that is silent for a while although
// calls are out is reported, and whoever owns the lane asks the other nodes.
import { delay, type Timer } from '@shanghai/env';
import { type ClientError, toClientError } from '../client-error.js';
import type { ClusterNode } from '../cluster/cluster-node.js';
import type { NodeRoute } from '../cluster/node-route.js';
import type { SearchStep } from '../core/leader-search.js';
import { errorOfDetail } from '../wire/error-wire.js';
import { type CallEnvironment, retryDelayMs, searchDelayMs } from './call-environment.js';
import type { CallHolder, PendingCall, PipelineAnswer } from './pending-call.js';
import { PipelineLink, type PipelineLinkEvents } from './pipeline-link.js';
import type { FailureAnswer, PipelineService } from './service-stream.js';
import { failureOfStream, isTurnedAway, leftFailure, silenceMs } from './stream-failure.js';

/** Where the calls of a lane go. */
export interface LaneRoute extends NodeRoute {
  /** It did a write. */
  proved(node: ClusterNode): void;
  /** It was connected to. */
  connected(node: ClusterNode): void;
  /** It owes answers and has sent nothing for a while. */
  silent(node: ClusterNode): void;
  /** How long a stream that was left may still answer, in milliseconds. Default 500. */
  readonly graceMs?: number;
}

/** What a lane tells the pipeline. */
export interface LaneEvents {
  /** The service that the calls are for. */
  readonly service: PipelineService;
  /** A call is about to be sent: gives a write its number; false where it must wait for one. */
  prepare(call: PendingCall): boolean;
  /** Packs that were to go to a node that takes none: they are the lane's no more. */
  unpackable(calls: readonly PendingCall[]): void;
  /** A call was answered. */
  answered(call: PendingCall, answer: PipelineAnswer): void;
  /** An attempt of a call failed on its way: `sendAgain` puts it in front of the queue, if it may be sent again. */
  broke(lane: Lane, call: PendingCall, failure: ClientError): void;
  /** The server answered a call with a failure of its own. */
  refused(lane: Lane, call: PendingCall, failure: ClientError): void;
}

/** So many writes that wait for a session are passed over to find a read that need not wait. */
const lookAhead = 1_024;

/** How long a stream that was left may still answer, in milliseconds. */
const graceMs = 500;

/** Queue and stream of one place. */
export class Lane implements PipelineLinkEvents, CallHolder {
  readonly #environment: CallEnvironment;
  readonly #route: LaneRoute;
  readonly #events: LaneEvents;
  /** Calls that go before the queue: their stream broke, or their session expired. */
  readonly #returned = new Set<PendingCall>();
  readonly #queue = new Set<PendingCall>();
  readonly #closing = new AbortController();
  /** Streams that were left and may still answer, with the end of their time. */
  readonly #left = new Map<PipelineLink, Timer>();
  #link: PipelineLink | undefined;
  #connecting = false;
  /** Connections that failed, or broke without an answer, since the last answer. */
  #linkFailures = 0;
  /** Set while nobody is known to serve: rounds of asking that led nowhere, and the wait before the next. */
  #search: { readonly failures: number; readonly timer: Timer | undefined } | undefined;
  #watch: Timer | undefined;
  #flushScheduled = false;
  #inFlightRequests = 0;
  #inFlightBytes = 0;

  constructor(environment: CallEnvironment, route: LaneRoute, events: LaneEvents) {
    this.#environment = environment;
    this.#route = route;
    this.#events = events;
  }

  /** Where its stream leads to; `undefined` while there is none. */
  get node(): ClusterNode | undefined {
    return this.#link?.node;
  }

  /** Whether the node that its stream leads to takes packs. */
  get takesPacks(): boolean {
    return this.#link?.takesPacks ?? false;
  }

  get waitsFor(): 'queue' | 'connection' | 'leader' {
    if (this.#search !== undefined) return 'leader';
    return this.#link === undefined ? 'connection' : 'queue';
  }

  /** Takes a call in, behind the others. */
  add(call: PendingCall): void {
    call.holder = this;
    this.#queue.add(call);
    this.scheduleFlush();
  }

  /** Takes a call in that was sent before: it goes before those that were not. */
  putBack(call: PendingCall): void {
    call.holder = this;
    this.#returned.add(call);
    this.scheduleFlush();
  }

  /** Gives away the calls that wait, those for which `wanted` holds. */
  takeWaiting(wanted: (call: PendingCall) => boolean = () => true): PendingCall[] {
    const calls = [...this.#returned, ...this.#queue].filter(wanted);
    for (const call of calls) {
      this.#returned.delete(call);
      this.#queue.delete(call);
    }
    return calls;
  }

  /** Drops a call that was given up, wherever it is here. */
  forget(call: PendingCall): void {
    this.#queue.delete(call);
    this.#returned.delete(call);
    const { message } = call;
    if (message === undefined) return;
    message.link.forget(call);
    this.#landed(call);
    this.scheduleFlush();
  }

  /** Sends what waits when the current turn has run its callbacks. */
  scheduleFlush(): void {
    if (this.#flushScheduled || this.#queue.size + this.#returned.size === 0) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flush);
  }

  /** Another node may be meant than before: leaves the stream to the old one. `abandon`: it need not answer any more. */
  moved(abandon: boolean): void {
    const link = this.#link;
    if (link === undefined || link.node === this.#route.target()) return;
    if (abandon) {
      this.#link = undefined;
      link.abandon(leftFailure(link.node));
    } else {
      this.#leave(link);
    }
    this.scheduleFlush();
  }

  /** Gives up its streams; what is unanswered there is judged. Calls that wait must have been taken away. */
  close(): void {
    this.#closing.abort();
    this.#watch?.cancel();
    this.#search?.timer?.cancel();
    const links = [...this.#left.keys(), ...(this.#link === undefined ? [] : [this.#link])];
    this.#link = undefined;
    for (const link of links) link.abandon(leftFailure(link.node));
  }

  onAnswer(link: PipelineLink, call: PendingCall, response: PipelineAnswer | FailureAnswer): void {
    this.#landed(call);
    if (response.$case === 'error') {
      const failure = errorOfDetail(response.value);
      if (isTurnedAway(failure)) this.#turnedAway(link, call, failure);
      else {
        this.#served(link);
        this.#events.refused(this, call, failure);
      }
    } else {
      this.#served(link);
      if (response.$case !== 'get') this.#route.proved(link.node);
      this.#events.answered(call, response);
    }
    this.scheduleFlush();
  }

  onDrain(): void {
    this.scheduleFlush();
  }

  onEnd(link: PipelineLink, unanswered: readonly PendingCall[], error: ClientError | undefined): void {
    this.#left.get(link)?.cancel();
    this.#left.delete(link);
    const hasAnswered = link.answers > 0;
    const failure = failureOfStream(error, hasAnswered);
    if (this.#link === link) {
      this.#link = undefined;
      if (!hasAnswered) this.#linkFailures++;
      if (isTurnedAway(failure)) this.#searchOn(this.#route.refused(link.node, failure));
      else if (!hasAnswered) this.#route.failed(link.node);
    }
    for (const call of unanswered) {
      this.#landed(call);
      this.#events.broke(this, call, failure);
    }
    this.scheduleFlush();
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    if (this.#queue.size + this.#returned.size === 0) return;
    const link = this.#link;
    if (link === undefined) {
      if (!this.#connecting) void this.#connect();
      return;
    }
    const { maxUnansweredMessages, maxMessageRequests } = this.#environment.options;
    if (!link.takesPacks && this.#events.service === 'log') this.#giveBackPacks();
    while (!link.blocked && link.unansweredMessages < maxUnansweredMessages) {
      if (this.#search !== undefined && (this.#search.timer !== undefined || link.size > 0)) return;
      const calls = this.#takeMessage(this.#search === undefined ? maxMessageRequests : 1);
      if (calls.length === 0) return;
      for (const { requests } of calls) link.node.load += requests;
      link.send(calls);
      this.#startWatch(link);
    }
  };

  /** What was packed for another node than the one that is there now. */
  #giveBackPacks(): void {
    const packs = this.takeWaiting(({ body }) => body.$case === 'logPack');
    if (packs.length > 0) this.#events.unpackable(packs);
  }

  /** The next calls that fit in a message and in the limits of what is in flight; none when nothing may be sent now. */
  #takeMessage(maxRequests: number): PendingCall[] {
    const { maxMessageBytes, maxInFlightRequests, maxInFlightBytes } = this.#environment.options;
    const calls: PendingCall[] = [];
    let messageBytes = 0;
    let messageRequests = 0;
    let passedOver = 0;
    for (const waiting of [this.#returned, this.#queue]) {
      for (const call of waiting) {
        if (calls.length > 0 && messageBytes + call.bytes > maxMessageBytes) return calls;
        if (calls.length > 0 && messageRequests + call.requests > maxRequests) return calls;
        if (this.#inFlightRequests > 0 && this.#inFlightRequests + call.requests > maxInFlightRequests) return calls;
        if (this.#inFlightRequests > 0 && this.#inFlightBytes + call.bytes > maxInFlightBytes) return calls;
        if (!this.#events.prepare(call)) {
          if (++passedOver >= lookAhead) return calls;
          continue;
        }
        waiting.delete(call);
        messageBytes += call.bytes;
        messageRequests += call.requests;
        this.#inFlightRequests += call.requests;
        this.#inFlightBytes += call.bytes;
        calls.push(call);
      }
    }
    return calls;
  }

  /** The call is no longer in flight. */
  #landed(call: PendingCall): void {
    if (call.message !== undefined) call.message.node.load -= call.requests;
    call.message = undefined;
    this.#inFlightRequests -= call.requests;
    this.#inFlightBytes -= call.bytes;
  }

  #served(link: PipelineLink): void {
    this.#linkFailures = 0;
    if (this.#search === undefined || link !== this.#link) return;
    this.#search.timer?.cancel();
    this.#search = undefined;
  }

  /** The node cannot serve the call, and did nothing of it. Only where that led nowhere does it count as an attempt. */
  #turnedAway(link: PipelineLink, call: PendingCall, failure: ClientError): void {
    this.#linkFailures = 0;
    let step: SearchStep = 'follow';
    if (link === this.#link) {
      step = this.#route.refused(link.node, failure);
      this.#searchOn(step);
      if (this.#link === link && this.#route.target() !== link.node) this.#leave(link);
    }
    if (step === 'follow') call.attempts--;
    this.#events.broke(this, call, failure);
  }

  #searchOn(step: SearchStep): void {
    const before = this.#search;
    before?.timer?.cancel();
    const failures = (before?.failures ?? 0) + (step === 'wait' ? 1 : 0);
    if (step === 'follow') {
      this.#search = { failures, timer: undefined };
      return;
    }
    const timer = this.#environment.options.clock.setTimer(searchDelayMs(this.#environment, failures), () => {
      this.#search = { failures, timer: undefined };
      this.scheduleFlush();
    });
    this.#search = { failures, timer };
  }

  #leave(link: PipelineLink): void {
    this.#link = undefined;
    if (link.size > 0) {
      const giveUp = () => link.abandon(leftFailure(link.node));
      this.#left.set(link, this.#environment.options.clock.setTimer(this.#route.graceMs ?? graceMs, giveUp));
    }
    link.retire();
  }

  #startWatch(link: PipelineLink): void {
    if (this.#watch !== undefined || this.#environment.nodes.all.length < 2) return;
    const { answers } = link;
    this.#watch = this.#environment.options.clock.setTimer(silenceMs, () => {
      this.#watch = undefined;
      const current = this.#link;
      if (current === undefined || current.size === 0) return;
      if (current === link && current.answers === answers) this.#route.silent(current.node);
      if (this.#link !== undefined) this.#startWatch(this.#link);
    });
  }

  async #connect(): Promise<void> {
    const { nodes, options } = this.#environment;
    const closing = this.#closing.signal;
    this.#connecting = true;
    let node = this.#route.target();
    try {
      // Every node is tried once before any is tried again.
      const rounds = Math.floor(this.#linkFailures / nodes.all.length);
      if (rounds > 0) await delay(options.clock, retryDelayMs(this.#environment, rounds), closing);
      node = this.#route.target();
      await node.connected(closing);
      closing.throwIfAborted();
      this.#link = new PipelineLink(node, this, this.#events.service);
      this.#route.connected(node);
    } catch (error) {
      if (closing.aborted) return;
      this.#linkFailures++;
      this.#route.failed(node);
      this.#failWaiting(toClientError(error));
    }
    this.#connecting = false;
    this.moved(false);
    this.scheduleFlush();
  }

  /** No connection: an attempt of every call that waits for one. */
  #failWaiting(failure: ClientError): void {
    for (const waiting of [this.#returned, this.#queue]) {
      const calls = [...waiting];
      waiting.clear();
      for (const call of calls) {
        call.attempts++;
        this.#events.broke(this, call, failure);
      }
    }
  }
}
