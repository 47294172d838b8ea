/**
 * Many requests on one stream: what the Pipeline procedures of all services do.
 *
 * Cost per message dominates, so answers that are ready in the same turn of the event loop share one message: a turn is
 * what one sync answers, and waiting for its end delays nobody. An answer that is alone goes alone.
 *
 * Bounds hold the memory of a stream: requests that are being answered (their number, their bytes, and the bytes their
 * answers will probably have, judged by recent answers), and answer bytes that the reader has not taken. At a bound no
 * further request is begun; what was already read waits in a queue, the stream is no longer read, and HTTP/2 flow
 * control stops the sender.
 *
 * When the listener closes, what was begun is still answered; then the stream ends with SERVICE_UNAVAILABLE. Left open it
 * would be cut off with CANCELLED, which says that the caller gave up.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ErrorDetail } from '@shanghai/proto';
import type { RequestOutcome, RequestRecorder } from '../../observability/request-metrics.js';
import type { RequestContext } from '../../requests/request-context.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { reportedFailure } from '../reported-failure.js';
import { CallContext } from './call-context.js';
import { detailsJson, grpcFailure } from './grpc-failure.js';
import { StreamWriter } from './stream-writer.js';
import { requireDecoded, type UndecodableMessage } from './tolerant-service.js';

/** One request of a stream, or many of them in one message. */
export interface PipelinedMessage<Body> {
  readonly id: bigint;
  readonly request?:
    | Body
    | { readonly $case: 'group'; readonly value: { readonly requests: readonly PipelinedMessage<Body>[] } }
    | undefined;
}

/** An answer of its own, or a failure. */
export type PipelinedAnswer<Answer> = Answer | { readonly $case: 'error'; readonly value: ErrorDetail };

/** One answer of a stream, with the id of its request. */
export interface AnswerMessage<Answer> {
  readonly id: bigint;
  readonly response: PipelinedAnswer<Answer>;
}

/** So many requests of callers that ended alike. */
export interface AnsweredRequests {
  readonly outcome: RequestOutcome;
  readonly requests: number;
}

/** What differs between the pipelines of the services. */
export interface PipelinedWork<Body, Answer> {
  /** As metrics and logs name it: service and procedure. */
  readonly method: string;
  recorderOf(body: Body): RequestRecorder;
  /** Bytes that a request keeps in memory until it is answered. */
  requestBytes(body: Body): number;
  /** Bytes of an answer on the wire. */
  answerBytes(answer: PipelinedAnswer<Answer>): number;
  /** Whether its answer may be much larger than the request. */
  isRead(body: Body): boolean;
  answer(body: Body, context: RequestContext): Promise<Answer>;
  /** How many requests of callers a request stands for. Absent: each for one. */
  requestsIn?(body: Body): number;
  /** How those of an answer ended. Absent: well. */
  outcomesIn?(answer: Answer): readonly AnsweredRequests[];
  /** One message with these answers, at least one; one that is alone goes as it is. */
  encode(answers: readonly AnswerMessage<Answer>[]): Buffer;
}

/** Answers that share a message stay below this; a larger one goes alone. */
const answerMessageBytes = 64 * 1024;

/** What stops the open pipelines of a listener. */
export type OpenPipelines = Set<() => void>;

/** What a request that was begun counts for. */
interface HeldRequest {
  readonly bytes: number;
  readonly requests: number;
}

/** One open stream. It is in `open` for as long as it lasts. */
export class PipelinedCalls<Body extends { readonly $case: string }, Answer extends { readonly $case: string }> {
  readonly #call: ServerDuplexStream<unknown, unknown>;
  readonly #services: ApiServices;
  readonly #work: PipelinedWork<Body, Answer>;
  readonly #context: CallContext;
  readonly #writer: StreamWriter;
  readonly #closed: () => void;
  #requestsInFlight = 0;
  #bytesInFlight = 0;
  #readsInFlight = 0;
  /** What an answer to a read is likely to hold: jumps up with a large one, falls slowly with small ones. */
  #likelyAnswerBytes = 0;
  #isPaused = false;
  #isEnded = false;
  #isStopping = false;
  /** Read from the stream, not begun; `#begun` of them are. */
  #queue: PipelinedMessage<Body>[] = [];
  #begun = 0;
  #ready: AnswerMessage<Answer>[] = [];

  constructor(
    call: ServerDuplexStream<unknown, unknown>,
    services: ApiServices,
    work: PipelinedWork<Body, Answer>,
    open: OpenPipelines,
  ) {
    this.#call = call;
    this.#services = services;
    this.#work = work;
    this.#context = new CallContext(call, services);
    this.#writer = new StreamWriter(call, services.limits.streamBufferBytes, services.guards.answering, () =>
      this.#beginAfterAnswers(),
    );
    const stop = () => this.#stop();
    open.add(stop);
    const streamClosed = services.requests.streamOpened(work.method);
    const release = services.guards.grpc.hold(call.getPeer());
    this.#closed = () => {
      open.delete(stop);
      release();
      streamClosed();
    };
    call.on('data', (message: PipelinedMessage<Body> | UndecodableMessage) => this.#received(message));
    call.on('end', () => this.#ended());
    call.once('cancelled', () => this.#closed());
  }

  #received(message: PipelinedMessage<Body> | UndecodableMessage): void {
    try {
      requireDecoded(message);
      const { request } = message;
      if (isGroup(request)) {
        // Not as arguments of one call: there may be more than a stack takes.
        for (const each of request.value.requests) this.#queue.push(each);
      } else this.#queue.push(message);
      this.#beginNext();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Begins what waits as far as the bounds allow; reads on only when nothing waits. */
  #beginNext(): void {
    if (this.#isStopping) return;
    while (this.#begun < this.#queue.length && !this.#isAtBound()) {
      this.#start(this.#queue[this.#begun++] as PipelinedMessage<Body>);
    }
    if (this.#begun === this.#queue.length) {
      this.#queue = [];
      this.#begun = 0;
    }
    const mustPause = this.#queue.length > 0 || this.#isAtBound();
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#call.pause();
    else this.#call.resume();
  }

  #isAtBound(): boolean {
    const { pipelineRequests, pipelineBytes } = this.#services.limits;
    return (
      this.#requestsInFlight >= pipelineRequests ||
      this.#bytesInFlight + this.#readsInFlight * this.#likelyAnswerBytes >= pipelineBytes ||
      this.#writer.isFull
    );
  }

  #start(message: PipelinedMessage<Body>): void {
    const startedMs = this.#services.monotonicMs();
    const { id, request } = message;
    if (request === undefined || isGroup(request)) {
      const what = request === undefined ? 'holds no request' : 'is a group within a group';
      throw new ServerError('INVALID_REQUEST', `pipeline request ${id} ${what}`);
    }
    const work = this.#work;
    const bytes = work.requestBytes(request);
    const requests = work.requestsIn?.(request) ?? 1;
    this.#requestsInFlight += requests;
    this.#bytesInFlight += bytes;
    if (work.isRead(request)) this.#readsInFlight++;
    const recorder = work.recorderOf(request);
    work.answer(request, this.#context).then(
      (response) => {
        const ended = work.outcomesIn?.(response);
        if (ended === undefined) recorder.finished(startedMs, 'OK', requests);
        else for (const each of ended) recorder.finished(startedMs, each.outcome, each.requests);
        this.#finished(id, request, { bytes, requests }, response);
      },
      (error: unknown) => {
        const method = `${work.method}/${request.$case}`;
        const failure = reportedFailure(error, this.#context.correlationId, method, this.#services.logger);
        recorder.finished(startedMs, failure.code, requests);
        const { code, details } = failure;
        const value = { code, message: failure.message, detailsJson: detailsJson(details) ?? '' };
        this.#finished(id, request, { bytes, requests }, { $case: 'error', value });
      },
    );
  }

  #finished(id: bigint, request: Body, held: HeldRequest, response: PipelinedAnswer<Answer>): void {
    this.#requestsInFlight -= held.requests;
    this.#bytesInFlight -= held.bytes;
    if (this.#work.isRead(request)) {
      this.#readsInFlight--;
      const answerBytes = this.#work.answerBytes(response);
      this.#likelyAnswerBytes = Math.max(answerBytes, this.#likelyAnswerBytes * 0.9);
    }
    this.#ready.push({ id, response });
    if (this.#ready.length === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const ready = this.#ready;
    this.#ready = [];
    let first = 0;
    while (first < ready.length) {
      let end = first;
      let bytes = 0;
      while (end < ready.length && (end === first || bytes < answerMessageBytes)) {
        bytes += this.#work.answerBytes((ready[end] as AnswerMessage<Answer>).response);
        end++;
      }
      this.#writer.write(this.#work.encode(ready.slice(first, end)));
      first = end;
    }
    this.#beginAfterAnswers();
    this.#endWhenAnswered();
  }

  #beginAfterAnswers(): void {
    try {
      this.#beginNext();
    } catch (error) {
      this.#fail(error);
    }
  }

  #ended(): void {
    this.#isEnded = true;
    if (!this.#isStopping) this.#endWhenAnswered();
  }

  /** Begins nothing more: what was begun is answered, then the stream ends. */
  #stop(): void {
    this.#isStopping = true;
    this.#call.pause();
    this.#endWhenAnswered();
  }

  #endWhenAnswered(): void {
    if (this.#requestsInFlight > 0 || this.#ready.length > 0) return;
    if (this.#isStopping) {
      const why = 'the node is closing; nothing was done for requests without an answer, ask another';
      this.#fail(new ServerError('SERVICE_UNAVAILABLE', why));
      return;
    }
    if (!this.#isEnded || this.#queue.length > 0) return;
    this.#context.finish();
    this.#closed();
    this.#call.end();
  }

  /** What breaks the stream itself; answers that were on their way are lost, as with a broken connection. */
  #fail(error: unknown): void {
    this.#closed();
    const { failure } = grpcFailure(error, this.#context.correlationId, this.#work.method, this.#services.logger);
    this.#call.emit('error', failure);
  }
}

function isGroup<Body>(
  request: PipelinedMessage<Body>['request'],
): request is { readonly $case: 'group'; readonly value: { readonly requests: readonly PipelinedMessage<Body>[] } } {
  return (request as { readonly $case?: string } | undefined)?.$case === 'group';
}
