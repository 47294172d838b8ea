/** The streams of the services that calls may travel on, as one shape: requests with numbers out, answers with theirs back. */
import type { LogPipelineRequest, LogPipelineResponse, PipelineRequest, PipelineResponse } from '@shanghai/proto';
import type { ClientError } from '../client-error.js';
import type { Channel } from '../transport.js';
import type { PipelineAnswer, PipelineBody } from './pending-call.js';

/** Which service a stream belongs to. */
export type PipelineService = 'keyValue' | 'log';

/** A request with its number on the stream. */
export interface NumberedRequest {
  readonly id: bigint;
  readonly request: PipelineBody;
}

/** An answer with the number of its request. */
export interface NumberedAnswer {
  readonly id: bigint;
  readonly response: PipelineAnswer | FailureAnswer | undefined;
}

/** A failure in the place of an answer. */
export type FailureAnswer = Extract<NonNullable<PipelineResponse['response']>, { readonly $case: 'error' }>;

/** The sending half. */
export interface ServiceStream {
  /** Sends requests (at least one) as one message. False: the network is behind. */
  send(requests: readonly NumberedRequest[]): boolean;
  end(): void;
  cancel(): void;
}

/** The receiving half. */
export interface ServiceStreamListener {
  /** Answers of one message, and whether it said that packs are taken. */
  onAnswers(answers: readonly NumberedAnswer[], takesPacks: boolean): void;
  onDrain(): void;
  onEnd(error: ClientError | undefined): void;
}

/** Opens a stream of a service. The listener is never called before this has returned. */
export function openServiceStream(
  channel: Channel,
  service: PipelineService,
  listener: ServiceStreamListener,
): ServiceStream {
  return service === 'keyValue' ? keyValueStream(channel, listener) : logStream(channel, listener);
}

function keyValueStream(channel: Channel, listener: ServiceStreamListener): ServiceStream {
  const stream = channel.pipeline({
    onResponse({ id, response }) {
      const answers = response?.$case === 'answers' ? response.value.responses : [{ id, response }];
      // A server never puts groups in groups.
      listener.onAnswers(answers as readonly NumberedAnswer[], false);
    },
    onDrain: () => listener.onDrain(),
    onEnd: (error) => listener.onEnd(error),
  });
  return {
    send(requests) {
      // Only key-value calls are given to a pipeline of that service.
      const list = requests as PipelineRequest[];
      return stream.write(messageOf(list));
    },
    end: () => stream.end(),
    cancel: () => stream.cancel(),
  };
}

function logStream(channel: Channel, listener: ServiceStreamListener): ServiceStream {
  const stream = channel.logPipeline({
    onResponse(message) {
      const { response } = message;
      const answers = response?.$case === 'answers' ? response.value.responses : [message];
      listener.onAnswers(answers.map(logAnswer), message.takesPacks ?? false);
    },
    onDrain: () => listener.onDrain(),
    onEnd: (error) => listener.onEnd(error),
  });
  return {
    send(requests) {
      const list = requests.map(logRequest);
      return stream.write(messageOf(list));
    },
    end: () => stream.end(),
    cancel: () => stream.cancel(),
  };
}

/** A request that is alone goes as it is, several in a group. */
function messageOf<Request>(requests: Request[]) {
  const [only] = requests;
  if (requests.length === 1 && only !== undefined) return only;
  return { id: 0n, request: { $case: 'group' as const, value: { requests } } };
}

function logRequest({ id, request }: NumberedRequest): LogPipelineRequest {
  switch (request.$case) {
    case 'logAppend':
      return { id, request: { $case: 'append', value: request.value } };
    case 'logPack':
      return { id, request: { $case: 'pack', value: request.value } };
    default:
      return { id, request: undefined };
  }
}

function logAnswer({ id, response }: LogPipelineResponse): NumberedAnswer {
  switch (response?.$case) {
    case 'append':
      return { id, response: { $case: 'logAppend', value: response.value } };
    case 'pack':
      return { id, response: { $case: 'logPack', value: response.value } };
    case 'error':
      return { id, response };
    case 'answers':
    case undefined:
      return { id, response: undefined };
  }
}
