import { type Clock, delay } from '@shanghai/env';
import type {
  LogAppendRequest,
  LogPipelineRequest,
  LogPipelineResponse,
  PipelineRequest,
  PipelineResponse,
} from '@shanghai/proto';
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
import { answerLogRequest } from './memory-packs.js';
import { MemoryServer } from './memory-server.js';

/**
 * What happens to a request: `deliver`; `lose-request`: the connection breaks before the server sees it; `lose-answer`:
 * after the server has done it; `late`: the connection breaks, and the server sees it when `deliverLate` is called;
 * `stall`: it never arrives and nobody says so; an error: the server answers that and does nothing.
 */
export type RequestFate = 'deliver' | 'lose-request' | 'lose-answer' | 'late' | 'stall' | ClientError;

/** A request on its way to an endpoint: a pipelined one, or a method with its request. */
export type RequestOnTheWay = { readonly endpoint: string } & (
  | { readonly kind: 'pipeline'; readonly request: PipelineRequest }
  | { readonly kind: 'unary'; readonly method: UnaryMethod; readonly request: unknown }
  | { readonly kind: 'stream'; readonly method: StreamMethod; readonly request: unknown }
);

/** What stands at an endpoint: answers, or throws a `ClientError`. */
export interface MemoryHost {
  unary<Method extends UnaryMethod>(method: Method, request: UnaryMethods[Method][0]): UnaryMethods[Method][1];
  stream<Method extends StreamMethod>(
    method: Method,
    request: StreamMethods[Method][0],
    signal: AbortSignal,
  ): AsyncIterable<StreamMethods[Method][1]> | Iterable<StreamMethods[Method][1]>;
  pipeline(request: PipelineRequest): PipelineResponse;
}

/** Ways to servers in memory, with the faults of a network. */
export interface MemoryNetwork extends Transport {
  /** Decides what happens to each request. Default: `deliver`. May be replaced at any time. */
  fate: (request: RequestOnTheWay) => RequestFate;
  /** Endpoints that cannot be reached. */
  readonly unreachable: Set<string>;
  /** Endpoints that swallow everything: no answer, no refusal, as a machine without power. */
  readonly silent: Set<string>;
  /** Messages written to pipelines so far, in order; a group counts as one. */
  readonly messages: readonly PipelineRequest[];
  /** The same of appends to named logs; their fate is that of the unary method `appendLog`. */
  readonly logMessages: readonly LogPipelineRequest[];
  /** Whether nodes take packs of appends, and say so. Default true. May be changed at any time. */
  takesPacks: boolean;
  /** Connections tried, in order. */
  readonly connections: readonly string[];
  /** While true no pipeline is answered; answers come when it is false again. */
  holdAnswers: boolean;
  /**
   * Breaks open pipelines and streams, all or those to one endpoint, as a server that was killed; with a reason as one
   * that says so: what it had not answered was not done.
   */
  breakConnections(endpoint?: string, reason?: ClientError): void;
  /** Gives the requests whose fate was `late` to their servers. */
  deliverLate(): void;
}

/** A network with one server. */
export interface MemoryTransport extends MemoryNetwork {
  readonly server: MemoryServer;
}

/** A transport whose endpoints all lead to one server in memory. */
export function createMemoryTransport(server: MemoryServer = new MemoryServer()): MemoryTransport {
  return Object.assign(new FaultyTransport(() => server, server.clock), { server });
}

/** A transport to many servers: `hostAt` says what stands at an endpoint. */
export function createMemoryNetwork(hostAt: (endpoint: string) => MemoryHost, clock: Clock): MemoryNetwork {
  return new FaultyTransport(hostAt, clock);
}

/** How long a connection to a silent endpoint is tried, in milliseconds. */
const connectTimeoutMs = 1_000;

/** Breaks something open, with a reason where there is one. */
type Breaker = (reason?: ClientError) => void;

class FaultyTransport implements MemoryNetwork {
  readonly hostAt: (endpoint: string) => MemoryHost;
  fate: (request: RequestOnTheWay) => RequestFate = () => 'deliver';
  readonly unreachable = new Set<string>();
  readonly silent = new Set<string>();
  readonly messages: PipelineRequest[] = [];
  readonly logMessages: LogPipelineRequest[] = [];
  takesPacks = true;
  readonly connections: string[] = [];
  /** What breaks each open pipeline and stream, and the endpoint it leads to. */
  readonly breakers = new Map<Breaker, string>();
  readonly late: (() => void)[] = [];
  readonly #clock: Clock;
  #holdAnswers = false;
  #held: (() => void)[] = [];

  constructor(hostAt: (endpoint: string) => MemoryHost, clock: Clock) {
    this.hostAt = hostAt;
    this.#clock = clock;
  }

  /** Resolves when a connection to nowhere is given up. */
  connectTimeout(signal: AbortSignal): Promise<void> {
    return delay(this.#clock, connectTimeoutMs, signal);
  }

  /** What becomes of a request. */
  fateOf(request: RequestOnTheWay): RequestFate {
    return this.silent.has(request.endpoint) ? 'stall' : this.fate(request);
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

  breakConnections(endpoint?: string, reason?: ClientError): void {
    for (const [breakOne, leadsTo] of [...this.breakers]) {
      if (endpoint === undefined || endpoint === leadsTo) breakOne(reason);
    }
  }

  deliverLate(): void {
    for (const deliver of this.late.splice(0)) deliver();
  }
}

class MemoryChannel implements Channel {
  readonly #endpoint: string;
  readonly #transport: FaultyTransport;
  readonly #open = new Set<Breaker>();
  #connected = false;
  /** As a channel of the gRPC library, one that has failed goes on failing when its node is there again. */
  #hasFailed = false;

  constructor(endpoint: string, transport: FaultyTransport) {
    this.#endpoint = endpoint;
    this.#transport = transport;
  }

  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#transport.connections.push(this.#endpoint);
    await Promise.resolve();
    // Nobody says that a connection to a machine without power is dead.
    if (this.#transport.silent.has(this.#endpoint) && this.#connected) return;
    const isThere = !this.#transport.silent.has(this.#endpoint) && !this.#transport.unreachable.has(this.#endpoint);
    this.#connected = isThere && !this.#hasFailed;
    if (this.#connected) return;
    this.#hasFailed = true;
    if (this.#transport.silent.has(this.#endpoint)) await this.#transport.connectTimeout(signal);
    const message = `'${this.#endpoint}' cannot be reached`;
    throw new ClientError('SERVICE_UNAVAILABLE', message, { sent: false, waitedIn: 'connection' });
  }

  async call<Method extends UnaryMethod>(
    method: Method,
    request: UnaryMethods[Method][0],
    { signal }: TransportCallOptions,
  ): Promise<UnaryMethods[Method][1]> {
    const host = this.#transport.hostAt(this.#endpoint);
    const fate = this.#transport.fateOf({ endpoint: this.#endpoint, kind: 'unary', method, request });
    await Promise.resolve();
    if (fate instanceof ClientError) throw fate;
    if (fate === 'stall') return await this.#stall(signal);
    if (fate === 'late') this.#transport.late.push(() => ignoringFailure(() => host.unary(method, request)));
    if (fate === 'late' || fate === 'lose-request' || this.#transport.unreachable.has(this.#endpoint)) {
      throw broken(this.#endpoint);
    }
    const answer = host.unary(method, request);
    if (fate === 'lose-answer') throw broken(this.#endpoint);
    return answer;
  }

  async *stream<Method extends StreamMethod>(
    method: Method,
    request: StreamMethods[Method][0],
    { signal }: TransportCallOptions,
  ): AsyncGenerator<StreamMethods[Method][1], void, undefined> {
    const fate = this.#transport.fateOf({ endpoint: this.#endpoint, kind: 'stream', method, request });
    await Promise.resolve();
    if (fate instanceof ClientError) throw fate;
    if (fate === 'stall') return await this.#stall(signal);
    if (fate !== 'deliver') throw broken(this.#endpoint);
    const controller = new AbortController();
    let why = broken(this.#endpoint);
    const stop = (reason?: ClientError) => {
      why = reason ?? why;
      controller.abort();
    };
    const ended = AbortSignal.any([signal, controller.signal]);
    this.#track(stop);
    try {
      for await (const message of this.#transport.hostAt(this.#endpoint).stream(method, request, ended)) {
        if (controller.signal.aborted) break;
        signal.throwIfAborted();
        yield message;
        if (controller.signal.aborted) break;
      }
      signal.throwIfAborted();
      if (controller.signal.aborted) throw why;
    } finally {
      this.#forget(stop);
    }
  }

  pipeline(listener: PipelineListener<PipelineResponse>): PipelineStream<PipelineRequest> {
    const transport = this.#transport;
    const endpoint = this.#endpoint;
    return this.#opened<PipelineRequest, PipelineResponse>(listener, {
      written: (message) => transport.messages.push(copyOf(message)),
      fate: (request) => transport.fateOf({ endpoint, kind: 'pipeline', request }),
      answer: (request) => transport.hostAt(endpoint).pipeline(request),
      refuse: ({ id }, error) => ({ id, response: { $case: 'error', value: detailOf(error) } }),
      copy: copyOf,
      split: (message) => (message.request?.$case === 'group' ? message.request.value.requests : [message]),
      join: (list) => single(list, (responses) => ({ id: 0n, response: { $case: 'answers', value: { responses } } })),
    });
  }

  logPipeline(listener: PipelineListener<LogPipelineResponse>): PipelineStream<LogPipelineRequest> {
    const transport = this.#transport;
    const endpoint = this.#endpoint;
    const append = (request: LogAppendRequest) => transport.hostAt(endpoint).unary('appendLog', request);
    return this.#opened<LogPipelineRequest, LogPipelineResponse>(listener, {
      written: (message) => transport.logMessages.push(message),
      fate: ({ request }) =>
        transport.fateOf({ endpoint, kind: 'unary', method: 'appendLog', request: request?.value }),
      answer: (request) => answerLogRequest(request, append),
      refuse: ({ id }, error) => ({ id, response: { $case: 'error', value: detailOf(error) } }),
      copy: (request) => request,
      split: (message) => (message.request?.$case === 'group' ? message.request.value.requests : [message]),
      join: (list) => ({
        ...single(list, (responses) => ({ id: 0n, response: { $case: 'answers', value: { responses } } })),
        takesPacks: transport.takesPacks,
      }),
    });
  }

  #opened<Request, Response>(
    listener: PipelineListener<Response>,
    door: Door<Request, Response>,
  ): PipelineStream<Request> {
    const stream = new MemoryPipeline(this.#transport, this.#endpoint, listener, door, () => this.#forget(stop));
    const stop = (reason?: ClientError) => stream.break(reason);
    this.#track(stop);
    return stream;
  }

  close(): void {
    for (const stop of [...this.#open]) stop();
  }

  /** Never resolves; rejects when the signal aborts, or the connection breaks after all. */
  #stall(signal: AbortSignal): Promise<never> {
    return new Promise((_resolve, reject) => {
      const stop = (reason?: ClientError) => {
        this.#forget(stop);
        reject(signal.aborted ? signal.reason : (reason ?? broken(this.#endpoint)));
      };
      this.#track(stop);
      if (signal.aborted) stop();
      else signal.addEventListener('abort', () => stop(), { once: true });
    });
  }

  #track(stop: Breaker): void {
    this.#open.add(stop);
    this.#transport.breakers.set(stop, this.#endpoint);
  }

  #forget(stop: Breaker): void {
    this.#open.delete(stop);
    this.#transport.breakers.delete(stop);
  }
}

/** What stands behind a pipeline of a service. */
interface Door<Request, Response> {
  written(message: Request): void;
  fate(request: Request): RequestFate;
  answer(request: Request): Response;
  refuse(request: Request, error: ClientError): Response;
  copy(request: Request): Request;
  /** The requests in a message, and one message of answers. */
  split(message: Request): readonly Request[];
  join(responses: Response[]): Response;
}

class MemoryPipeline<Request, Response> implements PipelineStream<Request> {
  readonly #transport: FaultyTransport;
  readonly #endpoint: string;
  readonly #listener: PipelineListener<Response>;
  readonly #door: Door<Request, Response>;
  readonly #onClosed: () => void;
  #ended = false;

  constructor(
    transport: FaultyTransport,
    endpoint: string,
    listener: PipelineListener<Response>,
    door: Door<Request, Response>,
    onClosed: () => void,
  ) {
    this.#transport = transport;
    this.#endpoint = endpoint;
    this.#listener = listener;
    this.#door = door;
    this.#onClosed = onClosed;
  }

  write(message: Request): boolean {
    this.#door.written(message);
    queueMicrotask(() => this.#receive(message));
    return true;
  }

  end(): void {
    this.#transport.answer(() => queueMicrotask(() => this.#end(undefined)));
  }

  cancel(): void {
    this.#end(undefined);
  }

  /** Breaks as a connection does, or ends with a reason. */
  break(reason?: ClientError): void {
    this.#end(reason ?? broken(this.#endpoint));
  }

  #receive(message: Request): void {
    const door = this.#door;
    const responses: Response[] = [];
    let breaks = false;
    for (const request of door.split(message)) {
      if (this.#ended) return;
      const fate = door.fate(request);
      breaks ||= fate === 'lose-request' || fate === 'lose-answer' || fate === 'late';
      if (fate === 'late') {
        const copy = door.copy(request);
        this.#transport.late.push(() => door.answer(copy));
        break;
      }
      if (fate === 'lose-request') break;
      if (fate === 'stall') continue;
      if (fate instanceof ClientError) {
        responses.push(door.refuse(request, fate));
        continue;
      }
      const response = door.answer(request);
      if (fate === 'lose-answer') break;
      responses.push(response);
    }
    this.#transport.answer(() => {
      if (this.#ended) return;
      if (responses.length > 0) this.#listener.onResponse(door.join(responses));
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

/** The only one, or all of them as a group. */
function single<Value>(list: Value[], group: (list: Value[]) => Value): Value {
  const [first] = list;
  return first !== undefined && list.length === 1 ? first : group(list);
}

function broken(endpoint: string): ClientError {
  return new ClientError('SERVICE_UNAVAILABLE', `The connection to '${endpoint}' broke`, { waitedIn: 'answer' });
}

function ignoringFailure(run: () => unknown): void {
  try {
    run();
  } catch {
    // Whoever sent it does not hear any more what became of it.
  }
}

/** What was written, as it was then: the client reuses a request for its next attempt. Keys and values are shared. */
export function copyOf({ id, request }: PipelineRequest): PipelineRequest {
  if (request === undefined) return { id, request };
  if (request.$case === 'group') {
    return { id, request: { $case: 'group', value: { requests: request.value.requests.map(copyOf) } } };
  }
  const options = request.value.options === undefined ? undefined : { ...request.value.options };
  return { id, request: { ...request, value: { ...request.value, options } } as PipelineRequest['request'] };
}
