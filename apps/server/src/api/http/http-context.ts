import type { IncomingMessage, ServerResponse } from 'node:http';
import { wireMetadata } from '@shanghai/proto';
import type { LeaderAddress } from '../../requests/leader-address.js';
import type { RequestContext } from '../../requests/request-context.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { HeldAnswer } from '../connections/held-answer.js';
import { acceptedCorrelationId, continuedTraceparent, traceIdOf, traceparentKey } from '../correlation.js';

/** An answer of so many characters is counted among those that wait for their readers. */
const countedAnswerBytes = 65_536;

/** An HTTP request as the requests behind it see it. The signal is made when first asked for, and aborts when the connection goes. */
export class HttpContext implements RequestContext {
  readonly correlationId: string;
  readonly traceparent: string | undefined;
  /** Nodes pass requests on over gRPC only, so what comes here is a caller's own. */
  readonly mayForward = true;
  readonly startedMs: number;
  readonly #response: ServerResponse;
  readonly #services: ApiServices;
  #controller: AbortController | undefined;
  #answer: HeldAnswer | undefined;
  #isMade = false;
  #isAnswered = false;

  constructor(request: IncomingMessage, response: ServerResponse, services: ApiServices) {
    this.#response = response;
    this.#services = services;
    this.startedMs = services.monotonicMs();
    const traceparent = single(request.headers[traceparentKey]);
    this.traceparent = traceparent;
    const given = acceptedCorrelationId(single(request.headers[wireMetadata.correlationId]));
    this.correlationId = given ?? traceIdOf(traceparent) ?? services.newCorrelationId();
    response.setHeader('X-Correlation-ID', this.correlationId);
    const continued = continuedTraceparent(traceparent);
    if (continued !== undefined) response.setHeader(traceparentKey, continued);
  }

  /** What the answer holds until its reader has it. */
  get answer(): HeldAnswer {
    if (this.#answer === undefined) {
      const response = this.#response;
      const answer = new HeldAnswer(this.#services.guards.answering, () => {
        // One that is not made yet is refused.
        if (this.#isMade) response.destroy();
      });
      response.once('close', () => answer.release());
      this.#answer = answer;
    }
    return this.#answer;
  }

  /** The answer is made, and waits for its reader; a small one is not counted. */
  made(bytes: number): void {
    this.#isMade = true;
    if (this.#answer !== undefined || bytes >= countedAnswerBytes) this.answer.settle(bytes);
  }

  /** Sends the head of an answer whose body may be long in coming. */
  sendHead(): void {
    this.#isMade = true;
    if (!this.#response.headersSent) this.#response.flushHeaders();
  }

  get isCancelled(): boolean {
    return this.#response.closed && !this.#response.writableEnded;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      const response = this.#response;
      const abort = () => {
        if (this.#isAnswered || response.writableEnded) return;
        controller.abort(new ServerError('CANCELLED', 'the caller closed the connection'));
      };
      if (response.closed) abort();
      else response.once('close', abort);
    }
    return this.#controller.signal;
  }

  passedOn({ grpc, http }: LeaderAddress): void {
    this.#services.requests.passedOn('http');
    if (!this.#response.headersSent) this.#response.setHeader('X-Shanghai-Leader', http === '' ? grpc : http);
  }

  /** The request was answered: what happens to its connection from here on concerns nobody. */
  answered(): void {
    this.#isAnswered = true;
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
