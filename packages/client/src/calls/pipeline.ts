// Concurrent calls on one stream.
//
// The problem: a call costs a client and a server far more than a request inside a message does (grpc-js: tens of
// microseconds each), so calls that happen at the same time must share messages, without anybody having to say so and
// without a lone call waiting for company.
//
// The approach is natural batching, without a timer. Calls queue, and the queue is sent when the current turn of the
// event loop has run its callbacks (a microtask), so calls made together travel together. Once some messages are
// out of which nothing came back, the queue waits for the first answer; the slower the server, the larger the messages.
// Bounds in requests and bytes hold for a message, for what is in flight and for what may wait at all.
//
// When the stream breaks each call in flight is judged by itself (`core/retry-decision.ts`). Answers are matched by a
// number that is new for every attempt, so one that comes late meets nobody.
//
// Rejected: a linger time (it delays lone calls and adds nothing once calls queue), one message a call (measured in
// docs/adr/0013-client-batching.md), unary calls as a second way (two sets of rules for the same promise).
import { delay } from '@shanghai/env';
import { errorTable, type PipelineResponse } from '@shanghai/proto';
import { type CallStage, ClientError, toClientError } from '../client-error.js';
import { decideRetry, type RequestKind } from '../core/retry-decision.js';
import type { CallOptions } from '../key-value-store.js';
import { errorOfDetail } from '../wire/error-wire.js';
import { type CallEnvironment, retryDelayMs } from './call-environment.js';
import { type GiveUpReason, givenUpError } from './give-up.js';
import { PendingCall, type PipelineAnswer, type PipelineBody } from './pending-call.js';
import { PipelineLink, type PipelineLinkEvents } from './pipeline-link.js';
import { SessionKeeper } from './session-keeper.js';
import { blamesEndpoint, closedError, failedWith } from './unary-calls.js';

/** A call for the pipeline. `bytes` is about what its message takes. */
export interface PipelineCall {
  readonly kind: RequestKind;
  readonly body: PipelineBody;
  readonly bytes: number;
}

/**
 * Bytes of one request, as the protocol allows. A server ends the whole stream when a message is beyond what it takes,
 * so one that is too large must not be sent at all.
 */
export const maxRequestBytes = 20 * 1024 * 1024;

/** So many writes that wait for a session are passed over to find a read that need not wait. */
const lookAhead = 1_024;

/** Batches, numbers, sends and sends again. One for each client. */
export class Pipeline implements PipelineLinkEvents {
  readonly #environment: CallEnvironment;
  readonly #sessions: SessionKeeper;
  /** Calls that go before the queue: their stream broke, or their session expired. */
  readonly #returned = new Set<PendingCall>();
  readonly #queue = new Set<PendingCall>();
  readonly #closing = new AbortController();
  #link: PipelineLink | undefined;
  #connecting = false;
  /** Connections that failed, or broke without an answer, since the last answer. */
  #linkFailures = 0;
  #flushScheduled = false;
  #pendingRequests = 0;
  #pendingBytes = 0;
  #inFlightRequests = 0;
  #inFlightBytes = 0;

  /** `openSession` opens a session at the server and resolves to its id. */
  constructor(environment: CallEnvironment, openSession: () => Promise<bigint>) {
    this.#environment = environment;
    this.#sessions = new SessionKeeper({
      open: openSession,
      onAvailable: () => this.#scheduleFlush(),
      onFailure: (error) => this.#failUnnumbered(toClientError(error)),
    });
  }

  /** Sends a call and resolves to its answer. Rejects with a `ClientError`; throws `RangeError` for one too large. */
  submit(request: PipelineCall, callOptions: CallOptions): Promise<PipelineAnswer> {
    const { options, activity } = this.#environment;
    if (request.bytes > maxRequestBytes) {
      throw new RangeError(`a request has at most ${maxRequestBytes} bytes, this one has ${request.bytes}; split it`);
    }
    const refusal = this.#refusal(request, callOptions);
    if (refusal !== undefined) return Promise.reject(refusal);
    const timeoutMs = callOptions.timeoutMs ?? options.timeoutMs;
    const call = new PendingCall(options.clock, request, { ...callOptions, timeoutMs }, this.#giveUp);
    activity.begin();
    this.#pendingRequests++;
    this.#pendingBytes += call.bytes;
    this.#queue.add(call);
    this.#scheduleFlush();
    return call.promise;
  }

  /** Gives up the stream. Calls must have settled. */
  close(): void {
    this.#closing.abort();
    this.#link?.cancel();
    this.#link = undefined;
  }

  onAnswer(link: PipelineLink, call: PendingCall, response: NonNullable<PipelineResponse['response']>): void {
    this.#linkFailures = 0;
    this.#landed(call);
    if (response.$case === 'error') this.#refused(link, call, errorOfDetail(response.value));
    else if (response.$case !== 'answers') this.#finish(call, () => call.resolve(response));
    this.#scheduleFlush();
  }

  onDrain(): void {
    this.#scheduleFlush();
  }

  onEnd(link: PipelineLink, unanswered: readonly PendingCall[], error: ClientError | undefined): void {
    if (this.#link === link) this.#link = undefined;
    if (!link.hasAnswered) {
      this.#linkFailures++;
      this.#environment.endpoints.failed(link.channel);
    }
    const failure = failureOfStream(error, link.hasAnswered);
    for (const call of unanswered) {
      this.#landed(call);
      this.#judge(call, failure, () => this.#returned.add(call));
    }
    this.#scheduleFlush();
  }

  #refusal({ bytes }: PipelineCall, { signal }: CallOptions): ClientError | undefined {
    const { options, activity } = this.#environment;
    if (activity.closed) return closedError();
    if (signal?.aborted) {
      return new ClientError('CANCELLED', 'The caller gave the call up before it began', {
        cause: signal.reason,
        sent: false,
      });
    }
    const tooMany = this.#pendingRequests >= options.maxPendingRequests;
    const tooLarge = this.#pendingRequests > 0 && this.#pendingBytes + bytes > options.maxPendingBytes;
    if (!tooMany && !tooLarge) return undefined;
    return new ClientError(
      'RESOURCE_EXHAUSTED',
      `${this.#pendingRequests} calls with ${this.#pendingBytes} bytes wait already; ` +
        `await some before making more, or raise ${tooMany ? 'maxPendingRequests' : 'maxPendingBytes'}`,
      { sent: false, waitedIn: 'queue' },
    );
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#queue.size + this.#returned.size === 0) return;
    this.#flushScheduled = true;
    queueMicrotask(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    if (this.#queue.size + this.#returned.size === 0) return;
    const link = this.#link;
    if (link === undefined) {
      if (!this.#connecting) void this.#connect();
      return;
    }
    while (!link.blocked && link.unansweredMessages < this.#environment.options.maxUnansweredMessages) {
      const calls = this.#takeMessage();
      if (calls.length === 0) return;
      link.send(calls);
    }
  };

  /** The next calls that fit in a message and in the limits of what is in flight; none when nothing may be sent now. */
  #takeMessage(): PendingCall[] {
    const { maxMessageRequests, maxMessageBytes, maxInFlightRequests, maxInFlightBytes } = this.#environment.options;
    const calls: PendingCall[] = [];
    let messageBytes = 0;
    let passedOver = 0;
    for (const waiting of [this.#returned, this.#queue]) {
      for (const call of waiting) {
        if (calls.length > 0 && messageBytes + call.bytes > maxMessageBytes) return calls;
        if (calls.length >= maxMessageRequests || this.#inFlightRequests >= maxInFlightRequests) return calls;
        if (this.#inFlightRequests > 0 && this.#inFlightBytes + call.bytes > maxInFlightBytes) return calls;
        if (!this.#number(call)) {
          if (++passedOver >= lookAhead) return calls;
          continue;
        }
        waiting.delete(call);
        messageBytes += call.bytes;
        this.#depart(call);
        calls.push(call);
      }
    }
    return calls;
  }

  /** Gives a write its number; false where it must wait for one. */
  #number(call: PendingCall): boolean {
    if (!call.wantsNumber) return true;
    call.numbering = this.#sessions.take();
    if (call.numbering === undefined) call.stage = 'session';
    return call.numbering !== undefined;
  }

  #depart(call: PendingCall): void {
    call.stage = 'answer';
    call.attempts++;
    this.#inFlightRequests++;
    this.#inFlightBytes += call.bytes;
    const { numbering, body } = call;
    if (numbering === undefined || body.$case === 'get' || body.value.options === undefined) return;
    body.value.options.sessionId = numbering.session.id;
    body.value.options.requestNumber = BigInt(numbering.number);
    body.value.options.retry = call.maybeApplied;
  }

  /** The call is no longer in flight. */
  #landed(call: PendingCall): void {
    call.message = undefined;
    this.#inFlightRequests--;
    this.#inFlightBytes -= call.bytes;
  }

  /** The server answered a call with a failure. */
  #refused(link: PipelineLink, call: PendingCall, failure: ClientError): void {
    const { endpoints, options } = this.#environment;
    if (link === this.#link && endpoints.addresses.length > 1 && blamesEndpoint(failure)) {
      endpoints.failed(link.channel);
      this.#link = undefined;
      link.retire();
    }
    this.#judge(call, failure, () => {
      call.backOff(options.clock, retryDelayMs(this.#environment, call.attempts), () => {
        call.stage = 'queue';
        this.#queue.add(call);
        this.#scheduleFlush();
      });
    });
  }

  /** Decides what becomes of a call after a failed attempt. */
  #judge(call: PendingCall, failure: ClientError, sendAgain: () => void): void {
    call.lastFailure = failure;
    const decision = decideRetry(
      {
        kind: call.kind,
        maybeApplied: call.maybeApplied,
        attempts: call.attempts,
        maxAttempts: this.#environment.options.maxAttempts,
      },
      failure,
    );
    switch (decision.action) {
      case 'retry':
        call.maybeApplied = decision.maybeApplied;
        call.stage = 'queue';
        sendAgain();
        return;
      case 'renumber':
        this.#renumber(call);
        return;
      case 'fail':
        this.#finish(call, () => call.reject(failedWith(decision.code, failure)));
        if (failure.code === 'SESSION_EXPIRED' && call.numbering !== undefined) {
          this.#sessions.expired(call.numbering.session);
        }
    }
  }

  #renumber(call: PendingCall): void {
    const { numbering } = call;
    if (numbering !== undefined) {
      call.numbering = undefined;
      this.#sessions.expired(numbering.session);
      this.#sessions.settle(numbering);
    }
    call.stage = 'queue';
    this.#returned.add(call);
  }

  /** The last thing that happens to a call. */
  #finish(call: PendingCall, tell: () => void): void {
    tell();
    this.#pendingRequests--;
    this.#pendingBytes -= call.bytes;
    if (call.numbering !== undefined) this.#sessions.settle(call.numbering);
    this.#environment.activity.end();
  }

  readonly #giveUp = (call: PendingCall, reason: GiveUpReason): void => {
    if (call.settled) return;
    const inFlight = call.message !== undefined;
    const { kind, lastFailure } = call;
    const maybeApplied = call.maybeApplied || inFlight;
    const error = givenUpError({ kind, maybeApplied, stage: this.#stageOf(call), lastFailure }, reason);
    this.#queue.delete(call);
    this.#returned.delete(call);
    call.message?.forget(call);
    if (inFlight) this.#landed(call);
    this.#finish(call, () => call.reject(error));
    this.#scheduleFlush();
  };

  #stageOf(call: PendingCall): CallStage {
    return call.stage === 'queue' && this.#link === undefined ? 'connection' : call.stage;
  }

  async #connect(): Promise<void> {
    const { endpoints, options } = this.#environment;
    const closing = this.#closing.signal;
    this.#connecting = true;
    let channel = endpoints.current();
    try {
      if (this.#linkFailures > 0) {
        await delay(options.clock, retryDelayMs(this.#environment, this.#linkFailures), closing);
        channel = endpoints.current();
      }
      await channel.ready(closing);
      this.#link = new PipelineLink(channel, this);
    } catch (error) {
      this.#linkFailures++;
      endpoints.failed(channel);
      this.#failQueued(toClientError(error));
    }
    this.#connecting = false;
    this.#scheduleFlush();
  }

  /** No connection: an attempt of every call that waits for one. */
  #failQueued(failure: ClientError): void {
    for (const waiting of [this.#returned, this.#queue]) {
      for (const call of [...waiting]) {
        call.attempts++;
        waiting.delete(call);
        this.#judge(call, failure, () => waiting.add(call));
      }
    }
  }

  /** No session: the writes that wait for one fail; nothing of them was sent. */
  #failUnnumbered(cause: ClientError): void {
    for (const waiting of [this.#returned, this.#queue]) {
      for (const call of [...waiting]) {
        if (!call.wantsNumber) continue;
        waiting.delete(call);
        const message = `No session could be opened: ${cause.message}`;
        const error = new ClientError(cause.code, message, { cause, sent: false, waitedIn: 'session' });
        this.#finish(call, () => call.reject(error));
      }
    }
  }
}

/**
 * What a broken stream means for a call that was sent on it. Whatever code the stream ended with, it says nothing about
 * the single call, unless the server refused the stream as such and never answered anything.
 */
function failureOfStream(error: ClientError | undefined, hasAnswered: boolean): ClientError {
  if (error === undefined) {
    return new ClientError('SERVICE_UNAVAILABLE', 'The server ended the stream before it answered', {
      waitedIn: 'answer',
    });
  }
  const refused = error.answered && !hasAnswered && errorTable[error.code].retry === 'never';
  if (refused || !error.sent) return error;
  return new ClientError(error.code, error.message, { cause: error, details: error.details, waitedIn: 'answer' });
}
