/** The client's port to the network, on virtual connections to the processes of simulated machines. */
import {
  type Channel,
  ClientError,
  type PipelineListener,
  type PipelineStream,
  type StreamMethod,
  type StreamMethods,
  type Transport,
  type TransportCallOptions,
  type UnaryMethod,
  type UnaryMethods,
} from '@shanghai/client';
import type { Random } from '@shanghai/env';
import type { InProcessApi, InProcessMethod, RequestContext } from '@shanghai/server/testing';
import { type ConnectionEnd, VirtualConnection } from './virtual-connection.js';
import type { VirtualNetwork } from './virtual-network.js';
import type { VirtualWorld } from './virtual-world.js';

type Sent<Method extends 'pipeline' | 'logPipeline'> = Parameters<ReturnType<Channel[Method]>['write']>[0];
type Heard<Method extends 'pipeline' | 'logPipeline'> = Parameters<Parameters<Channel[Method]>[0]['onResponse']>[0];
type PipelineRequest = Sent<'pipeline'>;
type PipelineResponse = Heard<'pipeline'>;
type LogPipelineRequest = Sent<'logPipeline'>;
type LogPipelineResponse = Heard<'logPipeline'>;

/** A process that serves. */
export interface ServingProcess extends ConnectionEnd {
  readonly api: InProcessApi;
  /** Connections end with it. */
  whenGone(callback: () => void): void;
}

/** What a client's transport stands on. */
export interface ClientTransportParts {
  readonly world: VirtualWorld;
  readonly network: VirtualNetwork;
  readonly random: Random;
  readonly client: ConnectionEnd;
  /** Who serves at an address now. */
  find(endpoint: string): { readonly nodeId: number; readonly process: ServingProcess | undefined };
}

const connectTimeoutMs = 2000;

/** See above. */
export class VirtualClientTransport implements Transport {
  readonly #parts: ClientTransportParts;

  constructor(parts: ClientTransportParts) {
    this.#parts = parts;
  }

  open(endpoint: string): Channel {
    return new VirtualChannel(this.#parts, endpoint);
  }
}

interface Connected {
  readonly connection: VirtualConnection;
  readonly process: ServingProcess;
}

class VirtualChannel implements Channel {
  readonly #parts: ClientTransportParts;
  readonly #endpoint: string;
  #connected: Connected | undefined;
  #connecting: Promise<Connected> | undefined;
  readonly #open = new Set<() => void>();

  constructor(parts: ClientTransportParts, endpoint: string) {
    this.#parts = parts;
    this.#endpoint = endpoint;
  }

  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await unlessAborted(this.#connect(), signal);
  }

  async call<Method extends UnaryMethod>(
    method: Method,
    request: UnaryMethods[Method][0],
    { signal }: TransportCallOptions,
  ): Promise<UnaryMethods[Method][1]> {
    const { connection, process } = await unlessAborted(this.#connect(), signal);
    const call = new ServerCall(true);
    const answer = new Promise<UnaryMethods[Method][1]>((resolve, reject) => {
      const forget = connection.whenBroken(() => {
        call.cancel();
        reject(broken(this.#endpoint));
      });
      const finish = (settle: () => void) =>
        connection.back(() => {
          forget();
          settle();
        });
      connection.there(() => {
        process.api.unary(method as InProcessMethod, request as never, call).then(
          (response) => finish(() => resolve(response as UnaryMethods[Method][1])),
          (error: unknown) => {
            const failure = process.api.failureOf(error);
            finish(() => reject(answered(failure)));
          },
        );
      });
    });
    return unlessAborted(answer, signal, () => connection.there(() => call.cancel()));
  }

  async *stream<Method extends StreamMethod>(
    method: Method,
    request: StreamMethods[Method][0],
    { signal }: TransportCallOptions,
  ): AsyncGenerator<StreamMethods[Method][1], void, undefined> {
    const { connection, process } = await unlessAborted(this.#connect(), signal);
    const call = new ServerCall();
    // Backups are files, which simulated clients do not take.
    const served = method as 'range' | 'watch' | 'tailLog';
    const pages: AsyncIterator<unknown> = process.api[served](request as never, call)[Symbol.asyncIterator]();
    const next = () =>
      new Promise<IteratorResult<unknown>>((resolve, reject) => {
        const forget = connection.whenBroken(() => {
          call.cancel();
          reject(broken(this.#endpoint));
        });
        if (!connection.isUp) reject(broken(this.#endpoint));
        const finish = (settle: () => void) =>
          connection.back(() => {
            forget();
            settle();
          });
        connection.there(() => {
          pages.next().then(
            (result) => finish(() => resolve(result)),
            (error: unknown) => {
              const failure = process.api.failureOf(error);
              finish(() => reject(answered(failure)));
            },
          );
        });
      });
    try {
      for (;;) {
        const result = await unlessAborted(next(), signal);
        if (result.done === true) return;
        yield result.value as StreamMethods[Method][1];
      }
    } finally {
      connection.there(() => call.cancel());
    }
  }

  pipeline(listener: PipelineListener<PipelineResponse>): PipelineStream<PipelineRequest> {
    return this.#opened<PipelineRequest, PipelineResponse>(listener, {
      split: (message) => (message.request?.$case === 'group' ? message.request.value.requests : [message]),
      answer: ({ api }, request, call) => api.pipeline(request, call),
    });
  }

  logPipeline(listener: PipelineListener<LogPipelineResponse>): PipelineStream<LogPipelineRequest> {
    return this.#opened<LogPipelineRequest, LogPipelineResponse>(listener, {
      split: (message) => (message.request?.$case === 'group' ? message.request.value.requests : [message]),
      answer: ({ api }, request, call) => appendedBy(api, request, call),
    });
  }

  #opened<Request, Response>(
    listener: PipelineListener<Response>,
    served: Served<Request, Response>,
  ): PipelineStream<Request> {
    const forget = () => this.#open.delete(stop);
    const stream = new VirtualPipeline(this.#connect(), this.#endpoint, listener, served, forget);
    const stop = () => stream.cancel();
    this.#open.add(stop);
    return stream;
  }

  close(): void {
    for (const stop of [...this.#open]) stop();
    this.#connected?.connection.break();
  }

  #connect(): Promise<Connected> {
    if (this.#connected?.connection.isUp === true) return Promise.resolve(this.#connected);
    this.#connecting ??= this.#tryToConnect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #tryToConnect(): Promise<Connected> {
    const { world, network, client, random } = this.#parts;
    const pass = (ms: number) => new Promise<void>((resolve) => world.queue.after(ms, resolve));
    const { nodeId } = this.#parts.find(this.#endpoint);
    await pass(network.delayMs());
    if (network.isCut(client.id, nodeId) || network.isCut(nodeId, client.id)) {
      await pass(random.float() * connectTimeoutMs);
      throw unreachable(this.#endpoint);
    }
    const { process } = this.#parts.find(this.#endpoint);
    await pass(network.delayMs());
    if (process === undefined || !process.isAlive()) throw unreachable(this.#endpoint);
    const connection = new VirtualConnection({ world, network, random, client, server: process });
    process.whenGone(() => world.queue.after(random.float() * 50, () => connection.break()));
    this.#connected = { connection, process };
    return this.#connected;
  }
}

/** What a service makes of the messages of its pipeline. */
interface Served<Request, Response> {
  split(message: Request): readonly Request[];
  answer(process: ServingProcess, request: Request, call: ServerCall): Promise<Response>;
}

async function appendedBy(
  api: InProcessApi,
  { id, request }: LogPipelineRequest,
  call: ServerCall,
): Promise<LogPipelineResponse> {
  try {
    if (request?.$case !== 'append') throw new Error('no append');
    const value = await api.unary('appendLog', request.value, call);
    return { id, response: { $case: 'append', value } };
  } catch (error) {
    return { id, response: { $case: 'error', value: api.failureOf(error) } };
  }
}

class VirtualPipeline<Request, Response> implements PipelineStream<Request> {
  readonly #endpoint: string;
  readonly #listener: PipelineListener<Response>;
  readonly #served: Served<Request, Response>;
  readonly #onClosed: () => void;
  readonly #call = new ServerCall();
  /** What was written before there was a connection. */
  #waiting: Request[] | undefined = [];
  #connected: Connected | undefined;
  #isEnded = false;
  #isEnding = false;
  #unanswered = 0;

  constructor(
    connecting: Promise<Connected>,
    endpoint: string,
    listener: PipelineListener<Response>,
    served: Served<Request, Response>,
    onClosed: () => void,
  ) {
    this.#served = served;
    this.#endpoint = endpoint;
    this.#listener = listener;
    this.#onClosed = onClosed;
    connecting.then(
      (connected) => this.#begin(connected),
      (error: unknown) => this.#end(error as ClientError),
    );
  }

  write(message: Request): boolean {
    const requests = this.#served.split(message);
    if (this.#waiting !== undefined) this.#waiting.push(...requests);
    else for (const request of requests) this.#send(request);
    return true;
  }

  end(): void {
    this.#isEnding = true;
    this.#endWhenAnswered();
  }

  cancel(): void {
    this.#connected?.connection.there(() => this.#call.cancel());
    this.#end(undefined);
  }

  #begin(connected: Connected): void {
    if (this.#isEnded) return;
    this.#connected = connected;
    if (!connected.connection.isUp) {
      this.#end(broken(this.#endpoint));
      return;
    }
    connected.connection.whenBroken(() => {
      this.#call.cancel();
      this.#end(broken(this.#endpoint));
    });
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const request of waiting) this.#send(request);
  }

  #send(request: Request): void {
    const { connection, process } = this.#connected as Connected;
    this.#unanswered++;
    connection.there(() => {
      void this.#served.answer(process, request, this.#call).then((response) => {
        connection.back(() => {
          if (this.#isEnded) return;
          this.#unanswered--;
          this.#listener.onResponse(response);
          this.#endWhenAnswered();
        });
      });
    });
  }

  #endWhenAnswered(): void {
    if (this.#isEnding && this.#unanswered === 0 && this.#waiting === undefined) {
      this.#connected?.connection.back(() => this.#end(undefined));
    }
  }

  #end(error: ClientError | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#onClosed();
    this.#listener.onEnd(error);
  }
}

/** A request as the server sees it. */
class ServerCall implements RequestContext {
  readonly correlationId = 'simulated';
  /** Unary calls are passed on by a node that does not lead; streams are not. */
  readonly mayForward: boolean;
  readonly #controller = new AbortController();

  constructor(mayForward = false) {
    this.mayForward = mayForward;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isCancelled(): boolean {
    return this.#controller.signal.aborted;
  }

  cancel(): void {
    this.#controller.abort();
  }
}

function answered({ code, message, detailsJson }: ReturnType<InProcessApi['failureOf']>): ClientError {
  const details = detailsJson === '' ? {} : (JSON.parse(detailsJson) as Record<string, unknown>);
  return new ClientError(code as ClientError['code'], message, { answered: true, details });
}

function broken(endpoint: string): ClientError {
  return new ClientError('SERVICE_UNAVAILABLE', `the connection to '${endpoint}' broke`, { waitedIn: 'answer' });
}

function unreachable(endpoint: string): ClientError {
  const message = `'${endpoint}' cannot be reached`;
  return new ClientError('SERVICE_UNAVAILABLE', message, { sent: false, waitedIn: 'connection' });
}

/** The promise, or the signal's reason where it aborts first. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, onAbort?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(signal.reason);
      onAbort?.();
    };
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
