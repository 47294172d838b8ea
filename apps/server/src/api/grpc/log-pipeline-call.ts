/**
 * Pipeline of the Log service: appends as a stream of many, alone or in packs. Those of one message reach the log in their
 * order.
 */
import type { handleBidiStreamingCall } from '@grpc/grpc-js';
import { type LogAppendRequest, type LogPipelineRequest, LogPipelineResponse } from '@shanghai/proto';
import type { LogRequests } from '../../logs/log-requests.js';
import type { RequestContext } from '../../requests/request-context.js';
import type { ApiServices } from '../api-services.js';
import { appendedMessage, appendOf, packedMessage, packOf } from './log-messages.js';
import {
  type AnsweredRequests,
  type AnswerMessage,
  type OpenPipelines,
  PipelinedCalls,
  type PipelinedWork,
} from './pipelined-calls.js';
import { asBuffer } from './wire-numbers.js';

type Body = Exclude<NonNullable<LogPipelineRequest['request']>, { $case: 'group' }>;
type Answer = Exclude<NonNullable<LogPipelineResponse['response']>, { $case: 'answers' } | { $case: 'error' }>;
type AppendRequests = Pick<LogRequests, 'append' | 'appendPack'>;

/** What a request or an answer takes beside what its caller put in. */
const flatBytes = 48;

/** The shortest record of a pack: what says how long it and its parts are. */
const leastPackedBytes = 14;

/** The Pipeline procedure over `append`. Each stream is in `open` for as long as it lasts. */
export function logPipelineCall(
  services: ApiServices,
  logs: AppendRequests,
  open: OpenPipelines,
): handleBidiStreamingCall<LogPipelineRequest, LogPipelineResponse> {
  const method = 'Log/Pipeline';
  const recorder = services.requests.recorder('grpc', `${method}/Append`);
  const work: PipelinedWork<Body, Answer> = {
    method,
    recorderOf: () => recorder,
    requestBytes: (body) => (body.$case === 'pack' ? flatBytes + body.value.records.length : appendBytes(body.value)),
    answerBytes: (answer) => (answer.$case === 'pack' ? flatBytes * (1 + answer.value.ranges.length) : flatBytes),
    isRead: () => false,
    answer: (body, context) => answerOf(logs, body, context),
    requestsIn,
    outcomesIn,
    encode: encodeAnswers,
  };
  return (call) => void new PipelinedCalls(call, services, work, open);
}

async function answerOf(logs: AppendRequests, body: Body, context: RequestContext): Promise<Answer> {
  return body.$case === 'pack'
    ? { $case: 'pack', value: packedMessage(await logs.appendPack(packOf(body.value), context)) }
    : { $case: 'append', value: appendedMessage(await logs.append(appendOf(body.value), context)) };
}

/** How many appends it stands for. */
function requestsIn(body: Body): number {
  if (body.$case !== 'pack') return 1;
  const { records, counts } = body.value;
  return Math.max(1, counts.length === 0 ? recordsIn(records) : counts.length);
}

/** How many records there are, by their lengths, as far as these fit. */
function recordsIn(records: Buffer): number {
  let count = 0;
  for (let at = 0; at + leastPackedBytes <= records.length; count++) at += 4 + records.readUInt32LE(at);
  return count;
}

function outcomesIn(answer: Answer): readonly AnsweredRequests[] {
  if (answer.$case !== 'pack') return [{ outcome: 'OK', requests: 1 }];
  return answer.value.ranges.map(({ appends, error }) => ({
    outcome: error === undefined ? 'OK' : (error.code as AnsweredRequests['outcome']),
    requests: appends,
  }));
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
      ? { ...only, takesPacks: true }
      : { id: 0n, response: { $case: 'answers', value: { responses: [...answers] } }, takesPacks: true };
  return asBuffer(LogPipelineResponse.encode(message).finish());
}
