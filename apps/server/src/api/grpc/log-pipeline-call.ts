/** Pipeline of the Log service: appends as a stream of many. Those of one message reach the log in their order. */
import type { handleBidiStreamingCall } from '@grpc/grpc-js';
import { type LogAppendRequest, type LogPipelineRequest, LogPipelineResponse } from '@shanghai/proto';
import type { LogRequests } from '../../logs/log-requests.js';
import type { RequestContext } from '../../requests/request-context.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { appendedMessage, appendOf } from './log-messages.js';
import { type AnswerMessage, type OpenPipelines, PipelinedCalls, type PipelinedWork } from './pipelined-calls.js';
import { asBuffer } from './wire-numbers.js';

type Body = Exclude<NonNullable<LogPipelineRequest['request']>, { $case: 'group' }>;
type Answer = Exclude<NonNullable<LogPipelineResponse['response']>, { $case: 'answers' } | { $case: 'error' }>;

/** What a request or an answer takes beside what its caller put in. */
const flatBytes = 48;

/** The Pipeline procedure over `append`. Each stream is in `open` for as long as it lasts. */
export function logPipelineCall(
  services: ApiServices,
  logs: Pick<LogRequests, 'append'>,
  open: OpenPipelines,
): handleBidiStreamingCall<LogPipelineRequest, LogPipelineResponse> {
  const method = 'Log/Pipeline';
  const recorder = services.requests.recorder('grpc', `${method}/Append`);
  const work: PipelinedWork<Body, Answer> = {
    method,
    recorderOf: () => recorder,
    requestBytes: (body) => (body.$case === 'pack' ? flatBytes + body.value.records.length : appendBytes(body.value)),
    answerBytes: () => flatBytes,
    isRead: () => false,
    answer: (body, context) => answerOf(logs, body, context),
    encode: encodeAnswers,
  };
  return (call) => void new PipelinedCalls(call, services, work, open);
}

async function answerOf(logs: Pick<LogRequests, 'append'>, body: Body, context: RequestContext): Promise<Answer> {
  if (body.$case === 'pack') throw new ServerError('UNSUPPORTED', 'this node takes no packs of appends');
  return { $case: 'append', value: appendedMessage(await logs.append(appendOf(body.value), context)) };
}

function appendBytes({ records }: LogAppendRequest): number {
  let bytes = flatBytes;
  for (const { key, value, headers } of records) {
    bytes += flatBytes + key.length + value.length;
    for (const header of headers) bytes += flatBytes + header.value.length;
  }
  return bytes;
}

function encodeAnswers(answers: readonly AnswerMessage<Answer>[]): Buffer {
  const [only] = answers;
  const message: LogPipelineResponse =
    answers.length === 1 && only !== undefined
      ? only
      : { id: 0n, response: { $case: 'answers', value: { responses: [...answers] } } };
  return asBuffer(LogPipelineResponse.encode(message).finish());
}
