/**
 * Pipeline: many requests on one stream.
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
import type { handleBidiStreamingCall, ServerDuplexStream } from '@grpc/grpc-js';
import { type PipelineRequest, PipelineResponse } from '@shanghai/proto';
import type { RequestRecorder } from '../../observability/request-metrics.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { reportedFailure } from '../reported-failure.js';
import { CallContext } from './call-context.js';
import { detailsJson, grpcFailure } from './grpc-failure.js';
import type { KeyValueCalls } from './key-value-calls.js';
import { pipelineRequestBytes, pipelineResponseBytes } from './pipeline-sizes.js';
import { StreamWriter } from './stream-writer.js';
import { requireDecoded, type UndecodableMessage } from './tolerant-service.js';
import { asBuffer } from './wire-numbers.js';

type PipelineStream = ServerDuplexStream<PipelineRequest, PipelineResponse>;
type Answer = NonNullable<PipelineResponse['response']>;
type Operation = Exclude<NonNullable<PipelineRequest['request']>['$case'], 'group'>;

/** Answers that share a message stay below this; a larger one goes alone. */
const answerMessageBytes = 64 * 1024;

/** What stops the open pipelines of a listener. */
export type OpenPipelines = Set<() => void>;

/** The Pipeline procedure over the unary calls. Each stream is in `open` for as long as it lasts. */
export function pipelineCall(
  services: ApiServices,
  calls: KeyValueCalls,
  open: OpenPipelines,
): handleBidiStreamingCall<PipelineRequest, PipelineResponse> {
  const recorder = (operation: string) => services.requests.recorder('grpc', `KeyValue/Pipeline/${operation}`);
  const recorders: Readonly<Record<Operation, RequestRecorder>> = {
    get: recorder('Get'),
    put: recorder('Put'),
    append: recorder('Append'),
    delete: recorder('Delete'),
    batch: recorder('Batch'),
    transact: recorder('Transact'),
  };
  return (call) => void new Pipeline(call, services, calls, recorders, open);
}

class Pipeline {
  readonly #call: PipelineStream;
  readonly #services: ApiServices;
  readonly #calls: KeyValueCalls;
  readonly #recorders: Readonly<Record<Operation, RequestRecorder>>;
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
  #queue: PipelineRequest[] = [];
  #begun = 0;
  #ready: PipelineResponse[] = [];

  constructor(
    call: PipelineStream,
    services: ApiServices,
    calls: KeyValueCalls,
    recorders: Readonly<Record<Operation, RequestRecorder>>,
    open: OpenPipelines,
  ) {
    this.#call = call;
    this.#services = services;
    this.#calls = calls;
    this.#recorders = recorders;
    this.#context = new CallContext(call, services);
    this.#writer = new StreamWriter(call, services.limits.streamBufferBytes, services.guards.answering, () =>
      this.#beginAfterAnswers(),
    );
    const stop = () => this.#stop();
    open.add(stop);
    const streamClosed = services.requests.streamOpened('KeyValue/Pipeline');
    const release = services.guards.grpc.hold(call.getPeer());
    this.#closed = () => {
      open.delete(stop);
      release();
      streamClosed();
    };
    call.on('data', (message: PipelineRequest | UndecodableMessage) => this.#received(message));
    call.on('end', () => this.#ended());
    call.once('cancelled', () => this.#closed());
  }

  #received(message: PipelineRequest | UndecodableMessage): void {
    try {
      requireDecoded(message);
      if (message.request?.$case === 'group') {
        // Not as arguments of one call: there may be more than a stack takes.
        for (const request of message.request.value.requests) this.#queue.push(request);
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
      this.#start(this.#queue[this.#begun++] as PipelineRequest);
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

  #start(message: PipelineRequest): void {
    const startedMs = this.#services.monotonicMs();
    const { id, request } = message;
    if (request === undefined || request.$case === 'group') {
      const what = request === undefined ? 'holds no request' : 'is a group within a group';
      throw new ServerError('INVALID_REQUEST', `pipeline request ${id} ${what}`);
    }
    const bytes = pipelineRequestBytes(request);
    this.#requestsInFlight++;
    this.#bytesInFlight += bytes;
    if (request.$case === 'get') this.#readsInFlight++;
    const recorder = this.#recorders[request.$case];
    this.#answer(request).then(
      (response) => {
        recorder.finished(startedMs, 'OK');
        this.#finished(message, bytes, response);
      },
      (error: unknown) => {
        const method = `KeyValue/Pipeline/${request.$case}`;
        const failure = reportedFailure(error, this.#context.correlationId, method, this.#services.logger);
        recorder.finished(startedMs, failure.code);
        const { code, details } = failure;
        const value = { code, message: failure.message, detailsJson: detailsJson(details) ?? '' };
        this.#finished(message, bytes, { $case: 'error', value });
      },
    );
  }

  async #answer(request: Exclude<PipelineRequest['request'], undefined>): Promise<Answer> {
    const calls = this.#calls;
    switch (request.$case) {
      case 'get':
        return { $case: 'get', value: await calls.get(request.value, this.#context) };
      case 'put':
        return { $case: 'put', value: await calls.put(request.value, this.#context) };
      case 'append':
        return { $case: 'append', value: await calls.append(request.value, this.#context) };
      case 'delete':
        return { $case: 'delete', value: await calls.delete(request.value, this.#context) };
      case 'batch':
        return { $case: 'batch', value: await calls.batch(request.value, this.#context) };
      case 'transact':
        return { $case: 'transact', value: await calls.transact(request.value, this.#context) };
      case 'group':
        throw new ServerError('INVALID_REQUEST', 'a group within a group');
    }
  }

  #finished({ id, request }: PipelineRequest, bytes: number, response: Answer): void {
    this.#requestsInFlight--;
    this.#bytesInFlight -= bytes;
    if (request?.$case === 'get') {
      this.#readsInFlight--;
      const answerBytes = pipelineResponseBytes(response);
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
        bytes += pipelineResponseBytes(ready[end]?.response);
        end++;
      }
      this.#send(ready.slice(first, end));
      first = end;
    }
    this.#beginAfterAnswers();
    this.#endWhenAnswered();
  }

  #send(responses: PipelineResponse[]): void {
    const [only] = responses;
    const message: PipelineResponse =
      responses.length === 1 && only !== undefined
        ? only
        : { id: 0n, response: { $case: 'answers', value: { responses } } };
    this.#writer.write(asBuffer(PipelineResponse.encode(message).finish()));
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
    const { failure } = grpcFailure(error, this.#context.correlationId, 'KeyValue/Pipeline', this.#services.logger);
    this.#call.emit('error', failure);
  }
}
