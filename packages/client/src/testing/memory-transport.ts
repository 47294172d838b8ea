import type { PipelineRequest, PipelineResponse } from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import type {
  Channel,
  PipelineListener,
  PipelineStream,
  StreamMethod,
  StreamMethods,
  Transport,
  TransportCallOptions,
  UnaryMethod,
  UnaryMethods,
} from '../transport.js';
import { detailOf } from './memory-error.js';
import { MemoryServer } from './memory-server.js';

/**
 * What happens to a request: `deliver`; `lose-request`: the connection breaks before the server sees it; `lose-answer`:
 * after the server has done it; `stall`: it never arrives and nobody says so; an error: the server answers that and
 * does nothing.
 */
export type RequestFate = 'deliver' | 'lose-request' | 'lose-answer' | 'stall' | ClientError;

/** A request on its way: a pipelined one, or a method with its request. */
export type RequestOnTheWay =
  | { readonly kind: 'pipeline'; readonly request: PipelineRequest }
  | { readonly kind: 'unary'; readonly method: UnaryMethod; readonly request: unknown }
  | { readonly kind: 'stream'; readonly method: StreamMethod; readonly request: unknown };

/** A way to a server in memory, with the faults of a network. */
export interface MemoryTransport extends Transport {
  readonly server: MemoryServer;
  /** Decides what happens to each request. Default: `deliver`. May be replaced at any time. */
  fate: (request: RequestOnTheWay) => RequestFate;
  /** Endpoints that cannot be reached. */
  readonly unreachable: Set<string>;
  /** Messages written to pipelines so far, in order; a group counts as one. */
  readonly messages: readonly PipelineRequest[];
  /** Connections tried, in order. */
  readonly connections: readonly string[];
  /** While true no pipeline is answered; answers come when it is false again. */
  holdAnswers: boolean;
  /** Breaks every open pipeline and stream, as a server that was killed. */
  breakConnections(): void;
}

/** A transport whose endpoints all lead to one server in memory. */
export function createMemoryTransport(server: MemoryServer = new MemoryServer()): MemoryTransport {
  return new FaultyTransport(server);
}

class FaultyTransport implements MemoryTransport {
  readonly server: MemoryServer;
  fate: (request: RequestOnTheWay) => RequestFate = () => 'deliver';
  readonly unreachable = new Set<string>();
  readonly messages: PipelineRequest[] = [];
  readonly connections: string[] = [];
  readonly breakers = new Set<() => void>();
  #holdAnswers = false;
  #held: (() => void)[] = [];

  constructor(server: MemoryServer) {
    this.server = server;
  }

  get holdAnswers(): boolean {
    return this.#holdAnswers;
  }

  set holdAnswers(hold: boolean) {
    this.#holdAnswers = hold;
    if (hold) return;
    const held = this.#held;
    this.#held = [];
    for (const answer of held) answer();
  }

  /** Runs `answer` now, or when answers are no longer held. */
  answer(answer: () => void): void {
    if (this.#holdAnswers) this.#held.push(answer);
    else answer();
  }

  open(endpoint: string): Channel {
    return new MemoryChannel(endpoint, this);
  }

  breakConnections(): void {
    for (const breakOne of [...this.breakers]) breakOne();
  }
}

class MemoryChannel implements Channel {
  readonly #endpoint: string;
  readonly #transport: FaultyTransport;
  readonly #open = new Set<() => void>();

  constructor(endpoint: string, transport: FaultyTransport) {
    this.#endpoint = endpoint;
    this.#transport = transport;
  }

  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#transport.connections.push(this.#endpoint);
    await Promise.resolve();
    if (!this.#transport.unreachable.has(this.#endpoint)) return;
    const message = `'${this.#endpoint}' cannot be reached`;
    throw new ClientError('SERVICE_UNAVAILABLE', message, { sent: false, waitedIn: 'connection' });
  }

  async call<Method extends UnaryMethod>(
    method: Method,
    request: UnaryMethods[Method][0],
    { signal }: TransportCallOptions,
  ): Promise<UnaryMethods[Method][1]> {
    const fate = this.#transport.fate({ kind: 'unary', method, request });
    await Promise.resolve();
    if (fate instanceof ClientError) throw fate;
    if (fate === 'stall') return await until(signal);
    if (fate === 'lose-request') throw broken(this.#endpoint);
    const answer = this.#transport.server.unary(method, request);
    if (fate === 'lose-answer') throw broken(this.#endpoint);
    return answer;
  }

  async *stream<Method extends StreamMethod>(
    method: Method,
    request: StreamMethods[Method][0],
    { signal }: TransportCallOptions,
  ): AsyncGenerator<StreamMethods[Method][1], void, undefined> {
    const fate = this.#transport.fate({ kind: 'stream', method, request });
    await Promise.resolve();
    if (fate instanceof ClientError) throw fate;
    if (fate === 'stall') return await until(signal);
    if (fate !== 'deliver') throw broken(this.#endpoint);
    const controller = new AbortController();
    const stop = () => controller.abort();
    const ended = AbortSignal.any([signal, controller.signal]);
    this.#track(stop);
    try {
      for await (const message of this.#transport.server.stream(method, request, ended)) {
        if (controller.signal.aborted) break;
        signal.throwIfAborted();
        yield message;
        if (controller.signal.aborted) break;
      }
      signal.throwIfAborted();
      if (controller.signal.aborted) throw broken(this.#endpoint);
    } finally {
      this.#forget(stop);
    }
  }

  pipeline(listener: PipelineListener): PipelineStream {
    const stream = new MemoryPipeline(this.#transport, this.#endpoint, listener, () => this.#forget(stop));
    const stop = () => stream.break();
    this.#track(stop);
    return stream;
  }

  close(): void {
    for (const stop of [...this.#open]) stop();
  }

  #track(stop: () => void): void {
    this.#open.add(stop);
    this.#transport.breakers.add(stop);
  }

  #forget(stop: () => void): void {
    this.#open.delete(stop);
    this.#transport.breakers.delete(stop);
  }
}

class MemoryPipeline implements PipelineStream {
  readonly #transport: FaultyTransport;
  readonly #endpoint: string;
  readonly #listener: PipelineListener;
  readonly #onClosed: () => void;
  #ended = false;

  constructor(transport: FaultyTransport, endpoint: string, listener: PipelineListener, onClosed: () => void) {
    this.#transport = transport;
    this.#endpoint = endpoint;
    this.#listener = listener;
    this.#onClosed = onClosed;
  }

  write(message: PipelineRequest): boolean {
    this.#transport.messages.push(copyOf(message));
    queueMicrotask(() => this.#receive(message));
    return true;
  }

  end(): void {
    this.#transport.answer(() => queueMicrotask(() => this.#end(undefined)));
  }

  cancel(): void {
    this.#end(undefined);
  }

  /** Breaks as a connection does. */
  break(): void {
    this.#end(broken(this.#endpoint));
  }

  #receive(message: PipelineRequest): void {
    const requests = message.request?.$case === 'group' ? message.request.value.requests : [message];
    const responses: PipelineResponse[] = [];
    let breaks = false;
    for (const request of requests) {
      if (this.#ended) return;
      const fate = this.#transport.fate({ kind: 'pipeline', request });
      breaks ||= fate === 'lose-request' || fate === 'lose-answer';
      if (fate === 'lose-request') break;
      if (fate === 'stall') continue;
      if (fate instanceof ClientError) {
        responses.push({ id: request.id, response: { $case: 'error', value: detailOf(fate) } });
        continue;
      }
      const response = this.#transport.server.pipeline(request);
      if (fate === 'lose-answer') break;
      responses.push(response);
    }
    this.#transport.answer(() => {
      if (this.#ended) return;
      if (responses.length > 0) this.#listener.onResponse(oneMessage(responses));
      if (breaks) this.break();
    });
  }

  #end(error: ClientError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onClosed();
    this.#listener.onEnd(error);
  }
}

function oneMessage(responses: PipelineResponse[]): PipelineResponse {
  const [first] = responses;
  if (first !== undefined && responses.length === 1) return first;
  return { id: 0n, response: { $case: 'answers', value: { responses } } };
}

function broken(endpoint: string): ClientError {
  return new ClientError('SERVICE_UNAVAILABLE', `The connection to '${endpoint}' broke`, { waitedIn: 'answer' });
}

/** Never resolves; rejects when the signal aborts. */
function until(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** What was written, as it was then: the client reuses a request for its next attempt. Keys and values are shared. */
function copyOf({ id, request }: PipelineRequest): PipelineRequest {
  if (request === undefined) return { id, request };
  if (request.$case === 'group') {
    return { id, request: { $case: 'group', value: { requests: request.value.requests.map(copyOf) } } };
  }
  const options = request.value.options === undefined ? undefined : { ...request.value.options };
  return { id, request: { ...request, value: { ...request.value, options } } as PipelineRequest['request'] };
}
